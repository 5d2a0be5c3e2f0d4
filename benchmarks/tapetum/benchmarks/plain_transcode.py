"""Decodes a video and encodes it again, and nothing else: the limit that enhancing is held to."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av


def transcode(source: Path, target: Path, crf: int, preset: str) -> int:
    """Transcode the video of a file with libx264 in one plain loop; returns the frame count."""
    frames = 0
    with av.open(str(source)) as reader, av.open(str(target), "w") as writer:
        video = reader.streams.video[0]
        video.thread_type = "AUTO"
        output = writer.add_stream("libx264", rate=video.average_rate)
        output.width, output.height = video.width, video.height
        output.pix_fmt = video.pix_fmt
        output.options = {"crf": str(crf), "preset": preset}
        output.codec_context.time_base = video.time_base or Fraction(1, 1000)
        for frame in reader.decode(video):
            frame.pict_type = 0
            writer.mux(output.encode(frame))
            frames += 1
        writer.mux(output.encode())
    return frames
