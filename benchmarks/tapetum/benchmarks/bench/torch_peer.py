"""Tapetum's networks in plain PyTorch, behind the same colour conversion and grid."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
import numpy.typing as npt
import torch

from tapetum.benchmarks.bench.subjects import Enhance
from tapetum.benchmarks.measure.errors import BenchmarkError
from tapetum.gan.checkpoint import build_generator, load_generator
from tapetum.gan.generator import Generator
from tapetum.gan.grid import GridGenerator
from tapetum.gan.weights import weights_path
from tapetum.realtime.aim import Aim
from tapetum.realtime.cpu.grid_enhancer import GridEnhancer
from tapetum.realtime.cpu.unet_enhancer import UNetEnhancer
from tapetum.realtime.errors import ModelError

Floats = npt.NDArray[np.float32]


Run = Callable[[torch.Tensor], torch.Tensor]

MODES = ("eager", "compile")
PRECISIONS = ("f32", "bf16")
OPTIONS = {"mode": "|".join(MODES), "precision": "|".join(PRECISIONS)}


class TorchEngine:
    """An `Engine`, and a model whose engines are itself: PyTorch takes any shape."""

    def __init__(self, run: Run, description: str, *, precision: str = "f32") -> None:
        self._run = run
        self._description = description
        self._bf16 = precision == "bf16"

    @property
    def description(self) -> str:
        """Runtime, device, mode and precision."""
        return self._description

    def compile(
        self,
        input_shape: tuple[int, ...],  # noqa: ARG002 - compiled, if at all, for what comes
        output_shape: tuple[int, ...] | None = None,  # noqa: ARG002
    ) -> TorchEngine:
        """The engine itself."""
        return self

    def __call__(self, batch: Floats) -> Floats:
        """Run the network on (N, C, H, W) float32.

        Raises:
            BenchmarkError: torch.compile cannot compile it.
        """
        tensor = torch.from_numpy(np.ascontiguousarray(batch))
        with (
            torch.inference_mode(),
            torch.autocast("cpu", dtype=torch.bfloat16, enabled=self._bf16),
        ):
            output: Floats = self._answer(tensor).float().numpy()
        return output

    def _answer(self, tensor: torch.Tensor) -> torch.Tensor:
        try:
            return self._run(tensor)
        except torch._dynamo.exc.TorchDynamoException as error:
            reason = str(error).strip().splitlines()[0]
            raise BenchmarkError(
                f"torch.compile failed, it needs a C++ compiler: {reason}"
            ) from None


def torch_subject(
    kind: str, weights: str | None, *, mode: str = "eager", precision: str = "f32"
) -> tuple[Callable[[], Enhance], str]:
    """A maker of enhancers, and what runs where.

    Args:
        kind: `grid` or `unet`.
        weights: a file; None takes those that ship, and where none do, random ones: the time
            that a network takes does not depend on its weights.
        mode: `eager`, or `compile` for `torch.compile`, which the first frame waits for.
        precision: `f32`, or `bf16` by PyTorch's autocast.

    Raises:
        ModelError: the file cannot be used.
        BenchmarkError: it holds another network.
    """
    generator = _generator(kind, weights)
    if generator.kind != kind:
        raise BenchmarkError(f"{weights} holds {generator.kind} weights, not {kind}")
    threads = torch.get_num_threads()
    runtime = f"CPU, PyTorch {torch.__version__} {mode} {precision}, {threads} threads"
    on_grid = isinstance(generator, GridGenerator)
    run: Run = generator.predict if isinstance(generator, GridGenerator) else generator
    if mode == "compile":
        run = torch.compile(run, dynamic=False)
    engine = TorchEngine(run, runtime, precision=precision)
    aim = Aim()  # as the product has it
    make = partial(GridEnhancer if on_grid else UNetEnhancer, engine, aim=aim)
    return make, f"{kind} on {runtime}"


def _generator(kind: str, weights: str | None) -> Generator:
    if weights is None and not _ships(kind):
        torch.manual_seed(0)
        return build_generator(kind).eval()
    return load_generator(weights or kind)


def _ships(kind: str) -> bool:
    try:
        weights_path(kind)
    except ModelError:
        return False
    return True
