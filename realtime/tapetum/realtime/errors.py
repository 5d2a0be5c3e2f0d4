"""All of Tapetum's errors in one place; see `tapetum.gan.errors` for the tree."""

from tapetum.gan.errors import (
    DataError,
    DeviceError,
    DeviceLostError,
    EngineError,
    ModelError,
    TapetumError,
)

__all__ = [
    "DataError",
    "DeviceError",
    "DeviceLostError",
    "EncoderError",
    "EngineError",
    "MediaError",
    "ModelError",
    "PluginError",
    "SeamError",
    "ServeError",
    "TapetumError",
    "UnexpectedError",
]


class MediaError(TapetumError):
    """An input or output file, device or stream cannot be read or written."""


class EncoderError(MediaError):
    """An encoder cannot be opened: the hardware is missing, or it refuses such frames."""


class SeamError(MediaError):
    """A part of a film does not go on as the part before it has begun."""


class ServeError(TapetumError):
    """The server cannot be started, or a viewer asked for what it does not do."""


class UnexpectedError(TapetumError):
    """A bug in Tapetum, told like other errors to who would wait in vain otherwise."""

    def __init__(self, bug: Exception) -> None:
        """Tell of an exception that nothing should raise; it becomes the cause."""
        super().__init__(f"a bug in Tapetum: {bug!r}")
        self.__cause__ = bug


class PluginError(TapetumError):
    """A host's plugin cannot be made, put in its place, or does not work there."""
