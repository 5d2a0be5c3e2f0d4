"""What the runtimes of networks on the CPU have in common: precisions, and checks of shapes."""

from __future__ import annotations

from typing import Literal

import numpy as np
import numpy.typing as npt

from tapetum.gan.model_kinds import Shape
from tapetum.realtime.errors import EngineError, ModelError

Precision = Literal["f32", "bf16", "auto"]
"""`auto` is bf16 where the CPU computes it natively, else f32."""


def another_model(
    name: str, found: str, input_shape: Shape, output_shape: Shape | None
) -> ModelError:
    """The error of a network that does not take or give what an engine is to.

    Args:
        name: what errors call the file.
        found: what it maps, like "[1,3,?,?] to [...]".
        input_shape: what it is to take.
        output_shape: what it is to give; None for anything.
    """
    wanted = f"{list(input_shape)} to {list(output_shape) if output_shape else 'any'}"
    return ModelError(f"{name} maps shape {found}, expected {wanted}: another model?")


def checked_batch(batch: npt.NDArray[np.float32], shape: Shape) -> npt.NDArray[np.float32]:
    """A batch without gaps.

    Raises:
        EngineError: it is not of this shape, or not float32.
    """
    if batch.shape != shape or batch.dtype != np.float32:
        raise EngineError(f"the network takes {shape} float32; got {batch.shape} {batch.dtype}")
    return np.ascontiguousarray(batch)
