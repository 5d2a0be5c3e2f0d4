"""Pictures of a display that nobody sees; those of the documents are made of them."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt

Picture = npt.NDArray[np.uint8]


def screenshot(display: str, size: tuple[int, int]) -> Picture:
    """What a display shows now, as (H, W, 3) RGB."""
    width, height = size
    grab = ["-f", "x11grab", "-draw_mouse", "0", "-video_size", f"{width}x{height}", "-i", display]
    raw = ["-frames:v", "1", "-pix_fmt", "rgb24", "-f", "rawvideo", "-"]
    done = subprocess.run(["ffmpeg", "-v", "error", *grab, *raw], capture_output=True, check=True)
    return np.frombuffer(done.stdout, np.uint8).reshape(height, width, 3)


def without_margins(picture: Picture) -> Picture:
    """The part of a screen that is not empty."""
    lit = picture.max(axis=2) > 8
    rows, columns = np.flatnonzero(lit.any(axis=1)), np.flatnonzero(lit.any(axis=0))
    return picture[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def keep(picture: Picture, name: str) -> None:
    """Write it as a JPEG into the folder that TAPETUM_PICTURES names, if it does."""
    folder = os.environ.get("TAPETUM_PICTURES")
    if not folder:
        return
    height, width = picture.shape[0] // 2 * 2, picture.shape[1] // 2 * 2
    options = {"qmin": "4", "qmax": "4"}
    with av.open(str(Path(folder, name)), "w", format="image2", options={"update": "1"}) as file:
        stream = file.add_stream("mjpeg", options=options)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuvj420p"
        whole = np.ascontiguousarray(picture[:height, :width])
        file.mux(stream.encode(av.VideoFrame.from_ndarray(whole, format="rgb24")))
        file.mux(stream.encode())
