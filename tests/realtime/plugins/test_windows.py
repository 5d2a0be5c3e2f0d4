"""What people see in the windows of programs; the pictures of docs/plugins.md come from here.

TAPETUM_PICTURES=docs scripts/test tests/realtime/plugins/test_windows.py
"""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from pathlib import Path

import numpy as np
import pytest
from support.command_line import tapetum
from support.obs_requests import ask_obs, free_port
from support.screenshots import Picture, keep, screenshot, without_margins
from support.x_display import x_display

from tapetum.realtime.plugins.gstreamer import GStreamer
from tapetum.realtime.plugins.obs_run import (
    SOURCE_NAME,
    light_of,
    running_obs,
    wait_for_light,
    write_configuration,
)

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        None in map(shutil.which, ("cc", "ffmpeg")), reason="needs a C compiler and ffmpeg"
    ),
]

SIZE = (640, 360)
HALF = "frei0r=tapetum:1|grid|n|off|y|0.5"
COMMANDS = {
    "ffplay": f"ffplay -v error -an -left 0 -top 0 -vf {HALF} {{clip}}",
    "mpv": f"mpv --really-quiet --no-audio --vo=x11 --no-osc --vf=lavfi=[{HALF}] {{clip}}",
    "gst-launch-1.0": (
        "gst-launch-1.0 -q filesrc location={clip} ! matroskademux ! avdec_h264 ! videoconvert"
        " ! tapetum ! videoconvert ! ximagesink"
    ),
}


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory, sample_clip: Path) -> Path:
    """The sample, again and again for two minutes."""
    made = tmp_path_factory.mktemp("clip") / "dark.mkv"
    words = ["-stream_loop", "15", "-i", str(sample_clip), "-an", "-c", "copy", str(made)]
    subprocess.run(["ffmpeg", "-v", "error", *words], check=True)
    return made


@pytest.mark.parametrize("program", COMMANDS)
def test_a_window_shows_the_bright_picture(program: str, clip: Path, tmp_path: Path) -> None:
    """In FFmpeg's and mpv's the left half is as it was; GStreamer's is bright all over."""
    if shutil.which(program) is None:
        pytest.skip(f"needs {program}")
    host = "gstreamer" if program.startswith("gst") else "frei0r"
    if host == "gstreamer" and (missing := GStreamer().missing()):
        pytest.skip(missing)
    place = {
        "FREI0R_PATH": str(tmp_path),
        "GST_PLUGIN_PATH": str(tmp_path),
        "GST_REGISTRY": str(tmp_path / "registry.bin"),
        "PATH": os.pathsep.join(["/usr/bin", os.environ["PATH"]]),
    }
    installed = tapetum("plugin", "install", host, **place)
    assert installed.returncode == 0, installed.stderr
    words = COMMANDS[program].format(clip=clip).split()
    with x_display(f"{SIZE[0]}x{SIZE[1]}") as display:
        shows = os.environ | place | {"DISPLAY": display, "SDL_VIDEODRIVER": "x11"}
        with subprocess.Popen(words, env=shows, stdin=subprocess.DEVNULL) as player:
            try:
                picture = bright_picture(display, player)
            finally:
                player.kill()
    left, right = np.split(picture, 2, axis=1)
    if host == "frei0r":
        assert right.mean() > 1.5 * left.mean()
    keep(picture, f"{program.removesuffix('-1.0')}.jpg")


def bright_picture(display: str, player: subprocess.Popen[bytes], limit_s: float = 200) -> Picture:
    """What the display shows when its right half has become bright."""
    end_s = time.monotonic() + limit_s
    while time.monotonic() < end_s and player.poll() is None:
        picture = screenshot(display, SIZE)
        if picture[:, SIZE[0] // 2 :].mean() > 55:
            return picture
        time.sleep(0.5)
    pytest.fail(f"no bright picture in {limit_s:g} s; the player's exit status: {player.poll()}")


@pytest.mark.skipif(shutil.which("obs") is None, reason="needs OBS Studio")
def test_obs_shows_the_filter_s_window(sample_clip: Path, tmp_path: Path) -> None:
    """Its properties, and the picture, whose left half is as it was."""
    installed = tapetum("plugin", "install", "obs", XDG_CONFIG_HOME=str(tmp_path / "user"))
    assert installed.returncode == 0, installed.stderr
    plugin = tmp_path / "user/obs-studio/plugins/tapetum/bin/64bit/tapetum.so"
    port, home = free_port(), tmp_path / "home"
    write_configuration(home, plugin, sample_clip, {"before": True}, websocket_port=port)
    dark = light_of(sample_clip)[0]
    size = (1280, 800)
    with x_display(f"{size[0]}x{size[1]}") as display, running_obs(home, DISPLAY=display):
        assert wait_for_light(home, 1.8 * dark, limit_s=90)[-1] > 1.8 * dark
        ask_obs(port, "OpenInputFiltersDialog", inputName=SOURCE_NAME)
        end_s = time.monotonic() + 60
        while (window := screenshot(display, size)).mean() < 5:
            assert time.monotonic() < end_s, "no window"
            time.sleep(0.5)
        time.sleep(2)  # it draws its picture after itself
        window = without_margins(screenshot(display, size))
    keep(window, "obs.jpg")
    light = window[20:300].mean(axis=(0, 2))
    assert np.diff(light).max() > 20  # in the middle of the picture, between before and after
