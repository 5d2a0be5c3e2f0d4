"""From a model's name or file to what it is and to its network: the one way there.

Finding and hashing a model loads nothing heavy; describing an ONNX file loads OpenVINO, and what
is done with a checkpoint PyTorch.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from tapetum.gan.errors import ModelError
from tapetum.gan.model_kinds import DESCRIPTIONS, KINDS, LIGHT, Kind, ModelDescription
from tapetum.gan.weights import weights_path

CHECKPOINT_SUFFIXES = (".safetensors", ".pth", ".pt")
MODEL_SUFFIXES = (".onnx", *CHECKPOINT_SUFFIXES)


@dataclass(frozen=True)
class Model:
    """A model that there is: the weights that ship, an ONNX file or a checkpoint.

    Attributes:
        name: the name or file that the user gave.
        path: its file.
        shipped: which of the models that ship it is, or None.
    """

    name: str
    path: Path
    shipped: Kind | None = None

    @property
    def is_checkpoint(self) -> bool:
        """Whether its file holds weights alone, of which the network is made by PyTorch."""
        return self.path.suffix in CHECKPOINT_SUFFIXES

    @cached_property
    def sha256(self) -> str:
        """Hash of its file, as hexadecimal digits.

        Raises:
            ModelError: the file cannot be read.
        """
        import hashlib

        return hashlib.sha256(self._bytes()).hexdigest()

    @cached_property
    def description(self) -> ModelDescription:
        """What it is.

        Raises:
            ModelError: its file is broken or holds another network, or a package that reading it
                takes is not installed.
        """
        if self.shipped:
            return DESCRIPTIONS[self.shipped]
        if not self.is_checkpoint:
            from tapetum.gan.cpu_runtime import describe_onnx

            return describe_onnx(self._bytes(), self.name)
        try:
            from tapetum.gan.checkpoint import load_generator
            from tapetum.gan.unet import LitUNet
        except ImportError as error:
            raise self._lacks(error) from error
        generator = load_generator(self.path)
        light = LIGHT if isinstance(generator, LitUNet) else None
        return DESCRIPTIONS[generator.kind]._replace(light=light)

    def onnx(self) -> bytes:
        """Its network as an ONNX file's bytes; a checkpoint is exported.

        Raises:
            ModelError: its file cannot be read, or a package that exporting takes is not
                installed.
        """
        if not self.is_checkpoint:
            return self._bytes()
        try:
            from tapetum.gan.checkpoint import load_generator
            from tapetum.gan.export import onnx_model
        except ImportError as error:
            raise self._lacks(error) from error
        serialized: bytes = onnx_model(load_generator(self.path)).SerializeToString()
        return serialized

    def _bytes(self) -> bytes:
        try:
            return self.path.read_bytes()
        except OSError as error:
            raise ModelError(f"model file {self.path} cannot be read: {error.strerror}") from error

    def _lacks(self, error: ImportError) -> ModelError:
        return ModelError(
            f"converting {self.path} needs {error.name}: pip install 'tapetum[train]',"
            " or give an .onnx file"
        )


def find_model(model: str | Path) -> Model:
    """Find a model's file; nothing is loaded.

    Args:
        model: "grid" or "unet" for the weights that ship, or a `.onnx`, `.safetensors`, `.pth` or
            `.pt` file.

    Raises:
        ModelError: there is no such model or file; the message names what exists.
    """
    name = str(model)
    for kind in KINDS:
        if name == kind:
            return Model(name, _shipped_file(kind), kind)
    if Path(name).suffix not in MODEL_SUFFIXES:
        raise ModelError(_unknown(name))
    if not os.path.isfile(name):  # noqa: PTH113 - which takes names of any length
        raise ModelError(f"model file {name} does not exist")
    return Model(name, Path(name))


def _shipped_file(kind: Kind) -> Path:
    try:
        return weights_path(kind, ".onnx")
    except ModelError:
        raise ModelError(
            f"no default weights for {kind} ship with this version; give a weights file"
            f" ({', '.join(MODEL_SUFFIXES)}) as the model, or use grid"
        ) from None


def _unknown(name: str) -> str:
    import difflib

    close = difflib.get_close_matches(name, KINDS, n=1)
    hint = f"; did you mean {close[0]}?" if close else ""
    known = f"{', '.join(KINDS)} or a file ({', '.join(MODEL_SUFFIXES)})"
    return f"unknown model {name}: choose {known}{hint}"
