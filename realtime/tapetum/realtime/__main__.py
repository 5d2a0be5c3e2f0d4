"""`python -m tapetum.realtime` is the `tapetum` command."""

from tapetum.realtime.cli import main

main()
