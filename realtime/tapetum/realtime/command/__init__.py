"""The command line: `cli` is its entry, each other module a sub-command or a part of one."""
