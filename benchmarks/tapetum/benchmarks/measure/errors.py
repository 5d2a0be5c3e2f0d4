"""What can go wrong with a measurement."""

from __future__ import annotations

from tapetum.gan.errors import TapetumError


class BenchmarkError(TapetumError):
    """A measurement cannot be made, or its results cannot be read or compared."""
