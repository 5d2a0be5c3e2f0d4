"""Peak memory of `tapetum enhance` as its user runs it, which must not grow with the clip."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import av

from tapetum.benchmarks.processes import run_process, tapetum


def peak_memory(clip: Path, *, repeats: int = 4) -> dict[str, object]:
    """Peak resident memory of `tapetum enhance` for a clip, and for one `repeats` times as long."""
    with TemporaryDirectory() as folder:
        long_clip, output = Path(folder) / "long.mp4", Path(folder) / "out.mp4"
        repeat_clip(clip, long_clip, repeats)
        peaks = [
            run_process(tapetum("enhance", path, output, "--overwrite", "--quiet")).peak_mb
            for path in (clip, long_clip)
        ]
    return {
        "clip": clip.name,
        "peak_mb": round(peaks[0], 1),
        "repeats": repeats,
        "peak_of_repeated_mb": round(peaks[1], 1),
    }


def repeat_clip(clip: Path, target: Path, repeats: int) -> None:
    """Write a clip's video several times after itself, without encoding it again."""
    with av.open(str(target), "w") as writer:
        output: av.VideoStream | None = None
        offset = 0
        for _ in range(repeats):
            with av.open(str(clip)) as reader:
                video = reader.streams.video[0]
                output = output or writer.add_stream_from_template(video, opaque=True)
                ends = [offset]
                for packet in reader.demux(video):
                    if packet.pts is None or packet.dts is None:
                        continue
                    packet.pts, packet.dts = packet.pts + offset, packet.dts + offset
                    ends.append(packet.pts + (packet.duration or 0))
                    packet.stream = output
                    writer.mux(packet)
                offset = max(ends)
