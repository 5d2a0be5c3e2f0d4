"""The filter in the real OBS Studio, which records under a display that nobody sees."""

from __future__ import annotations

import base64
import contextlib
import io
import os
import re
import shutil
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import cast

import av
import numpy as np
import numpy.typing as npt
import pytest
from support.command_line import tapetum
from support.obs_requests import ask_obs, free_port
from support.x_display import x_display

from tapetum.realtime.plugins.obs_run import (
    FILTER_NAME,
    SOURCE_NAME,
    light_of,
    recorded_light,
    running_obs,
    wait_for_light,
    write_configuration,
    write_dark_clip,
)

needs_compiler = pytest.mark.skipif(shutil.which("cc") is None, reason="needs a C compiler")
needs_obs = pytest.mark.skipif(shutil.which("obs") is None, reason="needs OBS Studio")


@pytest.fixture(scope="module")
def plugin(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("user")
    installed = tapetum("plugin", "install", "obs", XDG_CONFIG_HOME=str(folder))
    assert installed.returncode == 0, installed.stderr
    return folder / "obs-studio/plugins/tapetum/bin/64bit/tapetum.so"


def wait_until(truth: Callable[[], bool], what: str, *, limit_s: float = 40) -> None:
    end_s = time.monotonic() + limit_s
    while not truth():
        assert time.monotonic() < end_s, f"{what}, not in {limit_s:g} s"
        time.sleep(0.5)


def workers(pid: int) -> list[int]:
    """Processes of the filter among a program's children."""
    found: list[int] = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        with contextlib.suppress(FileNotFoundError):
            found += [int(child) for child in (task / "children").read_text().split()]
    return [
        child for child in found if b"plugins.worker" in Path(f"/proc/{child}/cmdline").read_bytes()
    ]


def processor_ticks(pid: int) -> int:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


def halves_of_the_last_frame(home: Path) -> tuple[float, float]:
    """Mean luma of its left and of its right half."""
    (recording,) = home.glob("*.mkv")
    halves = (0.0, 0.0)
    with contextlib.suppress(av.FFmpegError), av.open(str(recording)) as container:
        for frame in container.decode(video=0):
            left, right = np.split(frame.to_ndarray(format="gray"), 2, axis=1)
            halves = float(left.mean()), float(right.mean())
    return halves


@pytest.mark.slow
@needs_compiler
@needs_obs
def test_obs_records_a_bright_picture_through_changes_and_kills(
    plugin: Path, tmp_path: Path
) -> None:
    clip, port = tmp_path / "dark.nut", free_port()
    write_dark_clip(clip)
    dark = light_of(clip)[0]
    write_configuration(tmp_path, plugin, clip, {"model": "grid"}, websocket_port=port)

    def light() -> float:
        return recorded_light(tmp_path)[-1]

    def set_filter(**settings: object) -> None:
        ask_obs(
            port,
            "SetSourceFilterSettings",
            sourceName=SOURCE_NAME,
            filterName=FILTER_NAME,
            filterSettings=settings,
        )

    with x_display("1280x800") as display, running_obs(tmp_path, DISPLAY=display) as obs:
        first = wait_for_light(tmp_path, 1.5 * dark, limit_s=60)
        assert first[0] < 1.2 * dark  # nothing waits for the worker's start
        assert first[-1] > 1.5 * dark

        set_filter(before=True)
        wait_until(lambda: light() < 0.8 * first[-1], "the left half is as it was")
        left, right = halves_of_the_last_frame(tmp_path)
        assert left < 1.2 * dark
        assert right > 2 * left
        set_filter(before=False, strength=0)
        wait_until(lambda: light() < 1.2 * dark, "no strength leaves it dark")
        set_filter(strength=1, denoise="auto", when_dark=False)
        wait_until(lambda: light() > 1.5 * dark, "bright again")

        (worker,) = workers(obs.pid)
        seen = len(recorded_light(tmp_path))
        os.kill(worker, signal.SIGKILL)
        wait_until(lambda: min(recorded_light(tmp_path)[seen:], default=255) < 1.2 * dark, "dark")
        wait_until(lambda: light() > 1.5 * dark, "bright after the worker's death")
        assert workers(obs.pid) != [worker]

        (worker,) = workers(obs.pid)
        ask_obs(
            port, "SetSceneItemEnabled", sceneName="Scene", sceneItemId=1, sceneItemEnabled=False
        )
        wait_until(lambda: light() < 0.5 * dark, "hidden")
        before = processor_ticks(worker)
        time.sleep(1)
        assert processor_ticks(worker) - before <= 1
        assert obs.poll() is None
    log = (tmp_path / "obs.log").read_text(errors="replace")
    assert "frames pass unchanged: the worker ended" in log
    assert "tapetum: works, 640 x 360 pixels" in log
    wait_until(lambda: not Path(f"/proc/{worker}/exe").exists(), "OBS killed, its worker gone")


def write_orange_clip(place: Path, pixel_format: str, size: tuple[int, int]) -> None:
    """Half a second of dark orange, as a camera of that format gives it."""
    width, height = size
    with av.open(str(place), "w") as container:
        codec = "mjpeg" if pixel_format.startswith("yuvj") else "rawvideo"
        stream = cast("av.VideoStream", container.add_stream(codec, rate=30))
        stream.width, stream.height, stream.pix_fmt = width, height, pixel_format
        picture = np.full((height, width, 3), (44, 24, 10), np.uint8)
        picture[:, ::16] //= 2
        for _ in range(15):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())


def shown_color(port: int) -> list[float]:
    """Mean red, green and blue of the scene as it is."""
    size = {"imageWidth": 64, "imageHeight": 36}
    said = ask_obs(port, "GetSourceScreenshot", sourceName="Scene", imageFormat="png", **size)
    png = base64.b64decode(said["imageData"].partition(",")[2])
    with av.open(io.BytesIO(png), "r") as container:
        picture = next(container.decode(video=0)).to_ndarray(format="rgb24")
    return [float(mean) for mean in picture.mean(axis=(0, 1))]


def most_light_of_tiles(home: Path, rows: int, columns: int) -> npt.NDArray[np.float64]:
    """Of so many squares of the picture, each one's mean luma in the frame where it has most."""
    most = np.zeros((rows, columns))
    for recording in home.glob("*.mkv"):  # there may be none yet
        with contextlib.suppress(av.FFmpegError), av.open(str(recording)) as container:
            for frame in container.decode(video=0):
                light = frame.to_ndarray(format="gray")
                tiles = light.reshape(rows, light.shape[0] // rows, columns, -1)
                np.maximum(most, tiles.mean(axis=(1, 3)), out=most)
    return most


@pytest.mark.slow
@needs_compiler
@needs_obs
def test_twenty_filters_have_one_worker_and_leave_nothing(plugin: Path, tmp_path: Path) -> None:
    """Few frames a second, so that a slow machine keeps up with twenty."""
    clip = tmp_path / "dark.nut"
    write_dark_clip(clip, rate=5)
    write_configuration(tmp_path, plugin, clip, {}, sources=20)
    works = re.compile(r"\[(Tapetum low light[ \d]*)\] tapetum: works")

    def all_work() -> bool:
        log = (tmp_path / "obs.log").read_text(errors="replace")
        return len(set(works.findall(log))) == 20

    with x_display("1280x800") as display, running_obs(tmp_path, DISPLAY=display) as obs:
        wait_until(all_work, "all twenty work", limit_s=200)
        (worker,) = workers(obs.pid)
        dark = light_of(clip)[0]
        wait_until(
            lambda: bool((most_light_of_tiles(tmp_path, 5, 5)[:4] > 1.5 * dark).all()),
            "all twenty have been bright",
            limit_s=60,
        )
        assert obs.poll() is None
    wait_until(lambda: not Path(f"/proc/{worker}/exe").exists(), "OBS killed, its worker gone")


@pytest.mark.slow
@needs_compiler
@needs_obs
def test_cameras_formats_and_sizes_change_while_obs_records(plugin: Path, tmp_path: Path) -> None:
    given = [
        ("yuv420p", (640, 360)),
        ("yuyv422", (640, 360)),
        ("nv12", (320, 180)),
        ("yuvj422p", (640, 360)),
        ("yuvj420p", (318, 179)),
        ("uyvy422", (640, 360)),
    ]
    clips = [tmp_path / f"{name}.nut" for name, _ in given]
    for clip, (name, size) in zip(clips, given, strict=True):
        write_orange_clip(clip, name, size)
    port = free_port()
    write_configuration(tmp_path, plugin, clips[0], {}, websocket_port=port)
    colors = []
    with x_display("1280x800") as display, running_obs(tmp_path, DISPLAY=display):
        for clip, (_, (width, height)) in zip(clips, given, strict=True):
            ask_obs(
                port,
                "SetInputSettings",
                inputName=SOURCE_NAME,
                inputSettings={"local_file": str(clip)},
            )
            expected = f"tapetum: works, {width} x {height} pixels"

            seen: list[list[float]] = []

            def is_bright(expected: str = expected, seen: list[list[float]] = seen) -> bool:
                log = (tmp_path / "obs.log").read_text(errors="replace")
                lines = [line for line in log.splitlines() if "tapetum: " in line]
                seen.append(shown_color(port))
                return bool(lines) and expected in lines[-1] and seen[-1][0] > 66

            wait_until(is_bright, f"{clip.stem} bright", limit_s=60)
            colors.append(seen[-1])
    for color in colors:
        assert color[0] > color[1] > color[2]
        np.testing.assert_allclose(color, colors[0], atol=12)


@pytest.mark.slow
@needs_compiler
@needs_obs
def test_obs_without_the_python_records_the_dark_picture_and_check_says_why(
    plugin: Path, tmp_path: Path
) -> None:
    home = str(plugin.parents[5])
    gone = tapetum(
        "plugin", "check", "obs", XDG_CONFIG_HOME=home, TAPETUM_PYTHON=str(tmp_path / "gone")
    )
    assert gone.returncode == 1
    assert f"cannot start {tmp_path / 'gone'}" in gone.stderr
