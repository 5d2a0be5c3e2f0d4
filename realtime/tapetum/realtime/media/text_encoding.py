"""How the texts in a file's metadata are read and written: any bytes go through unchanged."""

from __future__ import annotations

from typing import Any

import av

_DECODES_ANY_BYTES = 19
"""The major version of PyAV that does so by itself, and no longer takes the option."""

TEXT_OPTIONS: dict[str, Any] = (
    {}
    if int(av.__version__.partition(".")[0]) >= _DECODES_ANY_BYTES
    else {"metadata_errors": "surrogateescape"}
)
"""Keyword arguments of `av.open`."""
