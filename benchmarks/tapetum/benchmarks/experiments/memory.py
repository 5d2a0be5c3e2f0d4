"""Peak memory of `tapetum enhance` as its user runs it, which must not grow with the clip."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import av
from av.packet import Packet
from av.video.stream import VideoStream


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
        output: VideoStream | None = None
        end, last_dts = 0, -(1 << 62)
        for _ in range(repeats):
            with av.open(str(clip)) as reader:
                video = reader.streams.video[0]
                output = output or writer.add_stream_from_template(video, opaque=True)
                shift: int | None = None
                for packet in _timed(reader.demux(video)):
                    pts, dts = packet.pts or 0, packet.dts or 0
                    if shift is None:  # clips may begin before 0, and not say how long frames last
                        shift = max(end - pts, last_dts + 1 - dts)
                    packet.pts, packet.dts = pts + shift, dts + shift
                    last_dts, end = packet.dts, max(end, packet.pts + (packet.duration or 0))
                    packet.stream = output
                    writer.mux(packet)


def _timed(packets: Iterable[Packet[VideoStream]]) -> Iterator[Packet[VideoStream]]:
    """Packets that are shown, with decode times: Matroska says none of the first of B-frames."""
    early: list[Packet[VideoStream]] = []
    for packet in packets:
        if packet.pts is None:
            continue
        early.append(packet)
        if packet.dts is None:
            continue
        for place, first in enumerate(early):
            if first.dts is None:
                first.dts = packet.dts - (len(early) - 1 - place) * max(1, packet.duration or 0)
        yield from early
        early = []
    yield from early


@dataclass(frozen=True)
class ProcessCost:
    """What one process took, by the operating system's own accounting."""

    wall_s: float
    cpu_s: float
    peak_mb: float


def run_process(command: list[str]) -> ProcessCost:
    """Run a command to its end.

    Raises:
        subprocess.CalledProcessError: it failed.
    """
    started = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as process:
        assert process.stderr is not None
        errors = process.stderr.read()
        if not hasattr(os, "wait4"):
            raise OSError("Windows does not say what a process has used")
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    wall_s = time.perf_counter() - started
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command, stderr=errors)
    return ProcessCost(wall_s, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)


def tapetum(*arguments: str | Path) -> list[str]:
    """The command that runs `tapetum` in this Python."""
    return [sys.executable, "-m", "tapetum.realtime", *map(str, arguments)]
