"""Every use of TensorRT and TensorRT-RTX is of what they have, and every one is looked at."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from support.api_calls import Arguments, Call, calls_on, overridden_methods, takes
from support.command_line import ROOT
from support.tensorrt_signatures import (
    Signatures,
    python_with_bindings,
    tensorrt_rtx_signatures,
    tensorrt_signatures,
)

pytestmark = pytest.mark.slow

FOLDERS = (
    ROOT / "trt_build" / "tapetum" / "trt_build",
    ROOT / "realtime" / "tapetum" / "realtime" / "cuda",
    ROOT / "benchmarks" / "tapetum" / "benchmarks" / "gpu",
)
MODULES = {path.stem: path for folder in FOLDERS for path in sorted(folder.glob("*.py"))}

OBJECTS = {
    "build_progress": {"trt": "", "super()": "IProgressMonitor"},
    "flavour": {"trt": ""},
    "loaded_engine": {
        "flavour.trt": "",
        "runtime": "Runtime",
        "self._context": "IExecutionContext",
        "self._engine": "ICudaEngine",
        "self._flavour.trt": "",
        "self._flavour.trt.CudaGraphStrategy": "CudaGraphStrategy",
        "self._kernels": "IRuntimeCache",
        "settings": "IRuntimeConfig",
    },
    "tensorrt_build": {
        "builder": "Builder",
        "config": "IBuilderConfig",
        "definition": "INetworkDefinition",
        "flavour.trt": "",
        "network": "INetworkDefinition",
        "parser": "OnnxParser",
        "parser.get_error(index)": "ParserError",
        "picture": "ITensor",
        "self._trt": "",
        "self._trt.NetworkDefinitionCreationFlag": "NetworkDefinitionCreationFlag",
        "sizes": "IOptimizationProfile",
        "timings": "ITimingCache",
    },
    "tensorrt_log": {
        "trt": "",
        "trt.ILogger": "ILogger",
        "trt.ILogger.Severity": "ILogger.Severity",
    },
}
"""Module, to each expression in it that is TensorRT's, to its class; "" is TensorRT itself."""

OF_RTX_ALONE = {
    "ComputeCapability",
    "CudaGraphStrategy",
    "create_runtime_cache",
    "cuda_graph_strategy",
    "is_stream_capturable",
    "num_compute_capabilities",
    "set_compute_capability",
    "set_runtime_cache",
}
CLASSES_OF_RTX_ALONE = {"CudaGraphStrategy", "IRuntimeCache"}
"""What is used only where the flavour is TensorRT-RTX."""


@pytest.fixture(scope="module")
def tensorrt(tmp_path_factory: pytest.TempPathFactory) -> Signatures:
    return tensorrt_signatures(tmp_path_factory.mktemp("libraries"))


@pytest.fixture(scope="module")
def tensorrt_rtx() -> Signatures:
    return tensorrt_rtx_signatures()


def check(signatures: Signatures, kind: str, call: Call, where: str) -> None:
    """Hold a use of an attribute, and a call, against a class of a TensorRT."""
    name, arguments, line = call
    assert name in signatures[kind], f"{where}:{line}: there is no {kind}.{name}"
    made = signatures.get(f"{kind}.{name}".removeprefix("."))  # where it is a class itself
    documentation = signatures[kind][name] if made is None else made["__init__"]
    if arguments is not None:
        assert takes(documentation, arguments), f"{where}:{line}: {documentation}"


def rows() -> list[tuple[str, str, str]]:
    return [(module, owner, kind) for module, of in OBJECTS.items() for owner, kind in of.items()]


@pytest.mark.parametrize(("module", "owner", "kind"), rows())
def test_tensorrt_has_what_is_used_of_it(
    module: str, owner: str, kind: str, tensorrt: Signatures
) -> None:
    calls = calls_on(MODULES[module], owner)
    assert calls
    for call in calls:
        if kind not in CLASSES_OF_RTX_ALONE and call.name not in OF_RTX_ALONE:
            check(tensorrt, kind, call, module)


@pytest.mark.parametrize(("module", "owner", "kind"), rows())
def test_tensorrt_rtx_has_what_is_used_of_it(
    module: str, owner: str, kind: str, tensorrt_rtx: Signatures
) -> None:
    for call in calls_on(MODULES[module], owner):
        check(tensorrt_rtx, kind, call, module)


@pytest.mark.parametrize("flavour", ["tensorrt", "tensorrt_rtx"])
def test_what_tensorrt_calls_or_is_started_with_is_right(
    flavour: str, request: pytest.FixtureRequest
) -> None:
    signatures = request.getfixturevalue(flavour)
    overridden = [
        (kind, call, module)
        for module in OBJECTS
        for kind, call in overridden_methods(MODULES[module])
    ]
    assert {kind for kind, _, _ in overridden} == {"ILogger", "IProgressMonitor"}
    for kind, call, module in overridden:
        check(signatures, kind, call, module)
    for kind in ("Builder", "Runtime"):  # made by `tensorrt_log.started`
        check(signatures, "", Call(kind, Arguments(1), 0), "tensorrt_log")


def test_no_other_module_touches_tensorrt() -> None:
    assert {name for name, path in MODULES.items() if touches_tensorrt(path)} == set(OBJECTS)


def touches_tensorrt(path: Path) -> bool:
    """Whether a module names the TensorRT of a flavour, from which all its objects come."""
    nodes = list(ast.walk(ast.parse(path.read_text())))
    names = {node.id for node in nodes if isinstance(node, ast.Name)}
    attributes = {node.attr for node in nodes if isinstance(node, ast.Attribute)}
    return bool({"trt", "_trt"} & (names | attributes))


@pytest.mark.parametrize(
    ("kind", "call"),
    [
        ("", Call("OnnxParser", Arguments(1), 1)),
        ("", Call("OnnxParser", Arguments(2, ("more",)), 1)),
        ("", Call("Parser", Arguments(2), 1)),
        ("", Call("nptype", Arguments(2), 1)),
        ("NetworkDefinitionCreationFlag", Call("EXPLICIT_BATCH", None, 1)),
        ("Builder", Call("build_engine", Arguments(2), 1)),
        ("Builder", Call("create_network", Arguments(2), 1)),
    ],
    ids=str,
)
def test_what_tensorrt_does_not_have_is_caught(kind: str, call: Call, tensorrt: Signatures) -> None:
    with pytest.raises(AssertionError, match=r"somewhere:1: "):
        check(tensorrt, kind, call, "somewhere")


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
