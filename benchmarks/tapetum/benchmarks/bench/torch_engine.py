"""Tapetum's networks in plain PyTorch, behind the same colour conversion and grid."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import torch

from tapetum.benchmarks.bench.errors import BenchmarkError
from tapetum.benchmarks.bench.subjects import Enhance
from tapetum.gan.checkpoint import build_generator, load_generator
from tapetum.gan.generator import Generator
from tapetum.gan.grid import GridGenerator
from tapetum.gan.weights import weights_path
from tapetum.realtime.cpu.grid_enhancer import GridEnhancer
from tapetum.realtime.cpu.unet_enhancer import UNetEnhancer
from tapetum.realtime.errors import ModelError

Floats = npt.NDArray[np.float32]


class TorchEngine:
    """An `Engine`, and a model whose engines are itself: PyTorch takes any shape."""

    def __init__(self, run: Callable[[torch.Tensor], torch.Tensor]) -> None:
        self._run = run

    @property
    def description(self) -> str:
        """Runtime, device and precision."""
        return f"CPU, {torch_version()}"

    def compile(
        self,
        input_shape: tuple[int, ...],  # noqa: ARG002 - nothing is compiled
        output_shape: tuple[int, ...] | None = None,  # noqa: ARG002
    ) -> TorchEngine:
        """The engine itself."""
        return self

    def __call__(self, batch: Floats) -> Floats:
        """Run the network on (N, C, H, W) float32."""
        tensor = torch.from_numpy(np.ascontiguousarray(batch))
        with torch.inference_mode():
            output: Floats = self._run(tensor).numpy()
        return output


def torch_enhancer(kind: str, weights: str | None) -> Callable[[], Enhance]:
    """A maker of enhancers.

    Args:
        kind: `grid` or `unet`.
        weights: a file; None takes those that ship, and where none do, random ones: the time
            that a network takes does not depend on its weights.

    Raises:
        ModelError: the file cannot be used.
        BenchmarkError: it holds another network.
    """
    generator = _generator(kind, weights)
    if generator.kind != kind:
        raise BenchmarkError(f"{weights} holds {generator.kind} weights, not {kind}")
    if isinstance(generator, GridGenerator):
        predict = generator.predict
        return lambda: GridEnhancer(TorchEngine(predict))
    return lambda: UNetEnhancer(TorchEngine(generator))


def _generator(kind: str, weights: str | None) -> Generator:
    if weights is None and not _ships(kind):
        torch.manual_seed(0)
        return build_generator(kind).eval()
    return load_generator(weights or kind)


def _ships(kind: str) -> bool:
    try:
        weights_path(kind, ".safetensors")
    except ModelError:
        return False
    return True


def torch_version() -> str:
    """Version, mode, precision and threads, for the results."""
    return f"PyTorch {torch.__version__} eager f32, {torch.get_num_threads()} threads"
