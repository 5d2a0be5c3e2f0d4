"""The root of Tapetum's errors, and those of models, training, engines and devices.

Every error that a user can cause derives from `TapetumError`; its message is one line that
says what is wrong, with which file or device, and what to do. `tapetum.realtime.errors`
lists the whole tree::

    TapetumError
    |- ModelError          a model or weights file is missing, broken or of the wrong shape
    |- DataError           a folder of photos cannot be used
    |- TrainingError       training cannot start or go on
    |- MediaError          an input or output file cannot be read or written
    |- PluginError         a host's plugin cannot be made, or does not work there
    |- ServeError          the server cannot be started, or does not do what was asked
    |- UnexpectedError     a bug in Tapetum, where somebody would wait in vain otherwise
    |- EngineError         a network cannot be compiled or run
    |- BenchmarkError      a measurement cannot be made, or its results cannot be read or compared
    `- DeviceError         a device is missing, or a frame is on the wrong one
       `- DeviceLostError  a device cannot be used any more
"""


class TapetumError(Exception):
    """Something that the user can mend; the message says what, which and how."""


class ModelError(TapetumError):
    """A model or weights file is missing, broken, of the wrong shape, or cannot do this."""


class DataError(TapetumError):
    """A folder of photos is missing, empty or unusable."""


class TrainingError(TapetumError):
    """Training cannot start or go on: a wrong setting, a loss that is no number, no memory left."""


class EngineError(TapetumError):
    """A network cannot be compiled or run."""


class DeviceError(TapetumError):
    """A device is missing, or a frame lies on another device than the one that it is used on."""


class DeviceLostError(DeviceError):
    """A device cannot be used any more: its driver was reset, or it is out of order."""
