"""For which sizes engines are built in live video, and what is shown while they are: simulated."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from functools import partial
from types import SimpleNamespace
from typing import Any

import pytest
from support.simulated_gpu import SimulatedGPU, SimulatedModel

from tapetum import trt_build
from tapetum.gan.model import find_model
from tapetum.gan.model_kinds import THUMBNAIL_SHAPE
from tapetum.realtime.cuda import tensorrt_engine
from tapetum.realtime.cuda.cuda_enhancer import make_cuda_enhancer
from tapetum.realtime.cuda.reduced_unet_engine import SHAPE as SMALL_SHAPE
from tapetum.realtime.cuda.tensorrt_engine import TensorRTModel
from tapetum.realtime.live.controls import Controls
from tapetum.realtime.live.enhance_live import enhance_live
from tapetum.realtime.live.outputs import SinkPlace
from tapetum.realtime.live.summary import LiveStatus
from tapetum.realtime.memory_sink import MemorySink
from tapetum.trt_build import EngineRequest

Shape = tuple[int, ...]
ON_GPU = "unet on cuda"
LESSER = "grid", "unet-reduced"
"""What the models that may be shown while `unet` is built are called, to begin with."""
REDUCED = SMALL_SHAPE[2:]


class Builds:
    """Engines of `unet`: those for whole frames are built as long as a test wants.

    Attributes:
        sizes: of those for whole frames, in order.
        reduced: of those for `unet-reduced`, in order.
        may_end: set while builds for whole frames may end.
    """

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.sizes: list[Shape] = []
        self.reduced: list[Shape] = []
        self.may_end = threading.Event()
        build = SimulatedModel.compile

        def compiled(model: SimulatedModel, shape: Shape) -> Any:
            if shape == SMALL_SHAPE:
                self.reduced.append(shape[2:])
            elif model.kind == "unet":
                self.sizes.append(shape[2:])
                assert self.may_end.wait(200)
            return build(model, shape)

        patch.setattr(SimulatedModel, "compile", compiled)


@pytest.fixture
def builds(gpu: SimulatedGPU, monkeypatch: pytest.MonkeyPatch) -> Builds:
    del gpu
    return Builds(monkeypatch)


@pytest.mark.slow
def test_an_engine_is_for_the_cameras_size_and_lesser_models_run_meanwhile(builds: Builds) -> None:
    controls, sink = Controls(), MemorySink()
    modes: list[str] = []

    def look(status: LiveStatus) -> None:
        modes.append(status.mode)
        if builds.sizes and all(mode.startswith(LESSER) for mode in modes[-2:]):
            builds.may_end.set()
        controls.quit = modes[-1] == ON_GPU

    summary = enhance_live(
        "lavfi:testsrc2=size=100x70:rate=30",
        [SinkPlace("memory", sink)],
        model="unet",
        device="cuda",
        denoise="off",
        latency_budget_ms=5000,
        duration_s=300,
        controls=controls,
        on_status=look,
    )
    assert summary.modes[ON_GPU] > 0
    assert any(mode.startswith(LESSER) for mode in summary.modes)
    assert builds.sizes == [(80, 112)]
    assert builds.reduced == [REDUCED]


@pytest.mark.slow
def test_a_sender_that_changes_its_size_sees_grid_until_the_next_engine_is_there(
    builds: Builds,
) -> None:
    pytest.importorskip("aiortc")
    from support.dark_track import DarkTrack

    from tapetum.realtime.live.track import EnhancedTrack

    async def scenario() -> None:
        sender = DarkTrack()
        given: Any = {"device": "cuda", "denoise": "off", "latency_budget_ms": 5000}
        track = EnhancedTrack(sender, model="unet", **given)

        async def until(is_so: Callable[[], bool]) -> None:
            while not is_so():
                await track.recv()

        async with asyncio.timeout(300):
            builds.may_end.set()
            await until(lambda: track.ladder.mode == ON_GPU)
            builds.may_end.clear()
            sender.size = 96, 160
            await until(lambda: len(builds.sizes) == 2 and track.ladder.mode == "grid")
            builds.may_end.set()
            await until(lambda: track.ladder.mode == ON_GPU)
        track.stop()
        sender.stop()

    asyncio.run(scenario())
    assert builds.sizes == [(64, 96), (96, 160)]
    assert builds.reduced == [REDUCED], "it sees small pictures, whatever the sender's size is"


@pytest.mark.parametrize(
    ("shape", "changes", "sizes"),
    [
        ((1, 3, 720, 1280), False, ((720, 1280), None, None)),
        ((1, 3, 368, 640), True, ((720, 1280), (64, 64), (1088, 1920))),
        ((1, 3, 1088, 1920), True, ((720, 1280), (64, 64), (1088, 1920))),
        ((1, 3, 640, 368), True, ((1280, 720), (64, 64), (1920, 1088))),
        ((1, 3, 2160, 3840), True, ((2160, 3840),) * 3),
        ((1, 3, 32, 64), True, ((32, 64),) * 3),
        (THUMBNAIL_SHAPE, True, (None, None, None)),
    ],
    ids=str,
)
def test_one_engine_serves_the_sizes_that_a_sender_goes_through(
    shape: Shape, changes: bool, sizes: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[EngineRequest] = []

    def built(_model: str, request: EngineRequest, **_given: object) -> Any:
        asked.append(request)
        raise InterruptedError

    monkeypatch.setattr(trt_build, "build_engine", built)
    name = "grid" if shape == THUMBNAIL_SHAPE else "unet"
    device: Any = SimpleNamespace(name="cuda:1")
    flavour: Any = SimpleNamespace(name="tensorrt", version="11.1.0")
    model = TensorRTModel(find_model(name), device, flavour, sizes_change=changes)
    with pytest.raises(InterruptedError):
        model.compile(shape)
    best, smallest, largest = sizes
    assert asked == [EngineRequest(best, smallest, largest, runtime="tensorrt", gpu_index=1)]


@pytest.mark.parametrize("changes", [False, True])
def test_the_engine_of_a_reduced_network_is_for_its_small_picture_alone(
    changes: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One for all sizes of a sender takes memory, and minutes to build, for the largest."""
    asked: list[tuple[str, EngineRequest]] = []

    def built(model: str, request: EngineRequest, **_given: object) -> Any:
        asked.append((model, request))
        if model == "unet":
            raise InterruptedError

    monkeypatch.setattr(trt_build, "build_engine", built)
    monkeypatch.setattr(tensorrt_engine, "TensorRTEngine", lambda *_given: None)
    device: Any = SimpleNamespace(name="cuda:1")
    flavour: Any = SimpleNamespace(name="tensorrt", version="11.1.0")
    with pytest.raises(InterruptedError):
        make_cuda_enhancer("unet", device, flavour=flavour, sizes_change=changes, reduced=True)
    one = partial(EngineRequest, runtime="tensorrt", gpu_index=1)
    assert asked == [("grid", one()), ("unet", one(REDUCED))]
