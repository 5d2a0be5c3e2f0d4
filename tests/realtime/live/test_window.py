"""A real X display: the preview window with real keys, and the screen as a source."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from support.command_line import environment
from support.live_parts import live_process, wait_until
from support.screenshots import screenshot
from support.x_display import x_display
from support.x_keyboard import Keyboard

from tapetum.realtime import LiveSource, LiveStatus
from tapetum.realtime.live.controls import Controls

pytestmark = pytest.mark.slow

PATTERN = "lavfi:color=c=0x101010:s=320x240:r=15"


@pytest.fixture
def display() -> Iterator[str]:
    with x_display() as name:
        yield name


def test_a_screen_is_a_source(display: str) -> None:
    with LiveSource(f"screen:{display}", size=(320, 240), rate=Fraction(10)) as source:
        assert source.description == f"screen:{display} 320x240 bgr0 10 fps"
        frame = next(iter(source))
    assert (frame.width, frame.height) == (320, 240)
    assert frame.planes[0].mean() < 32  # an empty screen is black


def luma_of(path: Path) -> float:
    with av.open(str(path)) as container:
        picture = next(container.decode(video=0))
    return float(picture.to_ndarray(format="gray").mean())


def test_the_keys_of_the_window_do_what_they_say(
    display: str, gain_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    keyboard = Keyboard(display)
    options = ["--model", str(gain_model), "--latency-budget", "5s", "--json", "--verbose"]
    with live_process(
        *("--source", PATTERN, "--sink", "window", *options), DISPLAY=display
    ) as live:
        assert live.stderr is not None
        said = iter(live.stderr.readline, "")
        lines = [next(line for line in said if line.startswith("keys: "))]
        next(line for line in said if line.startswith("mode: grid on"))
        pictures = list[Path]()
        for keys in ("s", "space s", "space w s", "w r " + "minus " * 10 + "s", "plus r s"):
            for key in keys.split():
                keyboard.press(key)
            count = len(pictures) + 1
            wait_until(lambda: len(list(tmp_path.glob("*.png"))) == count)  # noqa: B023
            pictures = sorted(tmp_path.glob("*.png"))
        keyboard.press("m")
        keyboard.press("q")
        lines += [*said]
        assert live.stdout is not None
        summary = json.loads(live.stdout.read())
    levels = [luma_of(picture) for picture in pictures]
    bright, before, wiped, weak, stronger = levels
    assert before < 20 < bright
    assert before < wiped < bright  # half of each
    assert weak == pytest.approx(before, abs=1)
    assert weak < stronger < bright
    (recording,) = tmp_path.glob("*.mkv")
    with av.open(str(recording)) as container:
        assert len(list(container.decode(video=0))) > 3
    assert summary["sinks"]["window"]["frames"] > 0
    assert live.wait(60) == 0
    assert not [line for line in lines if line.startswith(("error", "QFont"))]


def test_closing_the_window_ends_all_as_the_key_does(
    display: str, gain_model: Path, tmp_path: Path
) -> None:
    keyboard = Keyboard(display)
    path = tmp_path / "whole.mkv"
    outputs = ["--sink", "window", "--sink", str(path)]
    with live_process(
        *("--source", PATTERN, "--model", str(gain_model), *outputs, "--verbose"), DISPLAY=display
    ) as live:
        assert live.stderr is not None
        next(line for line in iter(live.stderr.readline, "") if line.startswith("mode: grid on"))
        keyboard.close_window("Tapetum")
        said = live.stderr.read()
    assert live.wait(60) == 0
    assert "go on" not in said
    with av.open(str(path)) as container:
        assert len(list(container.decode(video=0))) > 0


SHOW_A_CAPTION = """
from tapetum.realtime.live.sinks.window_toolkit import window_toolkit

window_toolkit()
from tapetum.realtime import SyntheticSource
from tapetum.realtime.live.controls import Controls
from tapetum.realtime.live.sinks.window_sink import WindowSink

(frame,) = SyntheticSource({width}, {height}, frames=1, brightness=0)
sink = WindowSink(Controls(), lambda: "said of the stream " * 8 + "{end}")
while True:
    sink.write(frame)
    print(flush=True)
"""


@pytest.mark.parametrize("size", [(160, 120), (320, 240), (640, 360)])
def test_a_caption_that_is_longer_than_the_picture_is_wide_can_be_read_to_its_end(
    display: str, size: tuple[int, int]
) -> None:
    shown = []
    for end in ("here", "there", "here"):
        code = SHOW_A_CAPTION.format(width=size[0], height=size[1], end=end)
        command = [sys.executable, "-c", code]
        with subprocess.Popen(
            command, stdout=subprocess.PIPE, env=environment() | {"DISPLAY": display}
        ) as window:
            assert window.stdout is not None
            for _ in range(20):
                assert window.stdout.readline()
            shown.append(screenshot(display, (640, 480)))
            window.kill()
    np.testing.assert_array_equal(shown[0], shown[2])
    assert (shown[0] != shown[1]).any()


def test_the_caption_says_in_words_what_is_shown() -> None:
    controls = Controls()
    assert controls.words == "enhanced, strength 100%"
    for key in "w-r":
        controls.press(key)
    assert controls.words == "before | enhanced, strength 90%, recording"
    controls.press(" ")
    assert controls.words == "before: not enhanced, strength 90%, recording"


@pytest.mark.parametrize(
    ("mode", "note", "held", "line", "caption"),
    [
        ("grid", "", False, "live, 7 ms late, 30 fps", "live, 7 ms late, 30 fps; grid runs"),
        ("grid-4", "busy", False, "live, 7 ms late, 30 fps; busy", "live, 7 ms late, 30 fps; busy"),
        ("grid", "", True, *2 * ("source lost, its last picture is shown",)),
    ],
)
def test_the_state_is_said_in_words(
    mode: str, note: str, held: bool, line: str, caption: str
) -> None:
    status = LiveStatus(29.8, 7.2, 8.0, 3, mode, f"{mode} on CPU", held, note)
    assert (str(status), status.caption) == (line, caption)
    assert status.figures == f"29.8 fps  age 7/8 ms  3 dropped  {mode}"
