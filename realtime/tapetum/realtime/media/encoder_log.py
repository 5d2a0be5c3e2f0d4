"""Keeps encoder libraries that write to the terminal by themselves quiet."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

_SVT_VARIABLE = "SVT_LOG"
_SVT_ERRORS_ONLY = "1"


@contextmanager
def quiet_encoder(name: str) -> Iterator[None]:
    """Silence SVT-AV1, which reads its log level from the environment when it is opened.

    A level that the user has set stays.
    """
    if name != "libsvtav1" or _SVT_VARIABLE in os.environ:
        yield
        return
    os.environ[_SVT_VARIABLE] = _SVT_ERRORS_ONLY
    try:
        yield
    finally:
        del os.environ[_SVT_VARIABLE]
