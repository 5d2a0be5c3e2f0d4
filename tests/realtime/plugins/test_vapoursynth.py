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


def dark_clip(name: str) -> Any:
    frames = dark_frames(name)
    layout = vs.YUV420P10 if name.endswith("10le") else vs.YUV420P8
    blank = vs.core.std.BlankClip(
        *(None, 68, 40, layout, len(frames)), fpsnum=RATE.numerator, fpsden=RATE.denominator
    )
    tagged = blank.std.SetFrameProps(
        _Matrix=1, _Range=1, _Primaries=1, _Transfer=1, _ChromaLocation=0
    )

    def draw(n: int, f: Any) -> Any:
        drawn = f.copy()
        for place, plane in zip(drawn, frames[n].planes, strict=True):
            np.asarray(place)[...] = plane
        drawn.props["Number"] = n
        return drawn

    return tagged.std.ModifyFrame(clips=tagged, selector=draw)


def expected(name: str) -> list[bytes]:
    enhancer = Enhancer("grid", denoise="off")
    return [
        b"".join(np.ascontiguousarray(plane).tobytes() for plane in bright.planes)
        for bright in map(enhancer.enhance_frame, dark_frames(name))
    ]


def pixels(frame: Any) -> bytes:
    return b"".join(np.ascontiguousarray(np.asarray(plane)).tobytes() for plane in frame)


@pytest.mark.parametrize("name", ["yuv420p", "yuv420p10le"])
def test_vspipe_gives_the_pictures_of_the_library(tmp_path: Path, name: str) -> None:
    script = tmp_path / "dark.vpy"
    tests = str(Path(__file__).parents[2])
    script.write_text(SCRIPT.format(tests=tests, name=name))
    variables = environment() | {"HOME": str(tmp_path)}
    tool = [sys.executable, "-m", "vapoursynth"]
    subprocess.run([*tool, "config"], env=variables, check=True, capture_output=True, timeout=60)
    vspipe = Path(sys.executable).parent / "vspipe"
    done = subprocess.run(
        [vspipe, "-r", "8", script, "-"],
        env=variables,
        capture_output=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr.decode()
    assert done.stdout == b"".join(expected(name))


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
