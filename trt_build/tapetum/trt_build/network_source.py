"""Finds the network that a model's name or file means, and reads it as float32 ONNX."""

from __future__ import annotations

import hashlib
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tapetum.gan.errors import ModelError
from tapetum.gan.weights import GENERATORS, weights_path
from tapetum.trt_build.profile import Size

if TYPE_CHECKING:
    import onnx

_CHECKPOINTS = (".safetensors", ".pth", ".pt")
THUMBNAIL = 256
"""Height and width of a `grid` network's input, as in `tapetum.gan.grid`."""


@dataclass(frozen=True, slots=True)
class NetworkSource:
    """A model and the file that it is read from.

    Attributes:
        model: the name or file that the user gave.
        path: the file.
        sha256: of the file's bytes.
    """

    model: str
    path: Path
    sha256: str

    @property
    def has_weights(self) -> bool:
        """Whether PyTorch can load it: a named generator or a checkpoint."""
        return self.model in GENERATORS or self.path.suffix in _CHECKPOINTS


@dataclass(frozen=True, slots=True)
class NetworkDescription:
    """What a model is.

    Attributes:
        kind: "grid" or "unet".
        fixed_size: (height, width) of an ONNX file that takes no other, or None.
    """

    kind: str
    fixed_size: Size | None


def find_network(model: str | Path) -> NetworkSource:
    """Find a model's file.

    Args:
        model: "grid" or "unet" for the weights that ship, or a `.onnx`, `.safetensors`, `.pth` or
            `.pt` file.

    Raises:
        ModelError: there is no such model or file, or its suffix is none of these.
    """
    name = str(model)
    path = weights_path(name) if name in GENERATORS else Path(model)
    if not path.suffix and not path.exists():
        names = ", ".join(GENERATORS)
        raise ModelError(f"there is no model named {name!r}; choose {names}, or name a model file")
    if path.suffix not in (".onnx", *_CHECKPOINTS):
        raise ModelError(f"{path}: not a model file; expected .onnx or {', '.join(_CHECKPOINTS)}")
    try:
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise ModelError(f"{path}: cannot be read ({error.strerror}); check its name") from error
    return NetworkSource(name, path, digest)


def read_network(source: NetworkSource) -> onnx.ModelProto:
    """Read a model as float32 ONNX; a checkpoint is exported, which takes PyTorch.

    Raises:
        ModelError: the file is broken, or a package that reading it takes is not installed.
    """
    try:
        import onnx

        if source.path.suffix == ".onnx":
            return _parsed(source.path.read_bytes(), source.path)
        from tapetum.gan.export import export_weights
    except ImportError as error:
        raise _missing(source, error) from error
    with tempfile.TemporaryDirectory() as folder:
        exported = Path(folder) / "network.onnx"
        export_weights(source.path, exported)
        return onnx.load_from_string(exported.read_bytes())


def describe_network(source: NetworkSource) -> NetworkDescription:
    """Say what a model is without exporting it.

    Raises:
        ModelError: the file is broken, or a package that reading it takes is not installed.
    """
    if source.model in GENERATORS:
        return NetworkDescription(source.model, None)
    if source.path.suffix == ".onnx":
        network = read_network(source)
        height, width = input_shape(network)[2:]
        return NetworkDescription(network_kind(network), (height, width) if height else None)
    try:
        from tapetum.gan.checkpoint import load_generator
    except ImportError as error:
        raise _missing(source, error) from error
    return NetworkDescription(load_generator(source.path).kind, None)


def network_kind(network: onnx.ModelProto) -> str:
    """Which generator a network is, "grid" or "unet", by its mark or else by its input's size."""
    for item in network.metadata_props:
        if item.key == "tapetum.generator":
            return str(item.value)
    return "grid" if input_shape(network)[2:] == (THUMBNAIL, THUMBNAIL) else "unet"


def input_shape(network: onnx.ModelProto) -> tuple[int, ...]:
    """Shape of a network's input; 0 for what may vary."""
    dimensions = network.graph.input[0].type.tensor_type.shape.dim
    return tuple(int(dimension.dim_value) for dimension in dimensions)


def _missing(source: NetworkSource, error: ImportError) -> ModelError:
    package = "onnx" if error.name == "onnx" else "'tapetum[train]'"
    return ModelError(f"{source.path}: building it needs {error.name}: pip install {package}")


def _parsed(serialized: bytes, path: Path) -> onnx.ModelProto:
    import onnx
    from google.protobuf.message import DecodeError

    try:
        network = onnx.load_from_string(serialized)
        onnx.checker.check_model(network)
    except (DecodeError, onnx.checker.ValidationError) as error:
        raise ModelError(f"{path}: not a readable ONNX model") from error
    if not _is_of_one_picture(network):
        raise ModelError(f"{path}: not a generator; it does not map one picture to one output")
    return network


def _is_of_one_picture(network: onnx.ModelProto) -> bool:
    """Whether a network maps one (1, 3, H, W) to one output; what may vary may be 1 and 3."""
    if len(network.graph.input) != 1 or len(network.graph.output) != 1:
        return False
    shape = input_shape(network)
    return len(shape) == 4 and shape[0] in (0, 1) and shape[1] in (0, 3)
