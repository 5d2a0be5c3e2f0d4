"""How fast Tapetum is inside other programs: each plays a dark clip with it and without, in turns.

A run of few frames is taken from one of many, so that starting costs nothing. The machine must be
idle but for this: what the processors do is read of the whole machine, as a host's worker is a
process that the host need not wait for.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from statistics import median

import psutil

from tapetum.benchmarks.measure.errors import BenchmarkError
from tapetum.benchmarks.measure.machine import load_average
from tapetum.gan.scratch_folder import scratch_folder

SIZES = {"1280x720": (30, 180), "1920x1080": (20, 110)}
"""Frames of the short run and of the long one."""
_RUN_LIMIT_S = 300
_MELT_LIMIT_S = 60
_MOST_TRIES = 20
_TRY_AGAIN = 75
"""Status of a run that made no pictures, which no fault of Tapetum's is (EX_TEMPFAIL)."""
_DARK = "lutyuv=y=val/5+13,noise=alls=4:allf=t"
_TAPETUM = f"{shlex.quote(sys.executable)} -m tapetum.realtime"


@dataclass(frozen=True)
class Clip:
    """A dark clip of H.264.

    Attributes:
        path: where it lies.
        size: like "1280x720".
    """

    path: Path
    size: str


@dataclass(frozen=True)
class Program:
    """A host that plays a clip as fast as it can.

    Attributes:
        words: the shell's, for a clip, how many frames of it, and whether Tapetum is in it.
        needs: the programs that run.
        plugin: what `tapetum plugin install` puts there; None where nothing needs to be.
        packages: of Python, that are needed too.
    """

    words: Callable[[Clip, int, bool], str]
    needs: tuple[str, ...]
    plugin: str | None = None
    packages: tuple[str, ...] = ()

    def is_here(self) -> bool:
        """Whether this machine has all of it."""
        programs = all(_where(name) is not None for name in self.needs)
        return programs and all(find_spec(name) is not None for name in self.packages)


@dataclass(frozen=True)
class _Run:
    wall_s: float
    busy_s: float


def measure_host(name: str, size: str, *, repeats: int = 3) -> dict[str, object]:
    """Play a dark clip in a host, with Tapetum and without.

    Args:
        name: of `PROGRAMS`.
        size: of `SIZES`.
        repeats: pairs of runs, of which the medians are taken.

    Returns:
        `fps` with Tapetum and `fps_without`; `added_ms`, what a frame takes longer with it;
        `busy_percent` with it and `busy_percent_without`, of the whole machine's processors.

    Raises:
        BenchmarkError: the plugin cannot be installed, or the host fails.
    """
    program, (few, many) = PROGRAMS[name], SIZES[size]
    load_before = load_average()
    with scratch_folder("bench") as folder:
        clip, environment = _dark_clip(folder, size, many), _installed(program, folder)
        rates: dict[bool, list[_Run]] = {False: [], True: []}
        for _ in range(repeats):
            for with_tapetum, runs in rates.items():
                short, long = (
                    _run(program.words(clip, count, with_tapetum), environment)
                    for count in (few, many)
                )
                wall_s = (long.wall_s - short.wall_s) / (many - few)
                busy_s = (long.busy_s - short.busy_s) / (many - few)
                if wall_s <= 0:
                    raise BenchmarkError("the machine is too busy to measure a host on it")
                runs.append(_Run(wall_s, busy_s))
    added_s = median(b.wall_s - a.wall_s for a, b in zip(rates[False], rates[True], strict=True))
    return {
        "host": name,
        "size": size,
        "fps": round(1 / median(run.wall_s for run in rates[True]), 1),
        "fps_without": round(1 / median(run.wall_s for run in rates[False]), 1),
        "added_ms": round(1000 * added_s, 2),
        "busy_percent": _busy_percent(rates[True]),
        "busy_percent_without": _busy_percent(rates[False]),
        "frames": [few, many],
        "repeats": repeats,
        "load_average": {"before": load_before},
    }


def _busy_percent(runs: list[_Run]) -> float:
    share = median(run.busy_s / run.wall_s for run in runs) / (os.cpu_count() or 1)
    return round(100 * share, 1)


def _dark_clip(folder: Path, size: str, frames: int) -> Clip:
    path = folder / "dark.mp4"
    pattern = f"testsrc2=size={size}:rate=30,{_DARK}"
    encoder = ["-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p"]
    given = ["-f", "lavfi", "-i", pattern, "-frames:v", str(frames), *encoder, str(path)]
    subprocess.run(["ffmpeg", "-v", "error", *given], check=True, timeout=_RUN_LIMIT_S)
    return Clip(path, size)


def _installed(program: Program, folder: Path) -> dict[str, str]:
    """The environment in which a host finds its plugin, which is put into `folder`."""
    places = {
        "FREI0R_PATH": str(folder / "frei0r"),
        "GST_PLUGIN_PATH": str(folder / "gstreamer"),
        "GST_REGISTRY": str(folder / "registry.bin"),
        # The Python of GStreamer's loader takes its packages from beside the first of PATH.
        "PATH": os.pathsep.join(["/usr/bin", os.environ.get("PATH", os.defpath)]),
    }
    environment = os.environ | places
    if program.plugin is not None:
        install = [*shlex.split(_TAPETUM), "plugin", "install", program.plugin]
        _checked(subprocess.run(install, env=environment, capture_output=True, check=False))
    return environment


def _run(words: str, environment: dict[str, str]) -> _Run:
    for _ in range(_MOST_TRIES):
        before, begin_s = _busy_s(), time.monotonic()
        done = subprocess.run(
            ["bash", "-o", "pipefail", "-c", words],
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
            timeout=_RUN_LIMIT_S,
        )
        wall_s = time.monotonic() - begin_s
        if done.returncode != _TRY_AGAIN:
            break
    _checked(done)
    return _Run(wall_s, _busy_s() - before)


def _busy_s() -> float:
    """Processor time that all programs of the machine took since it started."""
    times = psutil.cpu_times()
    return float(times.user + times.system + getattr(times, "nice", 0.0))


def _checked(done: subprocess.CompletedProcess[bytes]) -> None:
    if done.returncode:
        said = " ".join(done.stderr.decode(errors="replace").split())
        raise BenchmarkError(f"{shlex.join(map(str, done.args))[:200]} failed: {said[-400:]}")


def _where(program: str) -> str | None:
    """A program of PATH, or of this Python's environment."""
    return shutil.which(program) or shutil.which(program, path=str(Path(sys.executable).parent))


def _ffmpeg(clip: Clip, frames: int, with_tapetum: bool) -> str:
    graph = "-vf frei0r=tapetum " if with_tapetum else ""
    return f"ffmpeg -v error -i {clip.path} -frames:v {frames} {graph}-f null -"


def _mpv(clip: Clip, frames: int, with_tapetum: bool) -> str:
    graph = "--vf='lavfi=[frei0r=tapetum:1]' " if with_tapetum else ""
    return f"mpv --really-quiet --vo=null --untimed --frames={frames} {graph}{clip.path}"


def _melt(clip: Clip, frames: int, with_tapetum: bool) -> str:
    """To a list of checksums: for its consumer "null" melt makes no pictures.

    It may also end, or wait for ever, before the first one, whatever it plays.
    """
    graph = "-attach frei0r.tapetum " if with_tapetum else ""
    made = clip.path.with_suffix(".crc")
    consumer = f"avformat:{made} f=framecrc vcodec=rawvideo an=1"
    play = f"timeout {_MELT_LIMIT_S} melt {clip.path} out={frames - 1} {graph}-consumer {consumer}"
    return f"{play}; [ $(grep -c '^0,' {made}) -eq {frames} ] || exit {_TRY_AGAIN}"


def _gstreamer(clip: Clip, frames: int, with_tapetum: bool) -> str:
    decode = f"filesrc location={clip.path} ! qtdemux ! h264parse ! avdec_h264"
    element = "tapetum ! " if with_tapetum else ""
    return (
        f"gst-launch-1.0 -q {decode} ! identity eos-after={frames + 1} ! {element}"
        "fakesink sync=false"
    )


def _pipe(clip: Clip, frames: int, with_tapetum: bool) -> str:
    enhance = f"{_TAPETUM} enhance - - | " if with_tapetum else ""
    begin = f"ffmpeg -v error -i {clip.path} -frames:v {frames} -f yuv4mpegpipe -"
    return f"{begin} | {enhance}ffmpeg -v error -f yuv4mpegpipe -i - -f null -"


def _vapoursynth(clip: Clip, frames: int, with_tapetum: bool) -> str:
    """A clip without content: it brings no decoder."""
    width, height = clip.size.split("x")
    blank = f"width={width}, height={height}, format=vs.YUV420P8, color=[38, 128, 128], keep=1"
    enhanced = "enhance(clip)" if with_tapetum else "clip"
    script = clip.path.with_suffix(".vpy")
    script.write_text(
        "import vapoursynth as vs\n"
        "from tapetum.realtime.plugins.vapoursynth import enhance\n"
        f"clip = vs.core.std.BlankClip({blank}, length={frames})\n"
        f"{enhanced}.set_output()\n"
    )
    return f"{shlex.quote(_where('vspipe') or 'vspipe')} -p {script} ."


PROGRAMS = {
    "ffmpeg by a pipe": Program(_pipe, ("ffmpeg",)),
    "GStreamer, its element": Program(_gstreamer, ("ffmpeg", "gst-launch-1.0"), "gstreamer"),
    "ffmpeg, frei0r": Program(_ffmpeg, ("ffmpeg",), "frei0r"),
    "mpv, frei0r": Program(_mpv, ("ffmpeg", "mpv"), "frei0r"),
    "melt, frei0r": Program(_melt, ("ffmpeg", "melt"), "frei0r"),
    "VapourSynth": Program(_vapoursynth, ("ffmpeg", "vspipe"), packages=("vapoursynth",)),
}
"""Hosts by the names that documents call them."""
