"""The frei0r filter in each program that loads it, at a size that is no multiple of 8."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import av
import numpy as np
import pytest
from support.command_line import tapetum

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        None in map(shutil.which, ("cc", "ffmpeg")), reason="needs a C compiler and ffmpeg"
    ),
]

SIZE = (100, 76)
FFV1 = "--really-quiet --no-audio --ovc=ffv1"
COMMANDS = {
    "ffmpeg": "ffmpeg -v error -i {dark} -vf frei0r=tapetum -c:v ffv1 {bright}",
    "ffmpeg, all parameters": (
        "ffmpeg -v error -i {dark} -vf frei0r=tapetum:1|grid|n|auto|n|0.5 -c:v ffv1 {bright}"
    ),
    "mpv": f"mpv {FFV1} --vf=lavfi=[frei0r=tapetum:1] --o={{bright}} {{dark}}",
    "melt": "melt {dark} -attach frei0r.tapetum -consumer avformat:{bright} vcodec=ffv1 an=1",
    "gst-launch-1.0": (
        "gst-launch-1.0 -q filesrc location={dark} ! matroskademux ! avdec_ffv1 ! videoconvert !"
        " frei0r-filter-tapetum ! videoconvert ! avenc_ffv1 ! matroskamux !"
        " filesink location={bright}"
    ),
}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("frei0r")
    installed = tapetum("plugin", "install", "frei0r", FREI0R_PATH=str(folder))
    assert installed.returncode == 0, installed.stderr
    pattern = f"testsrc2=size={SIZE[0]}x{SIZE[1]}:rate=25,lutyuv=y=val/8+14"
    words = ["-f", "lavfi", "-i", pattern, "-frames:v", "6", "-c:v", "ffv1"]
    dark = str(folder / "dark.mkv")
    subprocess.run(["ffmpeg", "-v", "error", *words, "-pix_fmt", "yuv420p", dark], check=True)
    return folder


def pictures(path: Path) -> list[av.VideoFrame]:
    with av.open(str(path)) as video:
        return list(video.decode(video=0))


def light(picture: av.VideoFrame) -> float:
    return float(np.mean(picture.to_ndarray(format="gray")))


@pytest.mark.parametrize("name", COMMANDS)
def test_a_program_brightens_every_frame(place: Path, name: str, tmp_path: Path) -> None:
    program = COMMANDS[name].split()[0]
    if shutil.which(program) is None:
        pytest.skip(f"needs {program}")
    environment = os.environ | {
        "FREI0R_PATH": str(place),
        "GST_REGISTRY": str(tmp_path / "registry.bin"),
        "PATH": os.pathsep.join(["/usr/bin", os.environ["PATH"]]),
    }
    if program.startswith("gst"):
        shown = subprocess.run(
            ["gst-inspect-1.0", "frei0r-filter-tapetum"],
            env=environment,
            capture_output=True,
            check=False,
            timeout=60,
        )
        if shown.returncode:
            pytest.skip("needs GStreamer's frei0r plugin, of gstreamer1.0-plugins-bad")
    bright = tmp_path / "bright.mkv"
    words = COMMANDS[name].format(dark=place / "dark.mkv", bright=bright).split()
    done = subprocess.run(
        words,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    before, after = pictures(place / "dark.mkv"), pictures(bright)
    assert len(after) == len(before) == 6
    for given, made in zip(before, after, strict=True):
        assert (made.width, made.height) == SIZE
        assert light(made) > 1.3 * light(given)
