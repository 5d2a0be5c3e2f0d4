"""Live video on a machine that is kept busy on purpose: is the picture ever dark, does it jump?"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from itertools import pairwise
from pathlib import Path
from statistics import median

from tapetum.benchmarks.measure.machine import load_average
from tapetum.gan.scratch_folder import scratch_folder
from tapetum.realtime import FileSource, SyntheticSource
from tapetum.realtime.enhancer import make_enhancer
from tapetum.realtime.errors import MediaError

SIZES = {
    "720p30": ("1280x720", 30),
    "1080p30": ("1920x1080", 30),
    "4k30": ("3840x2160", 30),
    "4k60": ("3840x2160", 60),
}
SCENES = {"clean": "", "noisy": ",noise=alls=12:allf=t"}
"""What FFmpeg adds to the dark test pattern: nothing, or noise of deviation 7."""
ALONE = "1280x720"
"""Size of the frame that shows how quick the machine is."""
_WARM, _TIMED = 10, 50
"""Such frames before those that are timed, and these."""
_DARKNESS = 8
"""FFmpeg's test pattern is made so many times darker."""
_DARK_LEVEL = 48.0
"""Mean luma under which a frame of that pattern was not enhanced: it has 29 itself."""
_SPIN = "while True: pass"


def live_load(
    size: str,
    rate: int = 30,
    *,
    scene: str = "clean",
    streams: int = 1,
    busy: int = 2,
    nice: int = 0,
    duration_s: float = 10.0,
) -> dict[str, object]:
    """Show and record dark test patterns by `tapetum live` while others take the processors.

    Args:
        size: width and height, like "1280x720".
        rate: frames per second of each pattern.
        scene: one of `SCENES`.
        streams: how many processes record at once.
        busy: how many others do nothing but take time.
        nice: how far those give way, from 0 to 19.
        duration_s: how long is recorded.

    Returns:
        `frame_alone_ms`, the median time of one frame by `grid` before all else, by which machines
        differ; `recorded_frames`; `dark_percent` of them from the first one on, `largest_jump` of
        the mean luma from frame to frame in levels, `age_p99_ms` and `fps` of what is shown, each
        the worst of the streams; the modes of all; the load average. Levels are those of the
        recordings.
    """
    alone_ms = _frame_alone_ms()
    with scratch_folder("bench") as folder, ExitStack() as running:
        paths = [folder / f"{index}.mkv" for index in range(streams)]
        for _ in range(busy):
            running.enter_context(spinning(nice))
        commands = [_command(size, rate, scene, path, duration_s) for path in paths]
        processes = [
            running.enter_context(subprocess.Popen(command, stdout=subprocess.PIPE))
            for command in commands
        ]
        summaries = [json.loads(process.communicate()[0]) for process in processes]
        load = load_average()[0]
        running.close()
        found = [list(_mean_luma(path)) for path in paths]
    return {
        "size": size,
        "rate": rate,
        "scene": scene,
        "streams": streams,
        "busy_processes": {"count": busy, "nice": nice},
        "frame_alone_ms": round(alone_ms, 2),
        "load_average": round(load, 2),
        "recorded_frames": min(map(len, found)),
        "dark_percent": max(map(_dark_percent, found)),
        "largest_jump": max(map(_largest_jump, found)),
        "age_p99_ms": max(summary["age_ms"]["p99"] for summary in summaries),
        "fps": min(summary["fps"] for summary in summaries),
        "modes": [summary["modes"] for summary in summaries],
    }


def _frame_alone_ms() -> float:
    """How quick the machine is with a frame of `ALONE` while nothing else runs."""
    width, height = map(int, ALONE.split("x"))
    (frame,) = SyntheticSource(width, height, frames=1)
    enhance = make_enhancer("grid", device="cpu")
    times_s = [time.perf_counter()]
    for _ in range(_WARM + _TIMED):
        enhance(frame)
        times_s.append(time.perf_counter())
    return 1000 * median(later - sooner for sooner, later in pairwise(times_s[_WARM:]))


def _command(size: str, rate: int, scene: str, path: Path, duration_s: float) -> list[str]:
    darker = f"lutyuv=y=16+(val-16)/{_DARKNESS}:u=128+(val-128)/{_DARKNESS}"
    darker = f"{darker}:v=128+(val-128)/{_DARKNESS}"
    source = f"lavfi:testsrc2=s={size}:r={rate},{darker}{SCENES[scene]}"
    options = ("--duration", str(duration_s), "--json", "--quiet")
    command = (sys.executable, "-m", "tapetum.realtime", "live")
    # The first sink is measured: a screen, where no encoder makes anyone wait.
    return [*command, "--source", source, "--sink", "null", "--sink", str(path), *options]


@contextmanager
def spinning(nice: int) -> Iterator[None]:
    """A process that takes all the time that it can get."""
    command = ["nice", "-n", str(nice), sys.executable, "-c", _SPIN]
    with subprocess.Popen(command) as process:
        try:
            yield
        finally:
            process.kill()


def _mean_luma(path: Path) -> Iterator[float]:
    """Of each frame of a recording, which has none where the machine was too busy for any."""
    try:
        source = FileSource(path)
    except MediaError:
        return
    with source:
        for frame in source:
            yield float(frame.planes[0].mean())


def _dark_percent(levels: Sequence[float]) -> float:
    return round(100 * sum(level < _DARK_LEVEL for level in levels) / max(len(levels), 1), 2)


def _largest_jump(levels: Sequence[float]) -> float:
    return round(max((abs(later - sooner) for sooner, later in pairwise(levels)), default=0.0), 2)
