"""NumPy images, photos, and video that is not 4:2:0, on a simulated GPU: as on the CPU."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from support.media import Clip, make_clip
from support.noisy_scenes import NoisyScene
from support.random_frames import random_frame
from support.simulated_gpu import SimulatedGPU
from support.tolerance import GPU, Tolerance, assert_planes_close

from tapetum.realtime import Enhancer
from tapetum.realtime.batch.file_maker import FileMaker
from tapetum.realtime.batch.tree import Task
from tapetum.realtime.choices import Denoise
from tapetum.realtime.cuda.gpu_limits import NOISE
from tapetum.realtime.enhance_media import enhance_file
from tapetum.realtime.enhancer import make_enhancer
from tapetum.realtime.errors import DeviceError, TapetumError
from tapetum.realtime.live.controls import Controls
from tapetum.realtime.live.enhance_live import enhance_live
from tapetum.realtime.live.outputs import SinkPlace
from tapetum.realtime.live.summary import LiveStatus
from tapetum.realtime.media.file_source import FileSource
from tapetum.realtime.memory_sink import MemorySink

pytestmark = pytest.mark.slow

DEEP = Tolerance(2 * 257, 0.5 * 257)
"""Of 65,535 levels what `GPU` is of 255: a CPU may run the network in half precision."""


def dark_image(*channels: int, width: int = 61, seed: int = 0) -> Any:
    noise = np.random.default_rng(seed).integers(0, 80, (47, width, *channels), dtype=np.uint8)
    ramp = np.linspace(10, 60, width).astype(np.uint8)
    return noise // 2 + (ramp[:, np.newaxis] if channels else ramp)


@pytest.mark.parametrize("model", ["grid", "unet"])
@pytest.mark.parametrize("channels", [(), (3,), (4,)], ids=str)
def test_images_are_those_of_the_cpu(
    gpu: SimulatedGPU, model: str, channels: tuple[int, ...]
) -> None:
    there = Enhancer(model, device="cuda", denoise="off", when_dark=False)
    here = Enhancer(model, device="cpu", denoise="off", when_dark=False)
    for seed in range(2):
        image = dark_image(*channels, seed=seed)
        bright = there(image, order="bgr", time_s=seed / 25)
        assert_planes_close([bright], [here(image, order="bgr", time_s=seed / 25)], GPU)
        assert bright.mean() > image.mean() + 10
        if channels == (4,):
            np.testing.assert_array_equal(bright[..., 3], image[..., 3])
    assert there.description == f"{model} on cuda:0, simulated"
    assert gpu.launches > 0


@pytest.mark.parametrize(
    ("model", "given"),
    [
        ("grid", {"strength": 1.6}),
        ("grid", {"brightness": 0.4}),
        ("unet", {"strength": 1.6}),
        ("unet", {"when_dark": True}),
    ],
    ids=str,
)
def test_they_are_as_bright_as_is_wanted(
    gpu: SimulatedGPU, model: str, given: dict[str, Any]
) -> None:
    del gpu
    there, here = (
        Enhancer(model, device=device, denoise="off", **{"when_dark": False} | given)
        for device in ("cuda", "cpu")
    )
    for seed, level in enumerate((0, 0, 120)):
        image = dark_image(3, seed=seed) + np.uint8(level)
        assert_planes_close([there(image)], [here(image)], GPU)


@pytest.mark.parametrize("wait", ["upload", "wait", "download", "brighten", "_fetched"])
def test_without_any_of_its_waits_an_image_is_wrong(
    gpu: SimulatedGPU, gain_model: Path, wait: str
) -> None:
    enhance, image = Enhancer(gain_model, device="cuda", when_dark=False), noisy_image()
    wanted = enhance(image)
    enhance.reset()
    np.testing.assert_array_equal(enhance(image), wanted)
    assert gpu.waits[wait] > 0
    enhance.reset()
    gpu.pools.clear()  # what lay there was right
    gpu.skipped = {wait}
    with pytest.raises((AssertionError, TapetumError, RuntimeWarning)):
        np.testing.assert_array_equal(enhance(image), wanted)


def test_an_image_that_finds_no_room_is_one_line(
    gpu: SimulatedGPU, gain_model: Path, tmp_path: Path
) -> None:
    """Also where a smaller one does."""
    enhance, image = Enhancer(gain_model, device="cuda"), dark_image(3)
    gpu.faults.memory_bytes = 3 << 20
    enhance(image)
    large = np.tile(image, (20, 20, 1))
    says = r"cuda:0 has not enough memory \(. MB are free, and grid at 1220x940 takes"
    with pytest.raises(DeviceError, match=says):
        enhance(large)
    enhance(image)
    photo = saved(tmp_path / "dark.png", large)
    with pytest.raises(DeviceError, match=says):
        enhance_file(photo, tmp_path / "out.png", model=gain_model, device="cuda")
    assert not (tmp_path / "out.png").exists()


def test_what_restoring_keeps_is_asked_for_before_a_picture_is_made(
    gpu: SimulatedGPU, gain_model: Path
) -> None:
    gpu.faults.memory_bytes = 6 << 20
    frame = random_frame("nv12", 1280, 720)
    without = make_enhancer(gain_model, device="cuda", denoise="off")
    without(frame)
    restoring = make_enhancer(gain_model, device="cuda", denoise="auto")
    with pytest.raises(DeviceError, match=r"grid at 1280x720 takes 13 MB at least"):
        restoring(frame)


def test_an_image_may_be_enhanced_where_it_lies(gpu: SimulatedGPU, gain_model: Path) -> None:
    del gpu
    enhance = Enhancer(gain_model, device="cuda", when_dark=False)
    image = dark_image(4)
    expected = enhance(image)
    enhance.reset()
    assert enhance(image, out=image) is image
    np.testing.assert_array_equal(image, expected)
    turned = dark_image(3).transpose(1, 0, 2)[::-1]
    enhance.reset()
    whole = enhance(np.ascontiguousarray(turned))
    enhance.reset()
    np.testing.assert_array_equal(enhance(turned), whole)


def test_an_enhancer_of_images_says_what_the_gpu_leaves(
    gpu: SimulatedGPU, gain_model: Path
) -> None:
    del gpu
    enhance = Enhancer(gain_model, device="cuda:1")
    runtime, *limits = enhance.notices
    assert runtime.startswith("cuda:1 runs models with PyTorch: ")
    assert limits == [NOISE]
    assert Enhancer("unet", device="cuda").notices[1:] == (NOISE,)
    assert Enhancer(gain_model).notices == ()
    enhance.strength = 0
    image = dark_image(3)
    np.testing.assert_array_equal(enhance(image), image)


def saved(path: Path, image: Any) -> Path:
    Image.fromarray(image).save(path)
    return path


@pytest.mark.parametrize("channels", [(), (3,), (4,)], ids=str)
def test_photos_are_those_of_the_cpu(
    gpu: SimulatedGPU, channels: tuple[int, ...], tmp_path: Path
) -> None:
    photo = saved(tmp_path / "dark.png", dark_image(*channels))
    there, here = tmp_path / "cuda.png", tmp_path / "cpu.png"
    result = enhance_file(photo, there, device="cuda", when_dark=False)
    enhance_file(photo, here, device="cpu", when_dark=False)
    assert result.enhancer == "grid on cuda:0, simulated"
    assert result.notices[1:2] == (NOISE,)
    assert gpu.launches > 0
    with Image.open(there) as by_gpu, Image.open(here) as by_cpu:
        assert by_gpu.mode == by_cpu.mode
        assert_planes_close([np.asarray(by_gpu)], [np.asarray(by_cpu)], GPU)


@pytest.mark.parametrize("denoise", ["auto", 0.7])
@pytest.mark.parametrize("model", ["grid", "unet"])
def test_noise_is_taken_out_of_photos_as_on_the_cpu(
    gpu: SimulatedGPU, model: str, denoise: Denoise, tmp_path: Path
) -> None:
    photo = saved(tmp_path / "dark.png", noisy_image())
    given: Any = {"model": model, "when_dark": False}
    made = {}
    for device, how in (("cuda", denoise), ("cpu", denoise), ("cpu", "off")):
        output = tmp_path / f"{device}-{how}.png"
        enhance_file(photo, output, device=device, denoise=how, **given)
        with Image.open(output) as image:
            made[device, how] = np.asarray(image).astype(float)
    assert gpu.launches > 0
    by_gpu, by_cpu, untouched = made.values()
    taken_out = np.abs(untouched - by_cpu).mean()
    assert taken_out > 0.5
    assert np.abs(by_gpu - by_cpu).mean() < min(0.5, taken_out / 4)


def noisy_image() -> Any:
    seen = next(NoisyScene(242, 136).frames(1)).seen
    return np.repeat(np.asarray(seen.planes[0])[..., np.newaxis], 3, axis=2)


def test_photos_of_16_bits_stay_so(gpu: SimulatedGPU, tmp_path: Path) -> None:
    del gpu
    deep = (dark_image().astype(np.uint16) << 8) + np.arange(61, dtype=np.uint16)
    photo = saved(tmp_path / "dark.png", deep)
    there, here = tmp_path / "cuda.png", tmp_path / "cpu.png"
    enhance_file(photo, there, device="cuda", when_dark=False)
    enhance_file(photo, here, device="cpu", when_dark=False)
    with Image.open(there) as by_gpu, Image.open(here) as by_cpu:
        found, wanted = np.asarray(by_gpu), np.asarray(by_cpu)
        assert found.max() > 255
        assert_planes_close([found], [wanted], DEEP)


def test_a_folder_of_photos_opens_the_gpu_once(
    gpu: SimulatedGPU, gain_model: Path, tmp_path: Path
) -> None:
    maker = FileMaker({"model": gain_model, "device": "cuda"})
    for number in range(3):
        photo = saved(tmp_path / f"dark{number}.png", dark_image(3, seed=number))
        maker.make(Task(photo, tmp_path / f"bright{number}.png"), overwrite=False)
    assert gpu.opened == 1


def test_a_photo_that_is_too_wide_is_one_line(
    gpu: SimulatedGPU, gain_model: Path, tmp_path: Path
) -> None:
    del gpu
    photo = saved(tmp_path / "dark.png", dark_image(3, width=40_000)[:2])
    with pytest.raises(DeviceError, match="40000 columns is too wide for a GPU; use --device cpu"):
        enhance_file(photo, tmp_path / "out.png", model=gain_model, device="cuda")
    assert not (tmp_path / "out.png").exists()


@pytest.mark.parametrize("name", ["yuv422p", "yuv444p10le", "yuvj422p"])
@pytest.mark.parametrize("compare", [None, "side-by-side"])
def test_files_of_more_chroma_keep_it(
    gpu: SimulatedGPU, name: str, compare: Any, tmp_path: Path
) -> None:
    codec = "mjpeg" if name == "yuvj422p" else "ffv1"
    clip = make_clip(tmp_path / "clip.mkv", Clip(frames=4, pixel_format=name, codec=codec))
    there, here = tmp_path / "cuda.mkv", tmp_path / "cpu.mkv"
    given: Any = {"codec": "ffv1", "compare": compare, "when_dark": False}
    result = enhance_file(clip, there, device="cuda", denoise="off", **given)
    enhance_file(clip, here, device="cpu", denoise="off", **given)
    assert any(line.startswith("encoding on the CPU: ") for line in result.notices)
    assert gpu.launches > 0
    with FileSource(there) as by_gpu, FileSource(here) as by_cpu:
        assert by_gpu.info.format_name == by_cpu.info.format_name
        for found, wanted in zip(by_gpu, by_cpu, strict=True):
            assert (found.time_s, found.color) == (wanted.time_s, wanted.color)
            assert_planes_close(found.planes, wanted.planes, GPU)


def test_live_video_of_4_2_2_runs_on_the_gpu(gpu: SimulatedGPU, gain_model: Path) -> None:
    """As many webcams have it."""
    controls, sink = Controls(), MemorySink()

    def look(status: LiveStatus) -> None:
        controls.quit = status.mode == "gain on cuda"

    summary = enhance_live(
        "lavfi:color=c=0x202020:size=96x64:rate=30,format=yuyv422",
        [SinkPlace("memory", sink)],
        model=gain_model,
        device="cuda",
        latency_budget_ms=5000,
        duration_s=60,
        controls=controls,
        on_status=look,
    )
    assert summary.modes["gain on cuda"] > 0
    assert sink.frames[-1].format_name == "yuv422p"
    assert not gpu.lost
