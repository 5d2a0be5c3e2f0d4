"""Small dark clips, which a gain of three brightens without clipping."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np


def write_clip(path: Path, *, frames: int, width: int = 96, height: int = 64) -> None:
    """Write a dark gradient that drifts, at 25 fps, with AAC silence beside it."""
    rows, columns = np.mgrid[:height, :width]
    with av.open(path, "w") as output:
        video = output.add_stream("libx264", 25, options={"crf": "18", "preset": "ultrafast"})
        video.width, video.height, video.pix_fmt = width, height, "yuv420p"
        audio = output.add_stream("aac", 48000, layout="stereo")
        for index in range(frames):
            gray = (16 + (rows + columns + 2 * index) % 48).astype(np.uint8)
            picture = av.VideoFrame.from_ndarray(np.stack([gray] * 3, -1), "rgb24")
            frame = picture.reformat(format="yuv420p")
            frame.pts, frame.time_base = index, Fraction(1, 25)
            output.mux(video.encode(frame))
        silence = np.zeros((2, 48000 * frames // 25), np.float32)
        samples = av.AudioFrame.from_ndarray(silence, "fltp", "stereo")
        samples.sample_rate = 48000
        output.mux(audio.encode(samples))
        output.mux(video.encode())
        output.mux(audio.encode())
