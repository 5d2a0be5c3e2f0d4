"""The `tapetum` command, also `python -m tapetum.realtime`, which is stopped while it loads too."""

import os
import signal
from types import FrameType


def main() -> None:
    """Run the command line of this process and exit."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _stop_loading)  # until the command sets its own
    from tapetum.realtime.command.cli import main as run

    run()


def _stop_loading(_number: int, _frame: FrameType | None) -> None:
    """End at once: nothing is begun yet, and half-loaded modules cannot clean up."""
    os.write(2, b"error: stopped by SIGINT\n")
    os._exit(130)


if __name__ == "__main__":
    main()
