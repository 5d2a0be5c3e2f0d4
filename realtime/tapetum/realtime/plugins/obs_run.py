"""A run of the real OBS Studio: a clip with Tapetum's filter on it, recorded from the first frame.

It has a configuration of its own, and a display that nobody sees where there is Xvfb.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import av
import numpy as np

from tapetum.realtime.errors import PluginError
from tapetum.realtime.other_programs import environment_of_others

FILTER = "tapetum_low_light"
SOURCE_NAME, FILTER_NAME = "Clip", "Tapetum low light"
SIZE = (640, 360)

_LAUNCH = ["--multi", "--minimize-to-tray", "--startrecording", "--disable-missing-files-check"]


def write_dark_clip(place: Path, *, rate: int = 30) -> None:
    """Thirty frames of 360p video, so many a second, of a dark wall with bars that move."""
    width, height = SIZE
    wall = np.tile(np.linspace(4, 30, width), (height, 1))
    with av.open(str(place), "w") as container:
        stream = container.add_stream("ffv1", rate=rate)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        for number in range(30):
            light = wall.astype(np.uint8)
            light[:, number * 20 : number * 20 + 40] += 12
            picture = av.VideoFrame.from_ndarray(np.dstack([light] * 3), format="rgb24")
            container.mux(stream.encode(picture))
        container.mux(stream.encode())


def write_configuration(
    home: Path,
    plugin: Path,
    clip: Path,
    settings: dict[str, Any],
    *,
    websocket_port: int | None = None,
    sources: int = 1,
) -> None:
    """Write what OBS reads when it starts; it never saw this machine before.

    Args:
        home: becomes its configuration folder, in which it records too.
        plugin: Tapetum's, which is linked to.
        clip: what is shown, again and again.
        settings: of the filter.
        websocket_port: on which it takes requests, from this machine without a password.
        sources: how many show the clip, side by side, each with a filter of its own.
    """
    obs = home / "obs-studio"
    profile, scenes = obs / "basic/profiles/Untitled", obs / "basic/scenes"
    sockets = obs / "plugin_config/obs-websocket"
    for folder in (profile, scenes, sockets, obs / "plugins/tapetum/bin/64bit"):
        folder.mkdir(parents=True, exist_ok=True)
    (obs / "plugins/tapetum/bin/64bit/tapetum.so").symlink_to(plugin.absolute())
    listens = "true" if websocket_port else "false"
    general = (
        "[General]\nFirstRun=true\nEnableAutoUpdates=false\n\n"
        f"[OBSWebSocket]\nFirstLoad=false\nServerEnabled={listens}\n"
        f"ServerPort={websocket_port or 4455}\nAlertsEnabled=false\nAuthRequired=false\n"
    )
    for name in ("global.ini", "user.ini"):  # the second is that of OBS 31 and newer
        (obs / name).write_text(general)
    listening = {
        "server_enabled": websocket_port is not None,
        "server_port": websocket_port or 4455,
        "auth_required": False,
        "first_load": False,
    }
    (sockets / "config.json").write_text(json.dumps(listening))
    width, height = SIZE
    (profile / "basic.ini").write_text(
        "[General]\nName=Untitled\n\n[Output]\nMode=Simple\n\n"
        f"[SimpleOutput]\nFilePath={home}\nRecFormat=mkv\nRecFormat2=mkv\nRecQuality=Stream\n"
        "VBitrate=2000\nStreamEncoder=x264\nRecEncoder=x264\n\n"
        f"[Video]\nBaseCX={width}\nBaseCY={height}\nOutputCX={width}\nOutputCY={height}\n"
        "FPSType=0\nFPSCommon=30\n"
    )
    (scenes / "Untitled.json").write_text(json.dumps(_scene(clip, settings, sources)))


def _scene(clip: Path, settings: dict[str, Any], count: int) -> dict[str, Any]:
    columns = math.isqrt(count - 1) + 1
    width, height = SIZE[0] // columns, SIZE[1] // columns
    media = {"local_file": str(clip), "is_local_file": True, "looping": True, "hw_decode": False}
    ends = ["", *(f" {number}" for number in range(2, count + 1))]
    on_it = {"id": FILTER, "settings": settings, "enabled": True}
    shown = [
        {
            "name": SOURCE_NAME + end,
            "id": number + 1,
            "visible": True,
            "align": 5,
            "pos": {"x": number % columns * width, "y": number // columns * height},
            "scale": {"x": 1.0, "y": 1.0},
            "bounds_type": 2,
            "bounds_align": 0,
            "bounds": {"x": width, "y": height},
        }
        for number, end in enumerate(ends)
    ]
    return {
        "name": "Untitled",
        "current_scene": "Scene",
        "current_program_scene": "Scene",
        "scene_order": [{"name": "Scene"}],
        "sources": [
            *(
                {
                    "id": "ffmpeg_source",
                    "name": SOURCE_NAME + end,
                    "settings": media,
                    "filters": [on_it | {"name": FILTER_NAME + end}],
                }
                for end in ends
            ),
            {"id": "scene", "name": "Scene", "settings": {"items": shown, "id_counter": count}},
        ],
    }


@contextmanager
def running_obs(home: Path, **variables: str) -> Iterator[subprocess.Popen[bytes]]:
    """OBS with the configuration in `home`, recording; it is ended at the end.

    Raises:
        PluginError: there is no display for it.
    """
    (home / "runtime").mkdir(mode=0o700, exist_ok=True)
    with contextlib.ExitStack() as ending:
        environment = environment_of_others() | {
            "XDG_CONFIG_HOME": str(home),
            "XDG_RUNTIME_DIR": str(home / "runtime"),
            "QT_QPA_PLATFORM": "xcb",
        }
        if "DISPLAY" not in variables:
            variables["DISPLAY"] = ending.enter_context(_display())
        log = ending.enter_context((home / "obs.log").open("wb"))
        obs = ending.enter_context(
            subprocess.Popen(
                ["obs", *_LAUNCH],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=environment | variables,
            )
        )
        ending.callback(obs.kill)  # it asks nothing; the recording is whole without its end
        yield obs


@contextmanager
def _display() -> Iterator[str]:
    """One that nobody sees, or else the user's own."""
    xvfb = shutil.which("Xvfb")
    if xvfb is None:
        if own := os.environ.get("DISPLAY"):
            yield own
            return
        raise PluginError("OBS needs a display to be checked; apt-get install xvfb makes one")
    words = [xvfb, "-displayfd", "1", "-screen", "0", "1280x800x24"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as x:
        assert x.stdout is not None
        try:
            yield f":{int(x.stdout.readline())}"
        finally:
            x.terminate()


def light_of(video: Path) -> list[float]:
    """Mean luma, from 0 to 255, of each frame, as far as the file can be read by now."""
    light: list[float] = []
    with contextlib.suppress(av.FFmpegError), av.open(str(video)) as container:
        light.extend(
            float(frame.to_ndarray(format="gray").mean()) for frame in container.decode(video=0)
        )
    return light


def recorded_light(home: Path) -> list[float]:
    """`light_of` the recording."""
    recordings = list(home.glob("*.mkv"))
    return light_of(recordings[0]) if recordings else []


def has_no_worker(home: Path) -> bool:
    """Whether OBS has logged that the filter's Python cannot be started."""
    return "frames pass unchanged: cannot start" in (home / "obs.log").read_text(errors="replace")


def wait_for_light(home: Path, least: float, *, limit_s: float) -> list[float]:
    """The recording's light when its last frame is as bright, or when that cannot be any more."""
    end_s = time.monotonic() + limit_s
    while True:
        over = time.monotonic() > end_s or has_no_worker(home)
        light = recorded_light(home)
        if light and (over or light[-1] >= least):
            return light
        if time.monotonic() > end_s:
            return light
        time.sleep(1)
