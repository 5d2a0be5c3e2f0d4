"""Real-time low-light video enhancement: files, frames and NumPy images.

    from tapetum.realtime import Enhancer, enhance_file

    enhance_file("dark.mp4", "bright.mp4")
    bright = Enhancer()(dark)  # (H, W, 3) uint8 RGB

Importing this package is cheap: a part is loaded when its name is first used. The names are listed
once, in the stub file beside this one, for Python and for type checkers alike.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
