"""What a program reads of a command: JSON on stdout, and nothing between it."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, redirect_stdout

JsonWriter = Callable[[Mapping[str, object]], None]


@contextmanager
def program_output(*, is_wanted: bool) -> Iterator[JsonWriter | None]:
    """Keep stdout for programs: what libraries print meanwhile goes to stderr (Ray does so).

    Args:
        is_wanted: whether a program reads; if not, nothing comes to stdout.

    Yields:
        A function that writes one object as one line, at once.
    """
    stdout = sys.stdout

    def write(value: Mapping[str, object]) -> None:
        stdout.write(json.dumps(value) + "\n")
        stdout.flush()

    with redirect_stdout(sys.stderr):
        yield write if is_wanted else None
