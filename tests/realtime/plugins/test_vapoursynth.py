"""VapourSynth: the library's pictures through vspipe, and right ones in any order."""

from __future__ import annotations

import subprocess
import sys
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.command_line import environment

from tapetum.realtime import ColorInfo, Enhancer, Frame, MediaError, SyntheticSource

vs = pytest.importorskip("vapoursynth", reason="needs VapourSynth, which needs Python 3.12")

from tapetum.realtime.plugins.vapoursynth import enhance  # noqa: E402

pytestmark = pytest.mark.slow

RATE = Fraction(25)
LAYOUTS = {
    "yuv420p": "YUV420P8",
    "yuv420p10le": "YUV420P10",
    "yuv422p12le": "YUV422P12",
    "yuv444p": "YUV444P8",
}
FULL_BT709 = ColorInfo(matrix=1, range=2, primaries=1, transfer=1, chroma_location=1)
SCRIPT = """
import sys
sys.path.insert(0, {tests!r})
from realtime.plugins.test_vapoursynth import dark_clip
from tapetum.realtime.plugins.vapoursynth import enhance
enhance(dark_clip({name!r})).set_output()
"""


def dark_frames(name: str, count: int = 120) -> list[Frame]:
    """A dark picture that gets lighter: what is seen before a frame matters."""
    frames = []
    for number in range(count):
        source = SyntheticSource(
            *(68, 40),
            frames=1,
            format_name=name,
            color=FULL_BT709,
            brightness=0.04 + 0.1 * number / count,
        )
        (frame,) = source
        frames.append(Frame(frame.planes, name, number, 1 / RATE, FULL_BT709))
    return frames


def drawn(picture: Any, frame: Frame) -> Any:
    made = picture.copy()
    for place, plane in zip(made, frame.planes, strict=True):
        np.asarray(place)[...] = plane
    return made


def dark_clip(name: str) -> Any:
    frames = dark_frames(name)
    layout = getattr(vs, LAYOUTS[name])
    blank = vs.core.std.BlankClip(
        *(None, 68, 40, layout, len(frames)), fpsnum=RATE.numerator, fpsden=RATE.denominator
    )
    tagged = blank.std.SetFrameProps(
        _Matrix=1, _Range=1, _Primaries=1, _Transfer=1, _ChromaLocation=0
    )

    def draw(n: int, f: Any) -> Any:
        made = drawn(f, frames[n])
        made.props["Number"] = n
        return made

    return tagged.std.ModifyFrame(clips=tagged, selector=draw)


def expected(name: str) -> list[bytes]:
    enhancer = Enhancer("grid", denoise="off")
    return [
        b"".join(np.ascontiguousarray(plane).tobytes() for plane in bright.planes)
        for bright in map(enhancer.enhance_frame, dark_frames(name))
    ]


def pixels(frame: Any) -> bytes:
    return b"".join(np.ascontiguousarray(np.asarray(plane)).tobytes() for plane in frame)


def configure(variables: dict[str, str]) -> None:
    """Tell `vspipe` which Python it belongs to; that says what it lacks, but ends with 0."""
    subprocess.run(
        [sys.executable, "-m", "vapoursynth", "config"],
        env=variables,
        check=True,
        capture_output=True,
        timeout=60,
    )
    written = Path(variables["HOME"]) / ".config" / "vapoursynth" / "vapoursynth.toml"
    assert written.is_file(), (
        "vspipe lacks a shared libpython (Debian: apt-get install libpython3.13)"
    )


def vspipe(folder: Path, script: str, *words: str) -> subprocess.CompletedProcess[bytes]:
    """What `vspipe` gives of a script, in a home of its own."""
    path = folder / "dark.vpy"
    path.write_text(script)
    variables = environment() | {"HOME": str(folder)}
    configure(variables)
    return subprocess.run(
        [Path(sys.executable).parent / "vspipe", *words, path, "-"],
        env=variables,
        capture_output=True,
        check=False,
        timeout=120,
    )


@pytest.mark.parametrize("name", LAYOUTS)
def test_vspipe_gives_the_pictures_of_the_library(tmp_path: Path, name: str) -> None:
    tests = str(Path(__file__).parents[2])
    done = vspipe(tmp_path, SCRIPT.format(tests=tests, name=name), "-r", "8")
    assert done.returncode == 0, done.stderr.decode()
    assert done.stdout == b"".join(expected(name))


def test_vspipe_says_in_one_line_that_a_model_vanished(tmp_path: Path) -> None:
    script = (
        "import vapoursynth as vs\n"
        "from tapetum.realtime.plugins.vapoursynth import enhance\n"
        "clip = vs.core.std.BlankClip(format=vs.YUV420P8)\n"
        "enhance(clip, model='/gone.onnx').set_output()\n"
    )
    done = vspipe(tmp_path, script)
    assert done.returncode == 1
    assert b"Python exception: model file /gone.onnx does not exist\n" in done.stderr


def test_frames_are_right_in_any_order_and_keep_their_properties() -> None:
    right = expected("yuv420p")
    bright = enhance(dark_clip("yuv420p"))
    for number in (0, 3, 1, 2, 7, 4, 5, 6):  # as threads ask for them: bit for bit
        assert pixels(bright.get_frame(number)) == right[number], number
    assert bright.get_frame(3).props["Number"] == 3
    assert bright.get_frame(3).props["_Range"] == 1
    for number in (110, 30, 90, 12):  # seeks: 0.1 % of what was before is left out
        frame = bright.get_frame(number)
        assert frame.props["Number"] == number
        made = np.frombuffer(pixels(frame), np.uint8).astype(int)
        wanted = np.frombuffer(right[number], np.uint8).astype(int)
        assert abs(made - wanted).max() <= 1, number
    assert abs(right[12][0] - right[110][0]) > 1


@pytest.mark.parametrize("threads", [1, 8])
def test_frames_are_right_whatever_the_number_of_threads(threads: int) -> None:
    """Who asks for the frames before another one waits for them in a thread of VapourSynth's."""
    before = vs.core.num_threads
    vs.core.num_threads = threads
    try:
        right = expected("yuv420p")
        bright = enhance(dark_clip("yuv420p"))
        asked = [bright.get_frame_async(number) for number in (3, 2, 0, 1, 6, 5, 4, 7)]
        made = [pixels(frame.result(timeout=60)) for frame in asked]
    finally:
        vs.core.num_threads = before
    assert made == [right[number] for number in (3, 2, 0, 1, 6, 5, 4, 7)]


@pytest.mark.parametrize("range_code", [1, 2])
def test_the_range_that_properties_say_is_minded(range_code: int) -> None:
    """`_Range` is 0 for limited, and 1 for full."""
    (frame,) = SyntheticSource(68, 40, frames=1, format_name="yuv420p", brightness=0.05)
    color = ColorInfo(matrix=1, range=range_code)
    right = Enhancer("grid", denoise="off").enhance_frame(
        Frame(frame.planes, "yuv420p", 0, 1 / RATE, color)
    )
    clip = dark_clip("yuv420p").std.RemoveFrameProps(
        ["_Range", "_ColorRange", "_Primaries", "_Transfer", "_ChromaLocation"]
    )
    still = clip.std.ModifyFrame(clips=clip, selector=lambda n, f: drawn(f, frame))  # noqa: ARG005
    bright = enhance(still.std.SetFrameProps(_Matrix=1, _Range=range_code - 1))
    assert pixels(bright.get_frame(0)) == b"".join(
        np.ascontiguousarray(plane).tobytes() for plane in right.planes
    )


def test_what_cannot_be_enhanced_is_one_line() -> None:
    with pytest.raises(MediaError, match=r"RGB24 cannot be enhanced; clip\.resize"):
        enhance(vs.core.std.BlankClip(format=vs.RGB24))
    with pytest.raises(MediaError, match="YUV420P16 cannot be enhanced"):
        enhance(vs.core.std.BlankClip(format=vs.YUV420P16))
    varying = vs.core.std.BlankClip(varformat=1, format=vs.YUV420P8)
    with pytest.raises(MediaError, match="whose format or size varies"):
        enhance(varying)
    with pytest.raises(ValueError, match="strength is from 0 to 2"):
        enhance(vs.core.std.BlankClip(format=vs.YUV420P8), 3)
