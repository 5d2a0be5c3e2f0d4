"""Every call of TensorRT exists there, not only in TensorRT-RTX, which the tests build with."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import pytest
from api_calls import calls_on, takes
from tensorrt_signatures import Signatures, python_with_bindings, tensorrt_signatures

from tapetum.trt_build import build_progress, loaded_engine, tensorrt_build, tensorrt_log

OF_RTX_ALONE = {
    "ComputeCapability",
    "CudaGraphStrategy",
    "is_stream_capturable",
    "num_compute_capabilities",
    "set_compute_capability",
}
"""What is used only where the flavour is TensorRT-RTX."""


@pytest.fixture(scope="module")
def signatures(tmp_path_factory: pytest.TempPathFactory) -> Signatures:
    return tensorrt_signatures(tmp_path_factory.mktemp("libraries"))


@pytest.mark.parametrize(
    ("module", "owner", "kind"),
    [
        (loaded_engine, "runtime", "Runtime"),
        (loaded_engine, "self._engine", "ICudaEngine"),
        (loaded_engine, "self._context", "IExecutionContext"),
        (loaded_engine, "self._flavour.trt", ""),
        (loaded_engine, "flavour.trt", ""),
        (tensorrt_build, "self._trt", ""),
        (tensorrt_build, "builder", "Builder"),
        (tensorrt_build, "config", "IBuilderConfig"),
        (tensorrt_build, "definition", "INetworkDefinition"),
        (tensorrt_build, "network", "INetworkDefinition"),
        (tensorrt_build, "picture", "ITensor"),
        (tensorrt_build, "parser", "OnnxParser"),
        (tensorrt_build, "parser.get_error(index)", "ParserError"),
        (tensorrt_build, "sizes", "IOptimizationProfile"),
        (tensorrt_build, "timings", "ITimingCache"),
        (tensorrt_log, "trt", ""),
        (tensorrt_log, "trt.ILogger", "ILogger"),
        (tensorrt_log, "trt.ILogger.Severity", "ILogger.Severity"),
        (build_progress, "trt", ""),
    ],
)
def test_what_is_called_exists_and_takes_what_it_is_given(
    module: ModuleType, owner: str, kind: str, signatures: Signatures
) -> None:
    calls = calls_on(Path(str(module.__file__)), owner)
    assert calls
    for name, arguments, line in calls:
        if name in OF_RTX_ALONE:
            continue
        assert name in signatures[kind], f"{module.__name__}:{line}: there is no {kind}.{name}"
        if kind and arguments is not None:
            assert takes(signatures[kind][name], arguments), signatures[kind][name]


def test_a_tensorrt_that_does_not_start_is_one_line(tmp_path: Path) -> None:
    """What TensorRT does without a driver that serves it: it gives nothing."""
    code = """
import tensorrt_bindings as trt
from tapetum.gan.errors import EngineError
from tapetum.trt_build.flavour import Flavour
from tapetum.trt_build.loaded_engine import check_loads
from tapetum.trt_build.tensorrt_log import collecting_logger, started
here = Flavour("tensorrt", "11.0", trt)
for attempt in (
    lambda: check_loads(b"engine", here),
    lambda: started(trt.Builder, collecting_logger(trt, []), ["CUDA initialization failure"]),
):
    try:
        attempt()
    except EngineError as error:
        print(error)
"""
    assert python_with_bindings(code, tmp_path).splitlines() == [
        "TensorRT's Runtime does not start: it gave no reason",
        "TensorRT's Builder does not start: CUDA initialization failure"
        " (install or update the NVIDIA driver; nvidia-smi shows which CUDA it is for)",
    ]
