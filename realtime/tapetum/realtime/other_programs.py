"""The environment of programs that are started beside this one."""

from __future__ import annotations

import os
from pathlib import Path

_OF_OPENCV = ("QT_QPA_PLATFORM_PLUGIN_PATH", "QT_QPA_FONTDIR", "LD_LIBRARY_PATH")


def environment_of_others() -> dict[str, str]:
    """This process's variables, without the folders that importing OpenCV put into them.

    They would lead every program's Qt to OpenCV's own parts, and let programs load libraries from
    whatever folder they are started in.
    """
    given = dict(os.environ)
    for name in _OF_OPENCV:
        folders = given.pop(name, "").split(os.pathsep)
        kept = [folder for folder in folders if "cv2" not in Path(folder).parts]
        if any(kept):
            given[name] = os.pathsep.join(kept)
    return given
