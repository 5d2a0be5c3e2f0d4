"""Exit statuses of the `tapetum` command."""

OK = 0
FAILED = 1
USAGE = 2
DAMAGED_INPUT = 3
"""The output is whole, but the input was cut short or had packets that did not decode."""

HELP = (
    "Exit status: 0 done; 1 failed, one line says why; 2 an option is wrong; 3 done, but the"
    " input was cut short or damaged; 130 stopped by Ctrl-C; 143 stopped by SIGTERM;"
    " 129 its terminal was closed."
)
