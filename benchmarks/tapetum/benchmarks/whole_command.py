"""`tapetum enhance` as its user runs it: time against a plain transcode, memory, start."""

from __future__ import annotations

import statistics
from pathlib import Path
from tempfile import TemporaryDirectory

import av

from tapetum.benchmarks.processes import plain_transcode, run_process, tapetum


def transcode_ratio(clip: Path, *, rounds: int = 5) -> dict[str, object]:
    """Time of `tapetum enhance` over that of a transcode of its own output, taken in turn.

    Both are whole processes with the same encoder settings.
    """
    with TemporaryDirectory() as folder:
        enhanced, again = Path(folder) / "enhanced.mp4", Path(folder) / "again.mp4"
        enhance = tapetum("enhance", clip, enhanced, "--overwrite", "--quiet")
        run_process(enhance)
        pairs = [
            (run_process(enhance), run_process(plain_transcode(enhanced, again)))
            for _ in range(rounds)
        ]
    ratios = [ours.wall_s / plain.wall_s for ours, plain in pairs]
    return {
        "clip": clip.name,
        "rounds": rounds,
        "enhance_s": round(statistics.median(ours.wall_s for ours, _ in pairs), 3),
        "transcode_s": round(statistics.median(plain.wall_s for _, plain in pairs), 3),
        "ratio": {
            "min": round(min(ratios), 3),
            "median": round(statistics.median(ratios), 3),
            "max": round(max(ratios), 3),
        },
    }


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


def first_frame(clip: Path, *, rounds: int = 5) -> dict[str, object]:
    """Time of a whole `tapetum enhance` of the first tenth of a second of a clip, caches warm.

    An upper bound for the time to the first frame: process start to file closed.
    """
    with TemporaryDirectory() as folder:
        output = Path(folder) / "out.mp4"
        command = tapetum("enhance", clip, output, "--duration", "0.1", "--overwrite", "--quiet")
        run_process(command)
        times = [run_process(command).wall_s for _ in range(rounds)]
    return {"clip": clip.name, "rounds": rounds, "whole_s": round(statistics.median(times), 3)}


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
