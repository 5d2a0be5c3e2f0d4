"""Real TensorRT-RTX builds, which take no GPU."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

import onnx
import pytest
from support.engine_networks import overflowing_network, trained_looking_unet
from support.rtx_builds import needs_tensorrt_rtx

from tapetum.gan import export_onnx
from tapetum.gan.errors import DeviceError, EngineError
from tapetum.gan.weights import weights_path
from tapetum.trt_build.build_progress import BuildPhase
from tapetum.trt_build.flavour import Flavour, load_flavour
from tapetum.trt_build.gpu import named_target
from tapetum.trt_build.half_precision import half_network
from tapetum.trt_build.profile import Profile, unet_profile
from tapetum.trt_build.tensorrt_build import build_tensorrt

pytestmark = [pytest.mark.slow, needs_tensorrt_rtx]

SM89 = named_target("sm_89")
GRID = Profile(*[(256, 256)] * 3)
DYNAMIC = unet_profile((360, 640), (64, 64), (1080, 1920))


@pytest.fixture(scope="module")
def rtx() -> Flavour:
    return load_flavour("tensorrt-rtx")


@pytest.fixture(scope="module")
def unet(tmp_path_factory: pytest.TempPathFactory) -> onnx.ModelProto:
    path = tmp_path_factory.mktemp("engine") / "unet.onnx"
    export_onnx(trained_looking_unet(), path)
    return onnx.load(path)


@pytest.fixture(scope="module")
def grid() -> bytes:
    return half_network(onnx.load(weights_path("grid")), GRID).serialized


def layer_types(network: bytes, rtx: Flavour) -> dict[str, Any]:
    """The type of each layer's output, as TensorRT itself reads the network."""
    trt = rtx.trt
    builder = trt.Builder(trt.Logger(trt.Logger.ERROR))
    flags = 1 << int(trt.NetworkDefinitionCreationFlag.STRONGLY_TYPED)
    definition = builder.create_network(flags)
    assert trt.OnnxParser(definition, trt.Logger(trt.Logger.ERROR)).parse(network)
    layers = (definition.get_layer(index) for index in range(definition.num_layers))
    return {layer.get_output(0).name: layer.get_output(0).dtype for layer in layers}


@pytest.mark.parametrize("target", ["sm_75", "sm_80", "sm_86", "sm_89", "sm_120"])
def test_a_grid_engine_is_built_for_every_rtx_gpu(target: str, grid: bytes, rtx: Flavour) -> None:
    built = build_tensorrt(grid, GRID, named_target(target), rtx)
    assert len(built.plan) > 400_000  # 200,000 weights of two bytes


@pytest.mark.parametrize("profile", [unet_profile((360, 640)), DYNAMIC], ids=["static", "dynamic"])
def test_a_unet_engine_is_built_in_half_precision(
    profile: Profile, unet: onnx.ModelProto, rtx: Flavour
) -> None:
    half = half_network(unet, profile)
    plan = build_tensorrt(half.serialized, profile, SM89, rtx).plan
    assert 2 * 8_600_000 < len(plan) < 4 * 8_600_000  # two bytes a weight, not four


def test_tensorrt_reads_every_floating_layer_as_float16(
    grid: bytes, unet: onnx.ModelProto, rtx: Flavour
) -> None:
    for network, full in (
        (grid, {onnx.load_from_string(grid).graph.output[0].name}),
        (half_network(unet, DYNAMIC).serialized, set()),
    ):
        types = layer_types(network, rtx)
        assert {name for name, type_ in types.items() if type_ == rtx.trt.float32} == full
        assert sum(type_ == rtx.trt.float16 for type_ in types.values()) > 60


def test_tensorrt_reads_a_layer_that_would_overflow_as_float32(rtx: Flavour) -> None:
    profile = Profile(*[(16, 16)] * 3)
    half = half_network(overflowing_network(), profile)
    types = layer_types(half.serialized, rtx)
    assert types["bright"] == types["halved"] == rtx.trt.float32
    assert types["enhanced"] == rtx.trt.float16
    assert build_tensorrt(half.serialized, profile, SM89, rtx).plan


def test_rtx_keeps_no_timings(grid: bytes, rtx: Flavour) -> None:
    assert build_tensorrt(grid, GRID, SM89, rtx).timing_cache == b""


def test_progress_ends_with_the_whole(grid: bytes, rtx: Flavour) -> None:
    phases: list[BuildPhase] = []
    build_tensorrt(grid, GRID, SM89, rtx, on_phase=phases.append)
    whole = [phase for phase in phases if phase.parent is None]
    assert whole[-1].step == whole[-1].steps > 0
    assert [phase.step for phase in whole] == sorted(phase.step for phase in whole)


class Asked(BaseException):
    """Ctrl-C, as the command line raises it."""


@contextmanager
def asking() -> Iterator[None]:
    """Raise `Asked` in the main thread on SIGUSR1."""

    def ask(_number: int, _frame: FrameType | None) -> None:
        raise Asked

    before = signal.signal(signal.SIGUSR1, ask)
    try:
        yield
    finally:
        signal.signal(signal.SIGUSR1, before)


def test_a_signal_cancels_a_build_on_the_way(grid: bytes, rtx: Flavour) -> None:
    phases: list[BuildPhase] = []
    before = set(threading.enumerate())

    def ask_at_the_first(phase: BuildPhase) -> None:
        if not phases:
            os.kill(os.getpid(), signal.SIGUSR1)
        phases.append(phase)
        time.sleep(0.01)

    with asking(), pytest.raises(Asked):
        build_tensorrt(grid, GRID, SM89, rtx, on_phase=ask_at_the_first)
    names = {phase.name for phase in phases}
    assert "Optimizing graph" not in names, "the build went on to its end"
    assert set(threading.enumerate()) <= before, "the build's thread is still there"


def test_a_target_that_rtx_does_not_know_is_refused(grid: bytes, rtx: Flavour) -> None:
    with pytest.raises(DeviceError, match=r"does not build for sm_90, only for sm_75, sm_80"):
        build_tensorrt(grid, GRID, named_target("sm_90"), rtx)


def test_a_profile_outside_the_network_s_sizes_fails_in_one_line(
    unet: onnx.ModelProto, rtx: Flavour
) -> None:
    half = half_network(unet, DYNAMIC)
    odd = Profile((60, 60), (70, 70), (80, 90))
    with pytest.raises(EngineError, match=r"tensorrt-rtx built no engine: ."):
        build_tensorrt(half.serialized, odd, SM89, rtx)


@pytest.mark.parametrize("network", [b"", b"no network at all"])
def test_what_is_no_network_fails(network: bytes, rtx: Flavour) -> None:
    with pytest.raises(EngineError, match=r"(cannot read|finds nothing in) the network"):
        build_tensorrt(network, GRID, SM89, rtx)
