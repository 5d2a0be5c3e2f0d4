"""The restoring stage of the GPU path as a whole, against that of the CPU."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from support.cuda_parts import cuda_grid, grid_engine, planes_of
from support.grids import brightening
from support.kernel_devices import on_device
from support.noisy_scenes import NoisyScene, psnr_db
from support.tolerance import EXACT, Tolerance, assert_planes_close

from tapetum.realtime.cpu.grid_enhancer import GridEnhancer
from tapetum.realtime.cpu.grid_kernels import apply_grid
from tapetum.realtime.cpu.restoring import Restorer
from tapetum.realtime.cuda.compute_device import ComputeDevice
from tapetum.realtime.cuda.device_restorer import DeviceRestorer, RestoringBuffers
from tapetum.realtime.cuda.transfer import semi_planar
from tapetum.realtime.frame import Frame

pytestmark = pytest.mark.slow

NEAR = Tolerance(2, 0.45)
"""Half-way values of chroma are rounded otherwise, as without the stage; luma is nearer."""

DEEP = Tolerance(4, 0.45)
"""Of ten bits, a level of eight: how a CPU sums moves a few samples, by its width of vectors."""


def restored_on_device(
    device: ComputeDevice, restorer: DeviceRestorer, frame: Frame, grid: Any
) -> list[Any]:
    """A frame restored and brightened."""
    there = on_device(device, frame)
    step = restorer.step(there)
    assert step is not None
    planes: Any = tuple(device.put(np.zeros_like(plane)) for plane in frame.planes)
    restorer.queue(there, device.put(grid), planes, step)
    return [device.get(plane) for plane in planes]


@pytest.mark.parametrize("denoise", ["auto", 0.6])
@pytest.mark.parametrize(
    ("name", "range_", "size"),
    [
        ("nv12", 1, (242, 136)),
        ("nv12", 2, (241, 135)),
        ("p010le", 1, (241, 135)),
        ("p010le", 2, (242, 136)),
    ],
)
def test_a_noisy_video_is_restored_as_on_the_cpu(
    device: ComputeDevice, name: str, range_: int, size: tuple[int, int], denoise: Any
) -> None:
    """It starts, goes on as the light changes, and its brightened frames are the CPU's."""
    scene, grid = NoisyScene(*size, name=name, range_=range_), brightening()
    here, there = Restorer(denoise, sparing=True), DeviceRestorer(device, denoise)
    near = NEAR if name == "nv12" else DEEP
    gains = []
    for frame, truth in scene.frames(18, brighter_from=11):
        bright = restored_on_device(device, there, frame, grid)
        seen = here(frame, grid)
        expected = apply_grid(frame, grid, seen=seen)
        assert_planes_close(bright, expected, near, shift=frame.format.shift)
        wanted, peak = apply_grid(truth, grid)[0], 255.0 if name == "nv12" else 65535.0
        ours, cpus = (psnr_db(luma, wanted, peak) for luma in (bright[0], expected[0]))
        assert abs(ours - cpus) < 0.3
        gains.append(ours - psnr_db(apply_grid(frame, grid)[0], wanted, peak))
    assert gains[-1] > (6 if denoise == "auto" else 3)


def test_a_cut_a_pause_and_a_new_size_leave_nothing_of_before(device: ComputeDevice) -> None:
    grid = brightening()
    first, second = NoisyScene(160, 96), NoisyScene(160, 96)
    restorer = DeviceRestorer(device, "auto")
    for frame, _ in first.frames(6):
        restored_on_device(device, restorer, frame, grid)
    late = [replace(seen, pts=1000 + at) for at, (seen, _) in enumerate(second.frames(3))]
    alone = DeviceRestorer(device, "auto")
    for frame in late:
        after_pause = restored_on_device(device, restorer, frame, grid)
        by_itself = restored_on_device(device, alone, frame, grid)
        assert_planes_close(after_pause, by_itself, EXACT)
    small = next(NoisyScene(98, 66).frames(1)).seen
    found = restored_on_device(device, restorer, small, grid)
    alone.reset()
    assert_planes_close(found, restored_on_device(device, alone, small, grid), EXACT)
    upside_down: Any = tuple(np.ascontiguousarray(plane[::-1] + 40) for plane in small.planes)
    cut = replace(small.with_planes(upside_down), pts=1)
    bright = restored_on_device(device, restorer, cut, grid)
    there = apply_grid(cut, grid)[0].astype(float)
    assert np.abs(bright[0] - there).mean() < 8  # its own noise, and no other picture


def test_a_clean_video_stays_as_it_is(device: ComputeDevice) -> None:
    restorer, grid = DeviceRestorer(device, "auto"), brightening()
    for frame, _ in NoisyScene(160, 96, noise=0.0).frames(5):
        found = restored_on_device(device, restorer, frame, grid)
        assert_planes_close(found, apply_grid(frame, grid), NEAR)


def test_hdr_is_left_as_it_is(device: ComputeDevice) -> None:
    restorer, grid = DeviceRestorer(device, 1.0), brightening()
    frame = next(NoisyScene(160, 96, name="p010le").frames(1)).seen
    hdr = replace(frame, color=replace(frame.color, transfer=16))
    assert hdr.color.is_hdr
    found = restored_on_device(device, restorer, hdr, grid)
    assert_planes_close(found, apply_grid(frame, grid), NEAR, shift=6)


@pytest.mark.parametrize(
    ("name", "denoise"), [("p010le", "auto"), ("p010le", 0.6), ("nv12", "auto")]
)
def test_pictures_of_finer_chroma_are_restored_by_the_cpu(
    device: ComputeDevice, name: str, denoise: Any
) -> None:
    """Each by itself, as photos are, at any strength; what has 8 bits is brightened there, too."""
    there = cuda_grid(device, grid_engine(brightening()), denoise=denoise, strength=0.8)
    here = GridEnhancer(grid_engine(brightening()), denoise=denoise, strength=0.8)
    untouched = GridEnhancer(grid_engine(brightening()), strength=0.8)
    for seen, truth in NoisyScene(242, 136, name=name).frames(2):
        frame, clean = in_finer_chroma(seen), in_finer_chroma(truth)
        given = semi_planar(frame)
        found = planes_of(device, there(on_device(device, given)))
        expected = semi_planar(here(frame)).planes
        assert_planes_close(found, expected, NEAR, shift=given.format.shift)
        wanted, noisy = (semi_planar(untouched(given)).planes[0] for given in (clean, frame))
        peak = float(np.iinfo(found[0].dtype).max)
        gain = psnr_db(found[0], wanted, peak) - psnr_db(noisy, wanted, peak)
        assert gain > (3 if denoise == "auto" else 2)
        for enhancer in (there, here, untouched):
            enhancer.reset()


def in_finer_chroma(frame: Frame) -> Frame:
    """NV12 and P010 as 4:4:4 of 8 and 10 bits."""
    given: Any = frame.planes
    luma, chroma = (plane >> frame.format.shift for plane in given)
    height, width = luma.shape
    planes: Any = tuple(
        np.ascontiguousarray(plane.repeat(2, 0).repeat(2, 1)[:height, :width])
        for plane in (chroma[:, ::2], chroma[:, 1::2])
    )
    name = "yuv444p10le" if frame.format.shift else "yuv444p"
    return replace(frame, planes=(luma, *planes), format_name=name)


def test_memory_is_allocated_once_for_a_size(
    device: ComputeDevice, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = []
    buffers = RestoringBuffers.__init__

    def counted(self: Any, *given: Any) -> None:
        made.append(given)
        buffers(self, *given)

    monkeypatch.setattr(RestoringBuffers, "__init__", counted)
    restorer, grid = DeviceRestorer(device, "auto"), brightening()
    for size in ((96, 64), (96, 64), (64, 48)):
        restorer.reset()
        for frame, _ in NoisyScene(*size).frames(2):
            restored_on_device(device, restorer, frame, grid)
    assert len(made) == 2


@pytest.mark.parametrize("name", ["nv12", "p010le"])
def test_the_enhancer_restores_in_its_graph(device: ComputeDevice, name: str) -> None:
    """Captured with the first frame, whose work is done several times."""
    engine = grid_engine(brightening())
    there = cuda_grid(device, engine, denoise="auto")
    restorer = Restorer("auto", sparing=True)
    gains = []
    for frame, truth in NoisyScene(242, 136, name=name).frames(10):
        enhanced = planes_of(device, there(on_device(device, frame)))
        expected = apply_grid(frame, brightening(), seen=restorer(frame, brightening()))
        near = NEAR if name == "nv12" else DEEP
        assert_planes_close(enhanced, expected, near, shift=frame.format.shift)
        wanted, peak = apply_grid(truth, brightening())[0], 255.0 if name == "nv12" else 65535.0
        noisy = apply_grid(frame, brightening())[0]
        gains.append(psnr_db(enhanced[0], wanted, peak) - psnr_db(noisy, wanted, peak))
    assert gains[-1] > 6
