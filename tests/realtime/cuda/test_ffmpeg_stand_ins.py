"""Files through FFmpeg's own NVDEC and NVENC code, in front of stand-ins for NVIDIA's libraries.

The stand-ins decode and encode uncompressed blocks; CuPy, kernels and engine are those of the
simulated GPU. No NVIDIA library or GPU has a part in this.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from support.command_line import environment
from support.fake_driver import fake_driver
from support.noisy_scenes import NoisyScene, psnr_db
from support.tolerance import EXACT, GPU, Tolerance, assert_planes_close

from tapetum.realtime.cuda.transfer import semi_planar
from tapetum.realtime.enhance_media import enhance_file
from tapetum.realtime.frame import ColorInfo, Frame
from tapetum.realtime.media.encoder import EncoderSettings
from tapetum.realtime.media.file_sink import FileSink
from tapetum.realtime.media.file_source import FileSource
from tapetum.realtime.media.video_info import VideoInfo

pytestmark = pytest.mark.slow

FRAMES = 20
SCENE = 242, 136
TESTS = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def codecs() -> dict[str, str]:
    """The environment of a process that finds all three stand-ins."""
    return fake_driver(codecs=True)


def run(found: dict[str, str], what: str, *, variables: dict[str, str], **given: Any) -> Any:
    """What a process with the stand-ins says; see `support.ffmpeg_runs`."""
    paths = os.pathsep.join([str(TESTS), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        [sys.executable, "-m", "support.ffmpeg_runs", json.dumps({"what": what, **given})],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
        env=environment() | found | {"PYTHONPATH": paths} | variables,
    )
    assert done.returncode == 0, done.stderr
    assert "NVENC was destroyed" not in done.stderr
    return json.loads(done.stdout)


class Kind(NamedTuple):
    """Of uncompressed video: what decodes and encodes it, and what it is by default."""

    encoder: str
    format_name: str
    quality: str


AVC, HEVC, MAIN10 = (
    Kind("h264_nvenc", "nv12", "h264_nvenc cq 23 p4"),
    Kind("hevc_nvenc", "nv12", "h264_nvenc cq 23 p4"),
    Kind("hevc_nvenc", "p010le", "hevc_nvenc cq 25 p4"),
)


def written(found: dict[str, str], folder: Path, kind: Kind, *, scene: bool = False) -> Path:
    """Frames of noise, or of a noisy scene, encoded from surfaces of the device; each came back."""
    path = folder / f"{kind.encoder}-{kind.format_name}-{scene}.mkv"
    if path.exists():
        return path
    given: Any = {"path": str(path), "size": [98, 66], "frames": FRAMES, "scene": 0}
    if scene:
        given |= {"size": SCENE, "frames": 0, "scene": FRAMES}
    how = {"codec": kind.encoder, "format": kind.format_name}
    assert run(found, "write", variables={}, **given, **how)["same"] == [True] * FRAMES
    return path


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("clips")


@pytest.fixture(scope="module")
def dark(codecs: dict[str, str], clips: Path) -> Path:
    """H.264."""
    return written(codecs, clips, AVC)


def enhanced(
    found: dict[str, str], dark: Path, output: Path, *, variables: dict[str, str], **given: Any
) -> Any:
    paths = {"input_path": str(dark), "output_path": str(output)}
    return run(found, "enhance", variables=variables, when_dark=False, **paths, **given)


def assert_same_as_on_cpu(dark: Path, there: Path, tolerance: Any = GPU, **given: Any) -> None:
    here = there.with_name("cpu.mkv")
    enhance_file(dark, here, device="cpu", codec="ffv1", denoise="off", when_dark=False, **given)
    with FileSource(there) as one, FileSource(here) as two:
        for first, second in zip(one, two, strict=True):
            assert first.time_s == second.time_s
            planes = semi_planar(first), semi_planar(second)
            assert planes[0].format_name == planes[1].format_name
            shift = planes[0].format.shift
            assert_planes_close(planes[0].planes, planes[1].planes, tolerance, shift=shift)


@pytest.mark.parametrize("strength", [1.0, 0.0])
@pytest.mark.parametrize("kind", [AVC, HEVC, MAIN10], ids=str)
def test_a_file_goes_from_nvdec_to_nvenc(
    codecs: dict[str, str], clips: Path, tmp_path: Path, kind: Kind, strength: float
) -> None:
    """More frames than NVENC and NVDEC have surfaces, and nothing through main memory."""
    dark, output = written(codecs, clips, kind), tmp_path / "bright.mkv"
    made = enhanced(codecs, dark, output, variables={}, strength=strength)
    assert "decoding on cuda:0: NVDEC" in made["notices"]
    assert "encoding on cuda:0: NVENC" in made["notices"]
    assert made["encoder"] == kind.quality
    assert (made["frames"], made["fetched"], made["uploaded"]) == (FRAMES, 0, 0)
    assert_same_as_on_cpu(dark, output, EXACT if strength == 0 else GPU, strength=strength)


def test_av1_goes_through_both_too(codecs: dict[str, str], dark: Path, tmp_path: Path) -> None:
    """Of which only the stand-in for NVDEC knows the tiles; FFmpeg's own decoder gets to it."""
    bright, back = tmp_path / "bright.mkv", tmp_path / "back.mkv"
    made = enhanced(codecs, dark, bright, variables={}, codec="av1_nvenc")
    assert (made["frames"], made["encoder"]) == (FRAMES, "av1_nvenc cq 32 p4")
    made = enhanced(codecs, bright, back, variables={}, strength=0, codec="h264_nvenc")
    assert "decoding on cuda:0: NVDEC" in made["notices"]
    assert (made["frames"], made["fetched"], made["uploaded"]) == (FRAMES, 0, 0)
    assert_same_as_on_cpu(dark, back)


@pytest.mark.parametrize("kind", [AVC, MAIN10], ids=str)
def test_noise_is_taken_out_between_nvdec_and_nvenc_as_on_the_cpu(
    codecs: dict[str, str], clips: Path, tmp_path: Path, kind: Kind
) -> None:
    dark, output = written(codecs, clips, kind, scene=True), tmp_path / "bright.mkv"
    made = enhanced(codecs, dark, output, variables={}, denoise="auto")
    assert (made["frames"], made["uploaded"]) == (FRAMES, 0)
    given: Any = {"device": "cpu", "codec": "ffv1", "when_dark": False}
    here, noisy, truth = (tmp_path / f"{name}.mkv" for name in ("here", "noisy", "truth"))
    enhance_file(dark, here, denoise="auto", **given)
    enhance_file(dark, noisy, denoise="off", **given)
    enhance_file(written_truth(tmp_path, kind), truth, denoise="off", **given)
    depth = 8 if kind.format_name == "nv12" else 10
    peak, level = float((1 << depth) - 1), 1 << (depth - 8)
    by_gpu, by_cpu, untouched, wanted = (lumas(path) for path in (output, here, noisy, truth))
    for found, expected, true in zip(by_gpu, by_cpu, wanted, strict=True):
        # The CPU measures noise in every frame of a file.
        assert abs(psnr_db(found, true, peak) - psnr_db(expected, true, peak)) < 0.4
        assert np.abs(found.astype(float) - expected).mean() < 0.5 * level
    quality = [psnr_db(pictures[-1], wanted[-1], peak) for pictures in (by_gpu, untouched)]
    assert quality[0] > quality[1] + 4


def written_truth(folder: Path, kind: Kind) -> Path:
    """The same scene without noise."""
    frames = NoisyScene(*SCENE, name=kind.format_name).frames(FRAMES)
    pictures = [planar(replace(truth, color=ColorInfo(1, 1, 1, 1))) for _, truth in frames]
    first = pictures[0]
    info = VideoInfo(*SCENE, first.format_name, first.time_base, color=first.color)
    path = folder / "clean.mkv"
    with FileSink(path, info=info, encoder=EncoderSettings("ffv1")) as sink:
        for picture in pictures:
            sink.write(picture)
    return path


def planar(frame: Frame) -> Frame:
    """NV12 or P010 as yuv420p or yuv420p10le."""
    given: Any = frame.planes
    luma, chroma = (np.asarray(plane) >> frame.format.shift for plane in given)
    planes: Any = (luma, *(np.ascontiguousarray(chroma[:, first::2]) for first in (0, 1)))
    name = "yuv420p" if frame.format_name == "nv12" else "yuv420p10le"
    return replace(frame, planes=planes, format_name=name)


def lumas(path: Path) -> list[Any]:
    """Luma of all frames of a file."""
    with FileSource(path) as source:
        frames: list[Any] = [semi_planar(frame) for frame in source]
    return [np.asarray(frame.planes[0]) >> frame.format.shift for frame in frames]


@pytest.mark.parametrize(
    ("step", "said"),
    [
        ("open", "encoding on the CPU: h264_nvenc refuses 98x66"),
        ("caps", "encoding on the CPU: h264_nvenc refuses 98x66"),
        ("initialize", "encoding on the CPU: h264_nvenc refuses 98x66"),
        ("register", "encoding on the CPU after all: h264_nvenc refuses 98x66"),
        ("map", "encoding on the CPU after all: h264_nvenc refuses 98x66"),
        ("encode", "encoding on the CPU after all: h264_nvenc refuses 98x66"),
        ("encode:3", "encoding on the CPU after all: cannot encode"),
        ("lock", "encoding on the CPU after all: cannot encode"),
    ],
)
def test_wherever_nvenc_refuses_nothing_is_lost(
    codecs: dict[str, str], dark: Path, tmp_path: Path, step: str, said: str
) -> None:
    output = tmp_path / "bright.mkv"
    made = enhanced(codecs, dark, output, variables={"FAKE_NVENC_REFUSES": step}, crf=1)
    assert made["frames"] == FRAMES
    assert made["encoder"] == "libx264 crf 1 veryfast"
    assert len([line for line in made["notices"] if line.startswith(said)]) == 1
    assert_same_as_on_cpu(dark, output, Tolerance(largest=12, mean=1.5))


@pytest.mark.parametrize(
    ("kind", "step"),
    [
        *((AVC, step) for step in ("create", "decode", "map", "decode:9", f"decode:{FRAMES}")),
        *((MAIN10, step) for step in ("decode", "map:9")),
    ],
    ids=str,
)
def test_wherever_nvdec_refuses_the_cpu_decodes_and_nothing_is_damaged(
    codecs: dict[str, str], clips: Path, tmp_path: Path, kind: Kind, step: str
) -> None:
    dark, output = written(codecs, clips, kind), tmp_path / "bright.mkv"
    made = enhanced(codecs, dark, output, variables={"FAKE_NVDEC_REFUSES": step})
    said = "decoding on cuda:0: decoded on the CPU: NVDEC on cuda:0 fails at "
    if ":" in step:
        said = "decoded on the CPU after "
    assert len([line for line in made["notices"] if line.startswith(said)]) == 1
    assert made["intact"]
    assert made["frames"] == FRAMES
    assert_same_as_on_cpu(dark, output)


@pytest.mark.parametrize(("threads", "surfaces"), [(1, 21), (2, 23), (4, 25)])
def test_more_threads_of_the_decoder_only_take_more_surfaces(
    codecs: dict[str, str], dark: Path, tmp_path: Path, threads: int, surfaces: int
) -> None:
    """FFmpeg lets one thread at a time use NVDEC: the same pictures in the same order, later."""
    told, output = tmp_path / "surfaces", tmp_path / "bright.mkv"
    variables = {"FAKE_NVDEC_SURFACES": str(told)}
    made = enhanced(codecs, dark, output, variables=variables, threads=threads)
    assert "decoding on cuda:0: NVDEC" in made["notices"]
    assert (made["frames"], made["uploaded"], made["intact"]) == (FRAMES, 0, True)
    assert_same_as_on_cpu(dark, output)
    assert int(told.read_text()) == surfaces


@pytest.mark.parametrize("step", ["decode:9", "map:9"])
def test_with_more_threads_nothing_is_damaged_either(
    codecs: dict[str, str], dark: Path, tmp_path: Path, step: str
) -> None:
    """A failure is told some packets late; what came before it may be missing."""
    output = tmp_path / "bright.mkv"
    made = enhanced(codecs, dark, output, variables={"FAKE_NVDEC_REFUSES": step}, threads=4)
    assert made["intact"]
    assert made["frames"] == FRAMES
    assert_same_as_on_cpu(dark, output)


@pytest.mark.parametrize(
    ("wait", "given"),
    [
        ("_fetch", {}),
        ("array_work", {"strength": 0, "model": "unet"}),
        ("copy_rows", {"strength": 0}),
    ],
)
def test_without_its_waits_the_file_is_wrong(
    codecs: dict[str, str], dark: Path, tmp_path: Path, wait: str, given: dict[str, Any]
) -> None:
    output = tmp_path / "bright.mkv"
    made = enhanced(codecs, dark, output, variables={}, skipped=[wait], **given)
    if "error" not in made:
        with pytest.raises(AssertionError):
            assert_same_as_on_cpu(dark, output, **given)
