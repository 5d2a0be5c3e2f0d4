"""The GStreamer element, in the real GStreamer: the library's pictures, or an element's error."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt
import pytest
from support.command_line import ROOT, tapetum

from tapetum.realtime import ColorInfo, Enhancer, Frame, SyntheticSource
from tapetum.realtime.errors import PluginError
from tapetum.realtime.plugins.gstreamer import GStreamer

_MISSING = GStreamer().missing()
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(_MISSING is not None, reason=_MISSING or ""),
]

UNTAGGED = ColorInfo()
LAYOUTS = {"NV12": "nv12", "P010_10LE": "p010le", "Y42B": "yuv422p", "I420_10LE": "yuv420p10le"}
FULL_BT709 = ColorInfo(matrix=1, range=2, primaries=1, transfer=1)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Where the element is installed, as variables of the environment."""
    folder = tmp_path_factory.mktemp("gstreamer")
    variables = {
        "GST_PLUGIN_PATH": str(folder),
        "GST_REGISTRY": str(folder / "registry.bin"),
        "PATH": os.pathsep.join(["/usr/bin", os.environ["PATH"]]),
    }
    installed = tapetum("plugin", "install", "gstreamer", **variables)
    assert installed.returncode == 0, installed.stderr
    assert "gstreamer: installed" in tapetum("plugin", "list", **variables).stdout
    return variables


def run(words: list[str], variables: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        words, env=os.environ | variables, capture_output=True, text=True, check=False, timeout=120
    )


def launch(pipeline: str, variables: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Run a pipeline; what GStreamer calls critical ends it."""
    strict = variables | {"G_DEBUG": "fatal-criticals"}
    return run(["gst-launch-1.0", "-q", *pipeline.split()], strict)


def frames_of(
    size: tuple[int, int], layout: str, color: ColorInfo = UNTAGGED, count: int = 4
) -> list[Frame]:
    made = SyntheticSource(*size, frames=count, format_name=layout, color=color, rate=Fraction(25))
    return list(made)


def packed(frame: Frame) -> bytes:
    return b"".join(np.ascontiguousarray(plane).tobytes() for plane in frame.planes)


def raw(path: Path, frames: list[Frame], name: str) -> str:
    """A pipeline's beginning that reads frames from a file."""
    path.write_bytes(b"".join(map(packed, frames)))
    size = f"width={frames[0].width} height={frames[0].height}"
    return (
        f"filesrc location={path} ! rawvideoparse format={name.lower().replace('_', '-')} {size}"
        " framerate=25/1"
    )


def test_pictures_are_those_of_the_library(place: dict[str, str], tmp_path: Path) -> None:
    """Every layout; one goes through FFV1, one says what its colours mean."""
    branches, expected = [], {}
    for name, layout in LAYOUTS.items():
        color = FULL_BT709 if name == "NV12" else UNTAGGED
        frames = frames_of((64, 48), layout, color)
        tags = " colorimetry=1:3:5:1" if color is FULL_BT709 else ""
        begin = raw(tmp_path / f"{name}.given", frames, name) + tags
        branches.append(f"{begin} ! tapetum ! filesink location={tmp_path / name}")
        enhancer = Enhancer("grid", denoise="off")
        expected[name] = b"".join(packed(enhancer.enhance_frame(frame)) for frame in frames)
    done = launch(" ".join(branches), place)
    assert done.returncode == 0, done.stderr
    for name, right in expected.items():
        assert (tmp_path / name).read_bytes() == right, name


def test_odd_sizes_go_through_ffv1_and_a_tee_keeps_its_pictures(
    place: dict[str, str], tmp_path: Path
) -> None:
    dark, bright = tmp_path / "dark.mkv", tmp_path / "bright.mkv"
    source = "videotestsrc num-buffers=4 horizontal-speed=2 ! videobalance brightness=-0.3"
    caps = "video/x-raw,format=I420,width=33,height=17,framerate=25/1"
    record = "avenc_ffv1 ! matroskamux ! filesink location="
    done = launch(
        f"{source} ! {caps} ! tee name=t t. ! queue ! {record}{dark}"
        f" t. ! queue ! tapetum when-dark=false strength=0.7 ! {record}{bright}",
        place,
    )
    assert done.returncode == 0, done.stderr
    enhancer = Enhancer("grid", 0.7, when_dark=False, denoise="off")
    brighter = 0
    with av.open(str(dark)) as before, av.open(str(bright)) as after:
        for given, made in zip(before.decode(video=0), after.decode(video=0), strict=True):
            planes = tuple(np.array(plane, np.uint8) for plane in planes_of(given))
            frame = Frame(planes, "yuv420p", given.pts, Fraction(1, 1000))
            right = enhancer.enhance_frame(frame).planes
            for plane, wanted in zip(planes_of(made), right, strict=True):
                np.testing.assert_array_equal(plane, wanted)
            brighter += int(right[0].mean() > planes[0].mean())
    assert brighter == 4


def planes_of(frame: av.VideoFrame) -> list[npt.NDArray[np.uint8]]:
    return [
        np.frombuffer(bytes(plane), np.uint8).reshape(-1, plane.line_size)[:, : plane.width]
        for plane in frame.planes
    ]


def test_properties_change_while_it_runs_and_latency_is_told(place: dict[str, str]) -> None:
    program = ROOT / "tests" / "support" / "gstreamer_program.py"
    done = run(["/usr/bin/python3", str(program)], place)
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert said["bright"] > 1.3 * said["as_it_was"]
    assert said["bright_again"] > 1.3 * said["as_it_was"]
    without_ms, with_ms = said["latency_ms"]
    assert with_ms > without_ms
    assert said["error"] == "Tapetum: model file /gone.onnx does not exist"


SHORT = "videotestsrc num-buffers=1 ! video/x-raw,width=8,height=8"


@pytest.mark.parametrize(
    ("settings", "words"),
    [("model=nope", "unknown model nope"), ("denoise=much", "denoise is auto, off")],
)
def test_a_bad_setting_is_an_error_of_the_element(
    place: dict[str, str], settings: str, words: str
) -> None:
    done = launch(f"{SHORT} ! tapetum {settings} ! fakesink", place)
    assert done.returncode != 0
    (line,) = (line for line in done.stderr.splitlines() if line.startswith("ERROR: from"))
    assert words in line
    assert "Traceback" not in done.stderr


def test_a_format_that_is_not_taken_is_an_error_of_the_host(place: dict[str, str]) -> None:
    done = launch(f"{SHORT},format=RGB ! tapetum ! fakesink", place)
    assert done.returncode != 0
    assert "can't handle caps video/x-raw" in done.stderr


@pytest.mark.parametrize(
    ("written", "words"),
    [
        ("INSTALLED_FROM = '/gone'", "there is no /gone any more"),
        ("INSTALLED_FROM = '/usr/lib'", "Tapetum is not in /usr/lib: No module named"),
        ("INSTALLED_FOR = 'cpython-39'", "Tapetum was installed for cpython-39"),
    ],
)
def test_a_tapetum_that_moved_is_one_line_that_says_what_to_do(
    place: dict[str, str], written: str, words: str
) -> None:
    element = Path(place["GST_PLUGIN_PATH"], "python", "tapetum_element.py")
    whole = element.read_text()
    name = written.partition(" = ")[0]
    lines = [written if at.startswith(f"{name} = ") else at for at in whole.splitlines()]
    element.write_text("\n".join(lines))
    try:
        done = launch(f"{SHORT} ! tapetum ! fakesink", place)
    finally:
        element.write_text(whole)
    assert done.returncode != 0
    (line,) = (line for line in done.stderr.splitlines() if line.startswith("ERROR: from"))
    assert words in line
    assert "`tapetum plugin install gstreamer` again" in line
    assert "Traceback" not in done.stderr


def test_check_forgets_an_old_failure_and_says_that_a_shell_hides_the_element(
    place: dict[str, str],
) -> None:
    """The trap of the registry, and that of an environment that is active."""
    element = Path(place["GST_PLUGIN_PATH"], "python", "tapetum_element.py")
    whole = element.read_text()
    Path(place["GST_REGISTRY"]).unlink()
    element.write_text("import no_such_module\n")
    assert run(["gst-inspect-1.0", "tapetum"], place).returncode != 0
    element.write_text(whole)  # the folder's time stays, and with it the failure
    checked = tapetum("plugin", "check", "gstreamer", **place)
    assert "made a dark picture bright" in checked.stdout, checked.stderr

    active = os.pathsep.join([str(Path(sys.executable).parent), place["PATH"]])
    hidden = tapetum("plugin", "check", "gstreamer", **place | {"PATH": active})
    assert hidden.returncode == 1
    (line,) = hidden.stderr.splitlines()
    assert "not in this shell" in line
    assert "deactivate" in line


def test_a_loader_of_another_python_is_one_line(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """It cannot run this environment's packages."""
    loader = tmp_path / "libgstpython.so"
    loader.write_bytes(b"ELF\0libpython3.7m.so.1.0\0")
    monkeypatch.setattr("tapetum.realtime.plugins.gstreamer._loader", lambda: loader)
    with pytest.raises(PluginError, match=r"elements run Python 3\.7, and this is Python 3\.1"):
        GStreamer().install()


def test_it_is_removed(place: dict[str, str]) -> None:
    assert tapetum("plugin", "uninstall", "gstreamer", **place).returncode == 0
    assert list(Path(place["GST_PLUGIN_PATH"], "python").glob("*.py")) == []
    assert run(["gst-inspect-1.0", "tapetum"], place).returncode != 0
    checked = tapetum("plugin", "check", "gstreamer", **place)
    assert checked.returncode == 1
    assert "tapetum plugin install gstreamer makes it" in checked.stderr
    assert tapetum("plugin", "install", "gstreamer", **place).returncode == 0
