"""`python -m tapetum.realtime` is the `tapetum` command."""

from tapetum.realtime.command.cli import main

main()
