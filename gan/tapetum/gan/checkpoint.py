"""Reads generators from weights files, whoever wrote them."""

from __future__ import annotations

import pickle
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save

from tapetum.gan.errors import ModelError
from tapetum.gan.generator import Generator
from tapetum.gan.grid import GridGenerator
from tapetum.gan.model_kinds import LIGHT, LIGHT_MARK
from tapetum.gan.unet import LIGHT_PREFIX, LitUNet, UNetGenerator
from tapetum.gan.weights import GENERATORS, trained_weights_path

_CLASSES: tuple[type[Generator], ...] = (GridGenerator, UNetGenerator)

_LISTED_NAMES = 3

GENERATOR_PREFIX = "generator."
"""What stands before the names of a generator's weights in an exported ONNX file."""
HALF_SUFFIX = ".half"
"""What stands after those that are stored in float16."""

# A file that is no pickle fails in whichever way its bytes happen to mean.
_UNREADABLE = (
    SafetensorError,
    pickle.UnpicklingError,
    RuntimeError,
    EOFError,
    OSError,
    ValueError,
    LookupError,
    AttributeError,
)


def build_generator(name: str) -> Generator:
    """A generator with random weights, by name ("grid" or "unet").

    Raises:
        ModelError: there is no such generator.
    """
    for generator in _CLASSES:
        if generator.kind == name:
            return generator()
    raise ModelError(f"there is no generator named {name!r}; choose {' or '.join(GENERATORS)}")


def load_generator(name_or_path: str | Path) -> Generator:
    """A generator with weights, ready to enhance (evaluation mode, float32, on the CPU).

    Args:
        name_or_path: "grid" or "unet" for the weights that ship with the package, or a
            `.safetensors`, `.pth` or `.pt` file. EnlightenGAN's published checkpoint is one; its
            keys may have a `module.` prefix. Which generator it is, its keys tell. An `.onnx` file
            that was exported from a `unet` will do as well; one of a `grid` has no longer the
            weights that were trained.

    Returns:
        A module that maps RGB in [-1, 1], (N, 3, H, W) of any size, to the same shape.

    Raises:
        ModelError: there is no such file or generator, the file is broken, or its keys or
            shapes are not those of a generator.
    """
    path = Path(name_or_path)
    if str(name_or_path) in GENERATORS:
        path = trained_weights_path(str(name_or_path))
    state = {key.removeprefix("module."): value for key, value in read_state(path).items()}
    generator = _generator_of(state)
    _load_strictly(generator, state, path)
    generator = generator.float().eval()
    if isinstance(generator, UNetGenerator):
        generator.fit_half_precision()
    return generator


def _generator_of(state: dict[str, torch.Tensor]) -> Generator:
    """The generator whose keys these are, with random weights."""
    if "conv1_1.weight" not in state:
        return GridGenerator()
    return LitUNet() if any(key.startswith(LIGHT_PREFIX) for key in state) else UNetGenerator()


def save_generator(generator: Generator, path: Path, *, half: bool = False) -> None:
    """Write a generator's weights as safetensors, in float16 if `half`."""
    state = {
        key: value.half() if half and value.is_floating_point() else value
        for key, value in generator.state_dict().items()
    }
    path.write_bytes(save({key: value.contiguous() for key, value in state.items()}))


def read_state(path: Path) -> dict[str, torch.Tensor]:
    """Read the tensors of a weights file; nothing in it is executed.

    Raises:
        ModelError: the file is missing, broken or holds something else.
    """
    if not path.is_file():
        raise ModelError(f"{path}: no such weights file")
    try:
        if path.suffix == ".onnx":
            return _state_of_onnx(path)
        if path.suffix == ".safetensors":
            state = load_file(path)
        else:
            state = torch.load(path, map_location="cpu", weights_only=True)
    except _UNREADABLE as error:
        raise ModelError(f"{path}: not a readable weights file ({_first_line(error)})") from error
    if not isinstance(state, dict) or not state:
        raise ModelError(f"{path}: holds no state dict of tensors")
    if not all(isinstance(value, torch.Tensor) for value in state.values()):
        raise ModelError(f"{path}: holds more than tensors; save the generator's state_dict alone")
    return state


def _state_of_onnx(path: Path) -> dict[str, torch.Tensor]:
    """The weights that `tapetum.gan.export` stored, under the names that they have in PyTorch."""
    import onnx
    from google.protobuf.message import DecodeError

    try:
        model = onnx.load(path)
    except DecodeError as error:
        raise ModelError(f"{path}: not a readable ONNX model") from error
    said = {entry.key: entry.value for entry in model.metadata_props}
    state = {
        weight.name.removeprefix(GENERATOR_PREFIX).removesuffix(HALF_SUFFIX): torch.from_numpy(
            onnx.numpy_helper.to_array(weight).copy()
        )
        for weight in model.graph.initializer
        if weight.name.startswith(GENERATOR_PREFIX)
    }
    if not state:
        raise ModelError(f"{path}: holds no weights of a generator; name a checkpoint")
    return state | _state_of_light(said.get(LIGHT_MARK), path)


def _state_of_light(name: str | None, path: Path) -> dict[str, torch.Tensor]:
    if name is None:
        return {}
    if name != LIGHT:
        raise ModelError(f"{path}: its light is {name!r}; this version knows {LIGHT} alone")
    light = read_state(trained_weights_path(LIGHT))
    return {f"{LIGHT_PREFIX}{key}": value for key, value in light.items()}


def _load_strictly(generator: Generator, state: dict[str, torch.Tensor], path: Path) -> None:
    expected = generator.state_dict()
    # Checkpoints from before PyTorch 0.4.1 do not count batches, and nothing here reads the count.
    absent = {key for key in expected.keys() - state.keys() if "num_batches" not in key}
    surplus = state.keys() - expected.keys()
    shared = expected.keys() & state.keys()
    reshaped = {key for key in shared if state[key].shape != expected[key].shape}
    for problem, keys in (("lacks", absent), ("adds", surplus), ("has other shapes of", reshaped)):
        if keys:
            listed = ", ".join(sorted(keys)[:_LISTED_NAMES])
            more = f" and {len(keys) - _LISTED_NAMES} more" if len(keys) > _LISTED_NAMES else ""
            raise ModelError(f"{path}: not a {generator.kind} generator; {problem} {listed}{more}")
    generator.load_state_dict(state, strict=False)


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0] or type(error).__name__
