"""The weights that ship with the package, each with its model card; needs no torch."""

from __future__ import annotations

from pathlib import Path

from tapetum.gan.errors import ModelError

GENERATORS = ("grid", "unet")
"""Names of the generators, shipped weights or not."""


def shipped() -> tuple[str, ...]:
    """Names of the generators whose weights ship, the default first."""
    return tuple(name for name in GENERATORS if _file(name, ".onnx").exists())


def weights_path(name: str, suffix: str = ".onnx") -> Path:
    """Where the shipped weights of a generator lie.

    Args:
        name: "grid" or "unet".
        suffix: ".onnx" (what enhances) or ".md" (the model card).

    Raises:
        ModelError: there is no such generator, or no weights of it ship.
    """
    if name not in GENERATORS:
        raise ModelError(f"there is no generator named {name!r}; choose {' or '.join(GENERATORS)}")
    path = _file(name, suffix)
    if not path.exists():
        raise ModelError(
            f"no default weights of {name} ship with this version; name a weights file instead"
        )
    return path


def trained_weights_path(name: str) -> Path:
    """Where the shipped weights of a generator lie as they were trained; as `weights_path`.

    The ONNX file has them, except for `grid`, whose normalisation is folded into its convolutions
    there.
    """
    checkpoint = _file(name, ".safetensors")
    return checkpoint if checkpoint.exists() else weights_path(name)


def _file(name: str, suffix: str) -> Path:
    return Path(__file__).with_name(f"{name}{suffix}")
