"""OpenVINO, imported without its telemetry.

Importing OpenVINO imports `openvino_telemetry`, which writes a client ID into the user's home,
starts a thread and reports to a web service unless the user has forbidden it. Where that package
is not to be found OpenVINO takes its own silent stub, so it is hidden during the import. Take the
module from `openvino`, and from nowhere else, and the runtime from `core`.
"""

from __future__ import annotations

import importlib
import sys
import threading
from functools import cache
from typing import Any

from tapetum.gan.errors import ModelError
from tapetum.gan.model_kinds import MARK, Shape

_TELEMETRY = "openvino_telemetry"


@cache
def openvino() -> Any:  # noqa: ANN401 - OpenVINO has no types
    """The module, imported when it is first needed: a GPU's path may do without it.

    Raises:
        ImportError: it is not installed.
    """
    if "openvino" in sys.modules or _TELEMETRY in sys.modules:
        return importlib.import_module("openvino")
    sys.modules[_TELEMETRY] = None  # type: ignore[assignment] # Python's mark for "not to be found"
    try:
        return importlib.import_module("openvino")
    finally:
        del sys.modules[_TELEMETRY]


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
    if not network.has_rt_info(["framework", MARK]):
        return {}
    return {MARK: network.get_rt_info(["framework", MARK]).astype(str)}


def shapes(network: Any) -> tuple[Shape, Shape]:  # noqa: ANN401
    """The lengths of an `openvino.Model`'s input and output."""
    return _lengths(network.input(0).partial_shape), _lengths(network.output(0).partial_shape)


def _lengths(shape: Any) -> Shape:  # noqa: ANN401
    """A partial shape's lengths, 0 for what may vary; none where not even their number is known."""
    if shape.rank.is_dynamic:
        return ()
    return tuple(0 if length.is_dynamic else length.get_length() for length in shape)
