"""Which TensorRT is here: `tensorrt` (10.16 or newer) or `tensorrt_rtx`, which share one API."""

from __future__ import annotations

import importlib
import re
from dataclasses import dataclass
from typing import Any, Literal, get_args

from tapetum.gan.errors import EngineError

FlavourName = Literal["tensorrt", "tensorrt-rtx"]

FLAVOURS: tuple[FlavourName, ...] = get_args(FlavourName)
_MODULES: dict[FlavourName, str] = {"tensorrt": "tensorrt", "tensorrt-rtx": "tensorrt_rtx"}
_OLDEST = {"tensorrt": (10, 16), "tensorrt-rtx": (1, 7)}


@dataclass(frozen=True, slots=True)
class Flavour:
    """An imported TensorRT.

    Attributes:
        name: what `--runtime` calls it.
        version: its version, like "11.0.0.114".
        trt: the module.
    """

    name: FlavourName
    version: str
    trt: Any


def load_flavour(name: FlavourName | None = None) -> Flavour:
    """Import TensorRT.

    Args:
        name: which one; by default `tensorrt`, or else `tensorrt-rtx`.

    Raises:
        EngineError: it is not installed, does not import or is too old.
    """
    for candidate in (name,) if name else FLAVOURS:
        try:
            trt = importlib.import_module(_MODULES[candidate])
        except ModuleNotFoundError:
            continue
        except (ImportError, OSError) as error:
            raise EngineError(f"{candidate} does not import ({error}): reinstall it") from error
        return _new_enough(Flavour(candidate, str(trt.__version__), trt))
    if name:
        raise EngineError(f"{name} is not installed: pip install 'tapetum[{name}]'")
    raise EngineError(
        "no TensorRT is installed: pip install 'tapetum[tensorrt]', or 'tapetum[tensorrt-rtx]' "
        "for GeForce and RTX cards"
    )


def _new_enough(flavour: Flavour) -> Flavour:
    oldest = _OLDEST[flavour.name]
    found = tuple(int(number) for number in re.findall(r"\d+", flavour.version)[:2])
    if found < oldest:
        wanted = ".".join(map(str, oldest))
        raise EngineError(
            f"{flavour.name} {flavour.version} is too old, {wanted} is needed: "
            f"pip install -U 'tapetum[{flavour.name}]'"
        )
    return flavour
