"""OpenVINO, imported without its telemetry and without its converter of models.

Importing OpenVINO imports `openvino_telemetry`, which writes a client ID into the user's home,
starts a thread and reports to a web service unless the user has forbidden it. Where that package
is not to be found OpenVINO takes its own silent stub, so it is hidden during the import. So is
`openvino.tools.ovc`, which converts models and takes half of the time of the import: whoever
asks for it later gets it. Take the module from `openvino`, and from nowhere else, and the runtime
from `core`.
"""

from __future__ import annotations

import importlib
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

from tapetum.gan.errors import ModelError
from tapetum.gan.model_kinds import LIGHT_MARK, MARK, Shape

_TELEMETRY = "openvino_telemetry"
_CONVERTER = "openvino.tools.ovc"


@cache
def openvino() -> Any:  # noqa: ANN401 - OpenVINO has no types
    """The module, imported when it is first needed: a GPU's path may do without it.

    Raises:
        ImportError: it is not installed.
    """
    if "openvino" in sys.modules:
        return importlib.import_module("openvino")
    with _hidden(_TELEMETRY), _hidden(_CONVERTER):
        module = importlib.import_module("openvino")
    if not hasattr(module, "convert_model"):
        vars(module)["__getattr__"] = _converter
    return module


@contextmanager
def _hidden(name: str) -> Iterator[None]:
    """Let a module not be found meanwhile, unless it is there already."""
    if name in sys.modules:
        yield
        return
    sys.modules[name] = None  # type: ignore[assignment] # Python's mark for "not to be found"
    try:
        yield
    finally:
        del sys.modules[name]


def _converter(name: str) -> Any:  # noqa: ANN401
    """`openvino.convert_model` for other code of this process, which may use it."""
    if name != "convert_model":
        raise AttributeError(f"module 'openvino' has no attribute {name!r}", name=name)
    with _hidden(_TELEMETRY):
        return importlib.import_module(_CONVERTER).convert_model


_loading = threading.Lock()


def core() -> Any:  # noqa: ANN401 - OpenVINO has no types
    """The process's one runtime, which lives as long as the process does.

    OpenVINO's CPU plugin gives the thread that loads it a signal stack, and unmaps that memory
    when the last `Core` goes, though the kernel still knows it: the next signal (Ctrl-C, the end
    of a child process) would then be a segmentation fault.
    """
    with _loading:  # two threads must not make one each, of which one would go
        return _core()


@cache
def _core() -> Any:  # noqa: ANN401
    runtime = openvino().Core()
    # The binding looks NumPy's types up when they are first needed, and lets Python's lock go
    # meanwhile. A second thread that needs them then waits for the first while it has that lock:
    # two streams that began at once would stop for ever.
    openvino().Type.f32.to_dtype()
    return runtime


def read_network(serialized: bytes, name: str) -> Any:  # noqa: ANN401
    """Read an ONNX file's bytes as an `openvino.Model`.

    Args:
        serialized: the bytes.
        name: what errors call the file.

    Raises:
        ModelError: they are no network of one input and one output.
    """
    try:
        network = core().read_model(serialized)
    except RuntimeError as error:
        raise ModelError(f"{name} is not an ONNX model, or is damaged; fetch it again") from error
    if len(network.inputs) != 1 or len(network.outputs) != 1:
        found = f"{len(network.inputs)} inputs and {len(network.outputs)} outputs"
        raise ModelError(f"{name} has {found}; an enhancing network has one of each")
    return network


def metadata(network: Any) -> dict[str, str]:  # noqa: ANN401
    """The metadata of an ONNX file, which OpenVINO keeps under "framework"."""
    return {
        key: network.get_rt_info(["framework", key]).astype(str)
        for key in (MARK, LIGHT_MARK)
        if network.has_rt_info(["framework", key])
    }


def shapes(network: Any) -> tuple[Shape, Shape]:  # noqa: ANN401
    """The lengths of an `openvino.Model`'s input and output."""
    return _lengths(network.input(0).partial_shape), _lengths(network.output(0).partial_shape)


def _lengths(shape: Any) -> Shape:  # noqa: ANN401
    """A partial shape's lengths, 0 for what may vary; none where not even their number is known."""
    if shape.rank.is_dynamic:
        return ()
    return tuple(0 if length.is_dynamic else length.get_length() for length in shape)
