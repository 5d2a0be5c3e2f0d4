"""What is measured: Tapetum's models, and nothing at all, which is the harness's own cost."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from tapetum.benchmarks.bench.stages import Staged, StagedGrid, StagedUNet
from tapetum.benchmarks.measure.errors import BenchmarkError
from tapetum.gan.model import Model, find_model
from tapetum.gan.model_kinds import GRID_OUTPUT_SHAPE, KINDS, THUMBNAIL_SHAPE
from tapetum.realtime import Frame, FrameEnhancer, make_enhancer
from tapetum.realtime.aim import Aim
from tapetum.realtime.choices import Denoise, Device
from tapetum.realtime.cpu.cpu_network import CpuNetwork, cpu_network
from tapetum.realtime.cpu.grid_enhancer import GridEnhancer
from tapetum.realtime.cpu.network_shapes import Precision
from tapetum.realtime.cpu.unet_enhancer import MAX_PIXELS, UNetEnhancer
from tapetum.realtime.enhancer import make_light
from tapetum.realtime.opened_video import OpenedVideo
from tapetum.realtime.protocols import Engine

EMPTY = "empty"
"""The subject that gives every frame back as it is."""


Enhance = Callable[[Frame], Frame]


@dataclass(frozen=True)
class Network:
    """The network that a model runs, for its arithmetic to be counted and its stages timed.

    Attributes:
        onnx: the network itself.
        threads: CPU threads for a run; None takes all.
        whole_frame: whether it sees the whole frame, as `unet` does, or a thumbnail.
        precision: what it is computed in.
        denoise: how much noise is taken out around it, by `grid`.
        light: the model behind which it stands, if it does.
    """

    onnx: bytes
    threads: int | None
    whole_frame: bool
    precision: Precision = "auto"
    denoise: Denoise = "off"
    light: Model | None = None

    def input_shape(self, frame: Frame) -> tuple[int, ...]:
        """What it sees of a frame; a large `unet` frame is counted as one tile."""
        if not self.whole_frame:
            return THUMBNAIL_SHAPE
        height, width = (-(-side // 16) * 16 for side in (frame.height, frame.width))
        return 1, 3, height, width

    def staged(self) -> Staged:
        """The enhancer around the network, in its parts."""
        model = self._model()
        if self.whole_frame:
            return StagedUNet(model, self._light())
        return StagedGrid(_grid_engine(model), self.denoise)

    def enhancer(
        self,
        *,
        max_pixels: int = MAX_PIXELS,
        aim: Aim = Aim(),  # noqa: B008 - it is frozen
    ) -> FrameEnhancer:
        """The enhancer around the network, in its precision; larger `unet` frames are tiled."""
        model = self._model()
        if self.whole_frame:
            return UNetEnhancer(model, max_pixels=max_pixels, aim=aim, light=self._light())
        return GridEnhancer(_grid_engine(model), aim=aim, denoise=self.denoise)

    def _light(self) -> GridEnhancer | None:
        return None if self.light is None else make_light(self.light, self.denoise)

    def _model(self) -> CpuNetwork:
        return cpu_network(self.onnx, threads=self.threads, precision=self.precision)


def _grid_engine(model: CpuNetwork) -> Engine:
    return model.compile(THUMBNAIL_SHAPE, GRID_OUTPUT_SHAPE)


@dataclass(frozen=True)
class Subject:
    """Something that enhances frames.

    Attributes:
        name: on the command line and in results.
        make: a fresh one, for one stream.
        runs_on: what runs where.
        network: of Tapetum's own models on the CPU.
        staged: a fresh one in its parts; None where nobody takes it apart.
        cpu_twin: the same network in single precision on the CPU, for a model on a GPU.
        open_video: opens a clip, of so many seconds at most, for a model on a GPU: the pipeline
            of `tapetum enhance`.
        model: name or file of one of Tapetum's own models.
        device: where that model runs, as `--device` names it.
        denoise: how much noise it takes out, as `--denoise` names it.
        notes: what a reader of every result must know, such as why an engine is not the usual one.
    """

    name: str
    make: Callable[[], Enhance]
    runs_on: str
    network: Network | None = None
    staged: Callable[[], Staged] | None = None
    cpu_twin: Network | None = None
    open_video: Callable[[Path, float], OpenedVideo] | None = None
    model: str = ""
    device: Device = "auto"
    denoise: Denoise = "off"
    notes: tuple[str, ...] = ()

    @property
    def on_gpu(self) -> bool:
        """Whether a GPU enhances."""
        return self.open_video is not None

    @property
    def on_one_core(self) -> bool:
        """Whether one core does most of the work, as far as anybody knows."""
        return self.network is not None and self.network.threads == 1

    @property
    def changes_pixels(self) -> bool:
        """Whether an untouched frame is a fault."""
        return self.name != EMPTY


def empty_subject() -> Subject:
    """What gives every frame back as it is: the harness's own cost."""
    return Subject(EMPTY, lambda: _untouched, "nothing: the harness alone")


def _untouched(frame: Frame) -> Frame:
    return frame


def cpu_subject(name: str, device: Device, denoise: Denoise = "auto") -> Subject:
    """A model in its usual precision, on the CPU.

    Args:
        name: of the model.
        device: where it runs.
        denoise: how much noise is taken out, by `grid` or before `unet`; part of the name, but
            for `auto`.

    Raises:
        ModelError: there is no such model, or its file cannot be used.
        DeviceError: the device is missing.
    """
    described = find_model(name).description
    on_grid = described.kind == "grid" or described.light is not None
    taken_out: Denoise = denoise if on_grid else "off"
    enhancer = make_enhancer(name, device=device, denoise=taken_out)
    network = _network(name, enhancer, taken_out)
    usual = not on_grid or denoise == "auto"
    return Subject(
        name=model_title(name) if usual else f"{model_title(name)} denoise={denoise}",
        make=lambda: make_enhancer(name, device=device, denoise=taken_out),
        runs_on=enhancer.description,
        network=network,
        staged=network.staged if network else None,
        model=name,
        device=device,
        denoise=taken_out,
    )


def model_title(name: str) -> str:
    """What results call a model: its name, or its file's without the folder."""
    return name if name in KINDS else Path(name).name


def in_precision(usual: Subject, precision: Precision) -> Subject:
    """The same model with a network that is computed in a precision, which is part of its name.

    Raises:
        BenchmarkError: it has no network on the CPU.
        EngineError: the CPU does not compute in this precision.
    """
    if usual.network is None:
        raise BenchmarkError(f"{usual.name} has no precision to choose: {usual.runs_on}")
    network = replace(usual.network, precision=precision)
    return replace(
        usual,
        name=f"{usual.name} {precision}",
        make=network.enhancer,
        runs_on=network.enhancer().description,
        network=network,
        staged=network.staged,
    )


def _network(name: str, enhancer: FrameEnhancer, denoise: Denoise) -> Network | None:
    """The network of an enhancer on the CPU; others are measured as a whole."""
    if isinstance(enhancer, GridEnhancer):
        return replace(network_on_cpu(name, whole_frame=False), denoise=denoise)
    if isinstance(enhancer, UNetEnhancer):
        model = find_model(name)
        behind = model if model.description.light else None
        return replace(network_on_cpu(name, whole_frame=True), denoise=denoise, light=behind)
    return None


def network_on_cpu(name: str, *, whole_frame: bool, precision: Precision = "auto") -> Network:
    """The network of a model, with as many threads as `make_enhancer` gives it."""
    # One thread for grid, since the others decode and encode.
    return Network(find_model(name).onnx(), None if whole_frame else 1, whole_frame, precision)
