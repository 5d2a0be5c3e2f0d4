"""Real-time low-light video enhancement: files, frames and NumPy images.

    from tapetum.realtime import Enhancer, enhance_file

    enhance_file("dark.mp4", "bright.mp4")
    bright = Enhancer()(dark)  # (H, W, 3) uint8 RGB

Importing this package is cheap: a part is loaded when its name is first used. The names are listed
once, in the stub file beside this one, for Python and for type checkers alike.
"""

from importlib import import_module

_STUB = f"{__path__[0]}/__init__.pyi"


def _module_of_each_name() -> dict[str, str]:
    """By lines such as "from .frame import Frame as Frame"."""
    assert __spec__ is not None
    stub = __spec__.loader.get_data(_STUB).decode()
    lines = [line.split() for line in stub.splitlines() if line.startswith("from .")]
    return {words[-1]: f"{__name__}{words[1]}" for words in lines}


_MODULES = _module_of_each_name()
__all__ = list(_MODULES)


def __getattr__(name: str) -> object:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(_MODULES[name]), name)
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
