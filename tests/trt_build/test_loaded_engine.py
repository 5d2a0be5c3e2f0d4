"""Loading engines: as far as a machine without a driver goes, against the library's signatures."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import onnx
import pytest
from onnx.reference import ReferenceEvaluator
from support.api_calls import Arguments, takes
from support.rtx_builds import SM89, needs_tensorrt_rtx
from support.this_gpu import has_driver, tensorrt_here

from tapetum.gan.errors import EngineError, ModelError
from tapetum.gan.weights import weights_path
from tapetum.trt_build import EngineCache, EngineRequest, build_engine, verification
from tapetum.trt_build.dark_frame import dark_frame
from tapetum.trt_build.engine_cache import StaleEngineError, keep_kernels, kept_kernels
from tapetum.trt_build.flavour import Flavour, load_flavour
from tapetum.trt_build.loaded_engine import Binding, LoadedEngine, check_loads
from tapetum.trt_build.tensorrt_log import calls_for_rebuild, explained
from tapetum.trt_build.verification import reference_output, run_engine

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def rtx() -> Flavour:
    return load_flavour("tensorrt-rtx")


@needs_tensorrt_rtx
def test_half_precision_is_numpys(rtx: Flavour) -> None:
    assert rtx.trt.nptype(rtx.trt.float16) is np.float16


def test_signatures_are_read() -> None:
    text = """run(*args, **kwargs)
Overloaded function.

1. run(self: a.B, name: str, shape: tuple[int, int] = <Kind.A: 0>) -> bool

2. run(self: a.B, name: str, shape: list, more: dict[str, int], last: int) -> bool
"""
    found = [takes(text, Arguments(count)) for count in range(6)]
    assert found == [False, True, True, False, True, False]
    assert takes(text, Arguments(1, ("shape",)))
    assert not takes(text, Arguments(1, ("size",)))
    cython = "Graph.launch(self, intptr_t graph, stream=None, *, tuple more=None)"
    given = [Arguments(1), Arguments(2), Arguments(1, ("more",)), Arguments(0, ("graph",))]
    assert all(takes(cython, arguments) for arguments in given)
    wrong = [Arguments(0), Arguments(3), Arguments(1, ("graph",)), Arguments(1, ("none",))]
    assert not any(takes(cython, arguments) for arguments in wrong)


@needs_tensorrt_rtx
@pytest.mark.skipif(has_driver(), reason="tells what happens without an NVIDIA driver")
def test_an_engine_does_not_load_without_a_driver(rtx: Flavour, tmp_path: Path) -> None:
    plan = build_engine("grid", SM89, cache=EngineCache(tmp_path)).path.read_bytes()
    with pytest.raises(EngineError) as caught:
        LoadedEngine(plan, rtx)
    assert not isinstance(caught.value, StaleEngineError), "another engine would not load either"
    said = str(caught.value)
    assert said.startswith(f"tensorrt-rtx {rtx.version} does not load the engine: ")
    assert said.endswith(
        "(install or update the NVIDIA driver; nvidia-smi shows which CUDA it is for)"
    )
    assert "\n" not in said


@needs_tensorrt_rtx
@pytest.mark.parametrize("plan", [b"", b"no engine at all"])
def test_what_is_no_engine_is_to_be_built_anew(plan: bytes, rtx: Flavour) -> None:
    with pytest.raises(StaleEngineError, match=r"does not load the engine: .*engine anew"):
        check_loads(plan, rtx)


@needs_tensorrt_rtx
def test_an_engine_that_was_cut_is_to_be_built_anew(rtx: Flavour, tmp_path: Path) -> None:
    plan = build_engine("grid", SM89, cache=EngineCache(tmp_path)).path.read_bytes()
    with pytest.raises(StaleEngineError, match=r"does not load the engine: .*engine anew"):
        check_loads(plan[: len(plan) // 2], rtx)


def test_an_engine_is_unloaded_while_its_gpu_is_current(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its memory is in the GPU's context, which is given back then."""
    happened: list[str] = []

    class Engine:
        def __init__(self, _plan: bytes, _flavour: Flavour) -> None:
            pass

        def __del__(self) -> None:
            happened.append("unloaded")

    @contextmanager
    def on_device(_index: int) -> Iterator[None]:
        yield
        happened.append("context left")

    driver = SimpleNamespace(on_device=on_device)
    monkeypatch.setattr(verification, "CudaDriver", lambda: driver)
    monkeypatch.setattr(verification, "LoadedEngine", Engine)
    assert run_engine(b"", Flavour("tensorrt", "11.0", None), 0, []) == []
    assert happened == ["unloaded", "context left"]


@pytest.mark.parametrize("refused", ["in", "out"])
def test_a_run_with_an_address_that_is_refused_is_an_error(refused: str) -> None:
    """It would go on with the buffer of the run before."""
    context = SimpleNamespace(
        set_tensor_address=lambda name, _address: name != refused,
        execute_async_v3=lambda _stream: True,
    )
    engine = object.__new__(LoadedEngine)
    engine._flavour, engine._errors = Flavour("tensorrt", "11.1", None), []
    dtype = np.dtype(np.float16)
    engine.input, engine.output = Binding("in", dtype, ()), Binding("out", dtype, ())
    engine._context = context
    with pytest.raises(EngineError, match=f"takes no address of {refused}"):
        engine.run(1, 256, 512)


@pytest.mark.parametrize(
    ("said", "remedy"),
    [
        (
            "Requested amount of GPU memory (9 bytes) could not be allocated.",
            "close what else uses the GPU, or take a smaller --size",
        ),
        (
            "cudaError 35: CUDA driver version is insufficient for CUDA runtime version",
            "install or update the NVIDIA driver; nvidia-smi shows which CUDA it is for",
        ),
        (
            "Target GPU SM 61 is not supported by this TensorRT release.",
            "this TensorRT does not support this GPU; tapetum doctor lists what does",
        ),
        (
            "The engine plan file is generated on an incompatible device, expecting compute 8.6"
            " got compute 8.9, please rebuild.",
            "build the engine anew with this TensorRT and GPU",
        ),
        (
            "Serialization assertion stdVersionRead == kSERIALIZATION_VERSION failed. Version tag"
            " does not match.",
            "build the engine anew with this TensorRT and GPU",
        ),
    ],
)
def test_known_errors_come_with_their_remedy(said: str, remedy: str) -> None:
    assert explained([said]) == f"{said} ({remedy})"


def test_the_first_error_with_a_remedy_is_the_cause() -> None:
    cause, consequence = "Serialization assertion failed", "CUDA driver version is insufficient"
    assert explained(["something", cause, consequence]) == (
        f"{cause} (build the engine anew with this TensorRT and GPU)"
    )
    assert calls_for_rebuild([cause, consequence])
    assert calls_for_rebuild(["what no one has seen yet"])
    assert not calls_for_rebuild([consequence, cause])
    assert not calls_for_rebuild(["cudaErrorMemoryAllocation: out of memory"])


def test_unknown_errors_come_as_they_are_in_one_line() -> None:
    assert explained(["first\nline", "second"]) == "first line second"
    assert explained(["illegal memory access"]) == "illegal memory access"
    assert explained([]) == "it gave no reason"


@needs_tensorrt_rtx
def test_compiled_kernels_are_kept_beside_their_engine(tmp_path: Path) -> None:
    cache = EngineCache(tmp_path)
    engine = build_engine("grid", SM89, cache=cache)
    assert kept_kernels(engine) == b""
    keep_kernels(engine, b"")
    keep_kernels(engine, b"kernels")
    assert kept_kernels(engine) == b"kernels"
    assert cache.engines() == [(engine.path, build_engine("grid", SM89, cache=cache))]
    cache.prune(set())
    assert [path.suffix for path in tmp_path.iterdir()] == [".lock"]


def test_the_reference_is_the_float32_network() -> None:
    network = onnx.load(weights_path("grid"))
    picture = dark_frame("grid", (256, 256))
    wanted = ReferenceEvaluator(network).run(None, {"thumbnail": picture})
    assert isinstance(wanted, list)
    np.testing.assert_allclose(reference_output(network, picture), wanted[0], atol=1e-4)


def test_a_reference_of_another_size_is_one_line() -> None:
    with pytest.raises(ModelError, match=r"cannot be run to verify its engine: ."):
        reference_output(onnx.load(weights_path("grid")), dark_frame("grid", (32, 32)))


@pytest.mark.parametrize(("kind", "low", "high"), [("grid", 0, 1), ("unet", -1, 1)])
def test_the_frame_for_trials_is_dark_and_real(kind: str, low: float, high: float) -> None:
    picture = dark_frame(kind, (360, 640))
    assert picture.shape == (1, 3, 360, 640)
    assert (picture.min(), picture.max()) == (low, high)
    unit = (picture - low) / (high - low)
    assert unit.mean() < 0.2
    assert len(np.unique(picture)) > 60
    assert 0.001 < np.mean(unit == 1) < 0.01, "a lamp"


@pytest.mark.needs_cuda
def test_an_engine_computes_what_its_network_means(tmp_path: Path) -> None:
    flavour = tensorrt_here()
    request = EngineRequest(runtime=flavour.name)
    engine = build_engine("grid", request, cache=EngineCache(tmp_path))
    picture = dark_frame("grid", (256, 256))
    (output,) = run_engine(engine.path.read_bytes(), flavour, 0, [picture])
    wanted = reference_output(onnx.load(weights_path("grid")), picture)
    np.testing.assert_allclose(output, wanted, atol=0.05)
