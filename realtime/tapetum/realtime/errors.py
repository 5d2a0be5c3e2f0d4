"""All of Tapetum's errors in one place; see `tapetum.gan.errors` for the tree."""

from tapetum.gan.errors import DataError, DeviceError, EngineError, ModelError, TapetumError

__all__ = [
    "DataError",
    "DeviceError",
    "EngineError",
    "MediaError",
    "ModelError",
    "TapetumError",
]


class MediaError(TapetumError):
    """An input or output file, device or stream cannot be read or written."""
