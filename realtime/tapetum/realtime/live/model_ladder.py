"""The ladder of a model: which models stand in for it, and how each is loaded."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from tapetum.gan.cpu_runtime import has_cpu_runtime
from tapetum.gan.model import Model, find_model
from tapetum.gan.model_kinds import Kind
from tapetum.realtime.aim import Aim
from tapetum.realtime.choices import Denoise, Device
from tapetum.realtime.enhancer import (
    check_device_is_there,
    check_restores,
    checked_denoise,
    make_enhancer,
)
from tapetum.realtime.errors import ModelError
from tapetum.realtime.live.ladder import Ladder
from tapetum.realtime.live.modes import CURVE, efforts
from tapetum.realtime.live.rung import Loader
from tapetum.realtime.protocols import FrameEnhancer

_NO_STAND_IN = (
    "nothing that runs models on the CPU is installed (pip install openvino): while the GPU's model"
    " is prepared, and where it is late or lost, pictures are made bright by a simple curve"
)

if TYPE_CHECKING:
    from tapetum.realtime.cuda.cuda_enhancer import EngineChoice
    from tapetum.realtime.cuda.device import CudaDevice
    from tapetum.realtime.progress import Building


def ladder_for(
    model: str | Path = "grid",
    *,
    strength: float = 1.0,
    aim: Aim = Aim(),  # noqa: B008 - it is immutable
    denoise: Denoise = "off",
    device: Device = "auto",
    budget_ms: float = 50.0,
    memory: CudaDevice | None = None,
    sizes_change: bool = False,
    former: Ladder | None = None,
    on_notice: Callable[[str], None] = lambda _line: None,
) -> Ladder:
    """The modes for a model: itself, itself on reduced frames, `grid` with less and less effort.

    A grid model has no reduced mode, nor has a checkpoint, which is no ONNX file. On a GPU all of
    them are its own, and `grid` on the CPU stands in for them; where nothing runs models on the
    CPU, a notice says so, and a simple curve does.

    Args:
        model: `grid`, `unet`, or a model file.
        strength: from 0 to 2.
        aim: when pictures are made bright, and how bright.
        denoise: how much noise grid models take out: `auto`, `off`, or from 0 to 1.
        device: `auto` or `cpu`, or a GPU such as `cuda`.
        budget_ms: how long a frame may be with us.
        memory: the GPU, opened, in whose memory its pictures stay; see `make_round_trip`.
        sizes_change: whether pictures may change their size often, see `make_round_trip`.
        former: the stream's ladder before, see `Ladder`.
        on_notice: see `Ladder`.

    Raises:
        ModelError: there is no such model, or a brightness is wanted and it gives no grid.
        DeviceError: the GPU, or what it needs, is missing.
        ValueError: a number is out of its range, or there is no device of that name.
    """
    found = find_model(model)
    choice = check_device_is_there(device)  # one line now, not in a thread when the stream runs
    name = found.shipped or _mode_name(Path(model))
    is_grid = _is_network(found, "grid")
    if aim.brightness is not None and not is_grid:
        raise ModelError(f"brightness is for grid models; {model} is none")
    on_cpu = _ModelLoader(model, "cpu")
    everyday: tuple[str, Loader | None]
    everyday = (name, on_cpu) if is_grid else ("grid", _ModelLoader("grid", "cpu"))
    heavy: dict[str, Loader] = {} if is_grid else {name: on_cpu}
    reduces = _is_network(found, "unet") and found.description.fixed_size is None
    if choice is not None:
        check_restores(found, denoise)
        loader = partial(_GpuLoader, device, memory, sizes_change, denoise, choice, on_notice)
        loaders = _gpu_loaders(name, model, loader, is_grid=is_grid, reduces=reduces)
        heavy = {f"{mode} on {device}": load for mode, load in loaders.items()}
        if not has_cpu_runtime():
            everyday = CURVE, None
            on_notice(_NO_STAND_IN)
        for line in (*choice.notices, *_left_undone(found, denoise)):
            on_notice(line)
    elif reduces:
        heavy[f"{name}-reduced"] = _ReducedLoader(found)
    return Ladder(
        everyday,
        heavy,
        strength=strength,
        denoise=checked_denoise(denoise),
        budget_ms=budget_ms,
        aim=aim,
        replaceable=heavy if choice is not None else (),
        former=former,
        on_notice=on_notice,
    )


def _gpu_loaders(
    name: str,
    model: str | Path,
    loader: Callable[..., Loader],
    *,
    is_grid: bool,
    reduces: bool,
) -> dict[str, Loader]:
    """What a GPU has of a model, by its names without the GPU's, the best first."""
    loaders = {name: loader(model)}
    if reduces:
        loaders[f"{name}-reduced"] = loader(model, reduced=True)
    if not is_grid:
        loaders["grid"] = loader("grid")
    return loaders


@dataclass(frozen=True, slots=True)
class _ModelLoader:
    """Loads a model; two of the same model are equal."""

    model: str | Path
    device: Device

    def __call__(self) -> FrameEnhancer:
        return make_enhancer(self.model, device=self.device)


@dataclass(frozen=True, slots=True)
class _GpuLoader:
    """Loads a model on a GPU that was checked; two of the same model are equal."""

    device: Device
    memory: CudaDevice | None
    sizes_change: bool
    denoise: Denoise
    choice: EngineChoice = field(compare=False)
    on_notice: Callable[[str], None] = field(compare=False)
    model: str | Path
    reduced: bool = False

    def __call__(self) -> FrameEnhancer:
        from tapetum.realtime.cuda.round_trip import make_round_trip

        def tell(building: Building) -> None:
            if not building.phase:
                self.on_notice(f"an engine is built, once: {building.description}")

        return make_round_trip(
            self.model,
            self.device,
            choice=self.choice,
            memory=self.memory,
            sizes_change=self.sizes_change,
            reduced=self.reduced,
            denoise=self.denoise,
            on_build=tell,
        )


@dataclass(frozen=True, slots=True)
class _ReducedLoader:
    """Loads a `unet` network as a grid model."""

    model: Model

    def __call__(self) -> FrameEnhancer:
        from tapetum.realtime.cpu.reduced_unet import make_reduced_unet

        return make_reduced_unet(self.model)


def _left_undone(model: Model, denoise: Denoise) -> tuple[str, ...]:
    from tapetum.realtime.cuda.gpu_limits import left_undone

    return left_undone(model.description, denoise=denoise)


def _mode_name(path: Path) -> str:
    """A file's stem, unless it would be taken for a mode of the model that ships."""
    return path.name if path.stem in efforts("grid") else path.stem


def _is_network(model: Model, kind: Kind) -> bool:
    """Whether a model is of a kind; a checkpoint, which takes long to read, counts as none."""
    return not model.is_checkpoint and model.description.kind == kind
