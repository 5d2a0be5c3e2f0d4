"""An engine that was kept is loaded once, and built anew where it does not load."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from tapetum.gan.model import find_model
from tapetum.gan.model_kinds import THUMBNAIL_SHAPE
from tapetum.realtime.cuda.tensorrt_engine import TensorRTModel
from tapetum.realtime.errors import EngineError
from tapetum.realtime.progress import Building
from tapetum.trt_build import EngineCache, EngineIdentity, engine, toolkit
from tapetum.trt_build.engine_cache import write_engine
from tapetum.trt_build.flavour import load_flavour
from tapetum.trt_build.gpu import Gpu
from tapetum.trt_build.manifest import Manifest
from tapetum.trt_build.profile import Profile

pytestmark = pytest.mark.slow

GPU = Gpu("NVIDIA L4", (8, 9), 0)
GRID_SHAPE = (8, 8, 16, 16)
PLAN = b"engine"


class Context:
    """Of a grid engine."""

    def set_input_shape(self, _name: str, shape: tuple[int, ...]) -> bool:
        return shape == THUMBNAIL_SHAPE

    def get_tensor_shape(self, name: str) -> tuple[int, ...]:
        return THUMBNAIL_SHAPE if name == "in" else GRID_SHAPE


class Engine(Context):
    """A grid engine."""

    create_execution_context = Context

    def get_tensor_name(self, index: int) -> str:
        return ("in", "out")[index]

    def get_tensor_dtype(self, _name: str) -> type:
        return np.float32


class Logger:
    """TensorRT's."""

    Severity = SimpleNamespace(INTERNAL_ERROR=0, ERROR=1, WARNING=2)


@pytest.fixture
def loads(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[bytes]:
    """What a stand-in for TensorRT is given to load; it loads `PLAN` alone."""
    given: list[bytes] = []

    def deserialize(plan: bytes) -> Engine | None:
        given.append(plan)
        return Engine() if plan == PLAN else None

    def runtime(_logger: Logger) -> Any:
        return SimpleNamespace(deserialize_cuda_engine=deserialize)

    module = SimpleNamespace(
        __version__="11.0.0", ILogger=Logger, Runtime=runtime, nptype=lambda kind: kind
    )
    monkeypatch.setitem(sys.modules, "tensorrt", module)
    monkeypatch.setattr(engine, "present_gpu", lambda _index: GPU)
    monkeypatch.setenv("TAPETUM_CACHE", str(tmp_path / "engines"))
    return given


@pytest.fixture
def compile_grid(loads: list[bytes]) -> Callable[..., object]:
    """Makes the engine of `grid` ready on a device that is no more than a name and answers."""
    device: Any = SimpleNamespace(
        name="cuda:0", context=nullcontext, stream_address=None, check_answers=lambda: None
    )

    def compiled(on_build: Callable[[Building], None] | None = None) -> object:
        model = TensorRTModel(
            find_model("grid"), device, load_flavour("tensorrt"), on_build=on_build
        )
        return model.compile(THUMBNAIL_SHAPE)

    assert not loads
    return compiled


def keep(plan: bytes) -> None:
    """Write an engine into the cache as if `grid` had been built for `GPU` before."""
    digest, profile = find_model("grid").sha256, Profile(*[(256, 256)] * 3)
    identity = EngineIdentity(digest, "tensorrt", "11.0.0", GPU.name, GPU.target, profile)
    checksum = hashlib.sha256(plan).hexdigest()
    manifest = Manifest(identity, "grid", "grid", (), checksum, len(plan), "2026-01-01", 60, 45)
    write_engine(EngineCache().path(identity), plan, manifest)


def test_a_kept_engine_is_loaded_once(
    compile_grid: Callable[..., object], loads: list[bytes]
) -> None:
    keep(PLAN)
    assert compile_grid()
    assert loads == [PLAN]


def test_a_kept_engine_that_does_not_load_is_built_anew_and_loaded(
    compile_grid: Callable[..., object], loads: list[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    keep(b"of an older driver")
    built = SimpleNamespace(plan=PLAN, timing_cache=b"")
    monkeypatch.setattr(toolkit, "build_tensorrt", lambda *_, **__: built)
    monkeypatch.setattr(engine._Build, "_verified", lambda *_: 60.0)
    said: list[Building] = []
    assert compile_grid(said.append)
    assert loads == [b"of an older driver", PLAN]
    assert "anew: tensorrt 11.0.0 does not load the engine: " in said[0].description
    loads.clear()
    assert compile_grid()
    assert loads == [PLAN]


def test_a_kept_engine_that_lacks_memory_is_not_built_anew(
    compile_grid: Callable[..., object], monkeypatch: pytest.MonkeyPatch
) -> None:
    keep(PLAN)
    monkeypatch.setattr(Engine, "create_execution_context", lambda _: None)
    with pytest.raises(EngineError, match=r"does not start the engine"):
        compile_grid()
