"""Small dark clips, which a gain of three brightens without clipping."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from support.media import fill_plane


def write_clip(
    path: Path, *, frames: int, width: int = 96, height: int = 64, rate: int = 25
) -> None:
    """Write a dark gradient that drifts, with AAC silence beside it."""
    rows, columns = np.mgrid[:height, :width]
    with av.open(path, "w") as output:
        video = output.add_stream("libx264", rate, options={"crf": "18", "preset": "ultrafast"})
        video.width, video.height, video.pix_fmt = width, height, "yuv420p"
        audio = output.add_stream("aac", 48000, layout="stereo")
        for index in range(frames):
            gray = (16 + (rows + columns + 2 * index) % 48).astype(np.uint8)
            picture = av.VideoFrame.from_ndarray(np.stack([gray] * 3, -1), "rgb24")
            frame = picture.reformat(format="yuv420p")
            frame.pts, frame.time_base = index, Fraction(1, rate)
            output.mux(video.encode(frame))
        silence = np.zeros((2, 48000 * frames // rate), np.float32)
        samples = av.AudioFrame.from_ndarray(silence, "fltp", "stereo")
        samples.sample_rate = 48000
        output.mux(audio.encode(samples))
        output.mux(video.encode())
        output.mux(audio.encode())


def write_noisy_clip(
    path: Path, *, frames: int, rate: int, width: int = 160, height: int = 96
) -> Path:
    """Write a night that rests, with a sensor's noise, of which the codec skips what it can.

    A lamp goes along its upper edge, so that a black sky is taken for a bar, and again for none.
    """
    rng = np.random.default_rng(7)
    rows, columns = np.mgrid[:height, :width]
    scene = 22 + 14 * np.sin(columns / 9) * np.cos(rows / 7) + rows / 8
    scene[: height // 3] = 16
    with av.open(path, "w") as output:
        video = output.add_stream("libx264", rate, options={"crf": "26", "g": "40", "bf": "2"})
        video.width, video.height, video.pix_fmt = width, height, "yuv420p"
        for index in range(frames):
            luma = scene + rng.normal(0, 3, scene.shape)
            if index % 35 > 25:
                left = index * 3 % width
                luma[2 : height // 3, left : left + width // 4] += 60
            frame = av.VideoFrame(width, height, "yuv420p")
            planes = (luma, *(128 + rng.normal(0, 1, (height // 2, width // 2)) for _ in "uv"))
            for plane, values in zip(frame.planes, planes, strict=True):
                fill_plane(plane, np.clip(values, 0, 255).astype(np.uint8))
            frame.pts, frame.time_base = index, Fraction(1, rate)
            output.mux(video.encode(frame))
        output.mux(video.encode())
    return path
