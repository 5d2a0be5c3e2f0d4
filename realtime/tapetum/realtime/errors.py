"""All of Tapetum's errors in one place; see `tapetum.gan.errors` for the tree."""

from tapetum.gan.errors import DataError, ModelError, TapetumError

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


class EngineError(TapetumError):
    """A network cannot be compiled or run."""


class DeviceError(TapetumError):
    """A device is missing, or a frame lies on another device than the one that it is used on."""
