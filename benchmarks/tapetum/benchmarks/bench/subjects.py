"""What is measured: Tapetum's models, and nothing at all, which is the harness's own cost."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from tapetum.benchmarks.bench.errors import BenchmarkError
from tapetum.benchmarks.bench.stages import Staged, StagedGrid, StagedUNet
from tapetum.gan.model import find_model
from tapetum.gan.model_kinds import GRID_OUTPUT_SHAPE, THUMBNAIL_SHAPE
from tapetum.realtime import Frame, FrameEnhancer, make_enhancer
from tapetum.realtime.choices import MODELS, Device
from tapetum.realtime.cpu.grid_enhancer import GridEnhancer
from tapetum.realtime.cpu.openvino_engine import OpenVINOModel, Precision
from tapetum.realtime.cpu.unet_enhancer import MAX_PIXELS, UNetEnhancer
from tapetum.realtime.enhancer import is_cuda
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
    """

    onnx: bytes
    threads: int | None
    whole_frame: bool
    precision: Precision = "auto"

    def input_shape(self, frame: Frame) -> tuple[int, ...]:
        """What it sees of a frame; a large `unet` frame is counted as one tile."""
        if not self.whole_frame:
            return THUMBNAIL_SHAPE
        height, width = (-(-side // 16) * 16 for side in (frame.height, frame.width))
        return 1, 3, height, width

    def staged(self) -> Staged:
        """The enhancer around the network, in its parts."""
        model = self._model()
        return StagedUNet(model) if self.whole_frame else StagedGrid(_grid_engine(model))

    def enhancer(self, *, max_pixels: int = MAX_PIXELS) -> FrameEnhancer:
        """The enhancer around the network, in its precision; larger `unet` frames are tiled."""
        model = self._model()
        if self.whole_frame:
            return UNetEnhancer(model, max_pixels=max_pixels)
        return GridEnhancer(_grid_engine(model))

    def _model(self) -> OpenVINOModel:
        return OpenVINOModel(self.onnx, threads=self.threads, precision=self.precision)


def _grid_engine(model: OpenVINOModel) -> Engine:
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
    notes: tuple[str, ...] = ()

    @property
    def on_gpu(self) -> bool:
        """Whether a GPU enhances."""
        return self.open_video is not None

    @property
    def on_one_core(self) -> bool:
        """Whether one core does the work, as far as anybody knows."""
        return self.network is not None and self.network.threads == 1

    @property
    def changes_pixels(self) -> bool:
        """Whether an untouched frame is a fault."""
        return self.name != EMPTY


def subject(name: str, device: Device = "auto", precision: Precision = "auto") -> Subject:
    """The subject of a name.

    Args:
        name: `grid`, `unet`, a model file, or `empty`.
        device: where a model runs.
        precision: what its network is computed in; but for `auto`, it is part of the subject's
            name.

    Raises:
        ModelError: there is no such model, or its file cannot be used.
        DeviceError: the device is missing.
        EngineError: the device does not compute in this precision.
    """
    if name == EMPTY:
        return Subject(EMPTY, lambda: _untouched, "nothing: the harness alone")
    if is_cuda(device):
        from tapetum.benchmarks.bench.gpu_subject import gpu_subject

        usual = gpu_subject(name, device)
    else:
        usual = _usual(name, device)
    return usual if precision == "auto" else _in_precision(usual, precision)


def _usual(name: str, device: Device) -> Subject:
    enhancer = make_enhancer(name, device=device)
    network = _network(name, enhancer)
    return Subject(
        name=model_title(name),
        make=lambda: make_enhancer(name, device=device),
        runs_on=enhancer.description,
        network=network,
        staged=network.staged if network else None,
        model=name,
        device=device,
    )


def model_title(name: str) -> str:
    """What results call a model: its name, or its file's without the folder."""
    return name if name in MODELS else Path(name).name


def _in_precision(usual: Subject, precision: Precision) -> Subject:
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


def _untouched(frame: Frame) -> Frame:
    return frame


def _network(name: str, enhancer: FrameEnhancer) -> Network | None:
    """The network of an enhancer on the CPU; others are measured as a whole."""
    if isinstance(enhancer, GridEnhancer):
        return network_on_cpu(name, whole_frame=False)
    if isinstance(enhancer, UNetEnhancer):
        return network_on_cpu(name, whole_frame=True)
    return None


def network_on_cpu(name: str, *, whole_frame: bool, precision: Precision = "auto") -> Network:
    """The network of a model, with as many threads as `make_enhancer` gives it."""
    # One thread for grid, since the others decode and encode.
    return Network(find_model(name).onnx(), None if whole_frame else 1, whole_frame, precision)


def different_names(subjects: list[Subject]) -> list[Subject]:
    """The subjects themselves, if no two have one name.

    Raises:
        BenchmarkError: two have.
    """
    names = [each.name for each in subjects]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise BenchmarkError(f"{', '.join(twice)} is named twice; name each subject once")
    return subjects
