"""How to train: frozen settings, checked when they are made, written to and read from TOML.

The defaults are EnlightenGAN's, as in the authors' code; each switch that leaves the paper or the
code says so.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from tapetum.gan.errors import TrainingError


def _require(truth: bool, message: str) -> None:
    if not truth:
        raise TrainingError(message)


def _require_shares(settings: object, *names: str) -> None:
    for name in names:
        value = getattr(settings, name)
        _require(0 <= value <= 1, f"{name} is a share from 0 to 1, not {value}")


def _require_positive(settings: object, *names: str) -> None:
    for name in names:
        value = getattr(settings, name)
        _require(value is None or value > 0, f"{name} must be over 0, not {value}")


@dataclass(frozen=True, kw_only=True)
class DataConfig:
    """What becomes of the photos.

    Attributes:
        crop: height and width of the training pictures, pixels.
        window: `pixels` cuts crop x crop pixels of the photo, as EnlightenGAN does; `share` cuts
            50 to 100 % of each side and resamples it to crop x crop, as `grid` sees whole frames.
        max_reduction: with `pixels`, the window is up to this many times larger than the crop and
            is reduced to it, so that small crops show whole scenes too. EnlightenGAN: 1.
        vertical_flips: with `pixels`, turn half of the windows upside down, as the authors' code
            does besides mirroring half of them.
        darkened_share: share of inputs that are darkened once more; the self feature preserving
            loss still compares with the photo as it was. The paper: 0; the authors' code: 0.5.
        darkening: smallest and largest divisor of that darkening.
        noise_share: share of low-light inputs with added Poisson-Gaussian noise. EnlightenGAN: 0.
        jpeg_share: share of low-light inputs with JPEG artefacts. EnlightenGAN: 0.
        denoised_share: share of low-light photos, and of darkened ones, whose noise is taken out,
            as it is before what enhances pictures. EnlightenGAN: 0.
        harsh_share: share of darkened photos that lose light in the shadows more than in the
            lights; see `Darkness.harsh_share`.
        workers: processes that read photos; 0 reads them in the training process.
    """

    crop: int = 320
    window: Literal["pixels", "share"] = "pixels"
    max_reduction: float = 1.0
    vertical_flips: bool = True
    darkened_share: float = 0.5
    darkening: tuple[float, float] = (2.0, 4.0)
    noise_share: float = 0.0
    jpeg_share: float = 0.0
    denoised_share: float = 0.0
    harsh_share: float = 0.5
    workers: int = 2

    def __post_init__(self) -> None:
        _require(self.crop >= 32, f"crop must be at least 32 pixels, not {self.crop}")
        _require(self.max_reduction >= 1, f"max_reduction is at least 1, not {self.max_reduction}")
        low, high = self.darkening
        _require(1 <= low <= high, f"darkening must be two rising divisors, not {self.darkening}")
        _require_shares(self, "darkened_share", "noise_share", "jpeg_share", "denoised_share")
        _require_shares(self, "harsh_share")
        _require(self.workers >= 0, f"workers must be 0 or more, not {self.workers}")


@dataclass(frozen=True, kw_only=True)
class LossConfig:
    """Weight of each term of the generator's loss, and how the terms are taken.

    Attributes:
        global_adversarial: weight of the relativistic loss on whole crops.
        local_adversarial: weight of the least-squares loss on patches.
        global_features: weight of the self feature preserving loss on whole crops.
        local_features: weight of the self feature preserving loss on patches.
        pair_pixel: weight of the Charbonnier error on darkened well-lit photos. EnlightenGAN
            has no such pairs; the terms anchor the exposure and remove noise.
        pair_illumination: weight of the error of their means over 16x16 cells.
        pair_contrast: weight of the error of their gradients.
        pair_detail: weight of the error of their relative detail, which no error of the exposure
            hides: a network that must guess that makes haze.
        pair_color: weight of the error of their colours, relative to luma.
        pair_hue: weight of the error of their hue, where these are coloured.
        pair_kept_color: weight of the error of their colours to those of the dark inputs, where
            these are lit. Of noisy colours, the least error to clean ones is at half of the
            saturation; this asks for all of it.
        low_illumination: weight of the error of the enhanced low-light photos' means over 16x16
            cells, to what the teacher makes of the whole photos, as dark as the inputs are: a crop
            alone does not tell a black sky from a wall in the dark.
        low_detail: weight of the error of the enhanced low-light photos' relative detail, to that
            of the photos.
        low_color: weight of the error of their colours, where the photos are lit.
        low_hue: weight of the error of their hue, where the photos are coloured.
        roughness: weight of the steps between cells (`grid` only).
        reversed_tones: weight of falling luma curves (`grid` only).
        local_patches: patches a picture. The paper: 5; the authors' code: 6.
        patch: height and width of a patch, pixels.
        light_cells: how many cells a crop's light has on each side, which a light or teacher says:
            within a cell, darkened photos have their own contrast back. For dark photos behind
            a light the same; without one, 16.
        reduction: the losses look at pictures reduced by this (`grid` only): a grid is predicted
            from the whole crop, and light and colour show as well on a quarter of the pixels.
        halved_global_terms: halve both discriminator and generator terms of the global
            discriminator. The paper: no; the authors' code: yes.
        halved_local_discriminator: halve the local discriminator's own loss. The paper: no; the
            authors' code: yes.
        vgg_mean_subtraction: subtract ImageNet's mean colour before VGG-16. EnlightenGAN: no.
    """

    global_adversarial: float = 1.0
    local_adversarial: float = 1.0
    global_features: float = 1.0
    local_features: float = 1.0
    pair_pixel: float = 0.0
    pair_illumination: float = 0.0
    pair_contrast: float = 0.0
    pair_detail: float = 0.0
    pair_color: float = 0.0
    pair_hue: float = 0.0
    pair_kept_color: float = 0.0
    low_illumination: float = 0.0
    low_detail: float = 0.0
    low_color: float = 0.0
    low_hue: float = 0.0
    roughness: float = 0.0
    reversed_tones: float = 0.0
    local_patches: int = 6
    patch: int = 32
    light_cells: int = 8
    reduction: int = 1
    halved_global_terms: bool = True
    halved_local_discriminator: bool = True
    vgg_mean_subtraction: bool = False

    def __post_init__(self) -> None:
        for name, weight in self.weights().items():
            _require(weight >= 0, f"the weight of {name} must be 0 or more, not {weight}")
        _require(self.unpaired or self.pairs, "no loss has a weight; nothing would be learnt")
        _require_positive(self, "local_patches", "patch", "light_cells", "reduction")

    def weights(self) -> dict[str, float]:
        """Weight of every term, by name."""
        values = dataclasses.asdict(self)
        return {name: value for name, value in values.items() if name in TERMS}

    @property
    def unpaired(self) -> bool:
        """Whether anything is learnt from the low-light photos."""
        low = self.low_illumination or self.low_detail or self.low_color or self.low_hue
        return bool(self.adversarial or self.features or low)

    @property
    def adversarial(self) -> bool:
        """Whether well-lit photos are needed to compare with."""
        return bool(self.global_adversarial or self.local_adversarial)

    @property
    def features(self) -> bool:
        """Whether VGG-16 is needed."""
        return bool(self.global_features or self.local_features)

    @property
    def for_grid(self) -> bool:
        """Whether anything is set that only the grid generator has."""
        return bool(self.roughness or self.reversed_tones or self.reduction > 1)

    @property
    def pairs(self) -> bool:
        """Whether darkened well-lit photos are needed."""
        return any(weight for name, weight in self.weights().items() if name.startswith("pair_"))


TERMS = (
    "global_adversarial",
    "local_adversarial",
    "global_features",
    "local_features",
    "pair_pixel",
    "pair_illumination",
    "pair_contrast",
    "pair_detail",
    "pair_color",
    "pair_hue",
    "pair_kept_color",
    "low_illumination",
    "low_detail",
    "low_color",
    "low_hue",
    "roughness",
    "reversed_tones",
)
"""Names of the generator's loss terms."""


@dataclass(frozen=True, kw_only=True)
class OptimizerConfig:
    """Adam and its schedule: constant, then linearly to 0.

    Attributes:
        epochs: passes over the photos of the larger folder, as in the authors' code, unless
            `steps` is given. Where no loss looks at the well-lit photos, over the low-light ones.
        steps: optimiser steps; None counts epochs.
        decay_share: last share of the steps, over which the learning rates fall to 0.
        warmup_steps: first steps, over which the learning rates rise from 0. EnlightenGAN: 0.
        batch: pictures a step, over all processes.
        learning_rate: of the generator.
        discriminator_learning_rate: of both discriminators.
        betas: Adam's.
        initialisation: `normal` draws convolutions from N(0, 0.02) and BatchNorm's weights from
            N(1, 0.02), as EnlightenGAN; `network` keeps what the network chose for itself.
        zero_biases: with `normal`, convolutions start without bias, and those of the discriminators
            always do. EnlightenGAN: no, with PyTorch's own choice: uniform within one over the
            root of a filter's inputs.
        max_gradient_norm: the generator's gradient is cut to this norm. EnlightenGAN: none.
        frozen_statistics: BatchNorm of the generator keeps the means and variances that it starts
            with, and trains as it will enhance. Batches of few pictures differ too much from
            the average batch: a network trained on their own statistics greys what is nearly
            black. For the last part of a run, from weights (`init`). EnlightenGAN: no.
        ema_decay: share of the averaged generator that a step keeps. EnlightenGAN: 0, no average.
    """

    epochs: int = 200
    steps: int | None = None
    decay_share: float = 0.5
    warmup_steps: int = 0
    batch: int = 32
    learning_rate: float = 1e-4
    discriminator_learning_rate: float = 1e-4
    betas: tuple[float, float] = (0.5, 0.999)
    initialisation: Literal["normal", "network"] = "normal"
    zero_biases: bool = False
    max_gradient_norm: float | None = None
    frozen_statistics: bool = False
    ema_decay: float = 0.0

    def __post_init__(self) -> None:
        _require_positive(self, "epochs", "steps", "batch", "max_gradient_norm")
        _require_positive(self, "learning_rate", "discriminator_learning_rate")
        _require_shares(self, "decay_share", "ema_decay")
        _require(all(0 <= beta < 1 for beta in self.betas), f"betas: from 0 to 1, not {self.betas}")
        _require(self.warmup_steps >= 0, f"warmup_steps must be 0 or more, {self.warmup_steps}")


@dataclass(frozen=True, kw_only=True)
class RunConfig:
    """Where and how the training runs; none of it changes what is learnt but `precision`.

    What a run learns with must stay the same when it goes on, so `precision` must, too.

    Attributes:
        device: `auto` is the GPU where there is one.
        precision: of convolutions: `fp32`, which cuDNN rounds to TF32 on a GPU, or mixed `bf16` or
            `fp16`.
        channels_last: keep pictures and weights in NHWC order.
        compile: compile the networks with torch.compile.
        threads: CPU threads of torch; None lets torch choose.
        checkpoint_steps: steps between checkpoints; a killed run loses at most these.
        report_steps: steps between lines of the log and TensorBoard's figures.
        picture_steps: steps between TensorBoard's before/after pictures.
        keep_epochs: every so many epochs the averaged generator is kept beside the newest, in
            `snapshots`, and judged by its NIQE on `held_out`, if there is one; None keeps none.
    """

    device: Literal["auto", "cpu", "cuda"] = "auto"
    precision: Literal["fp32", "bf16", "fp16"] = "fp32"
    channels_last: bool = True
    compile: bool = False
    threads: int | None = None
    checkpoint_steps: int = 500
    report_steps: int = 50
    picture_steps: int = 500
    keep_epochs: int | None = None

    def __post_init__(self) -> None:
        _require_positive(self, "threads", "checkpoint_steps", "report_steps", "picture_steps")
        _require_positive(self, "keep_epochs")


@dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """Everything that a training run depends on.

    Attributes:
        low: folder of low-light photos, of any depth.
        normal: folder of well-lit photos, of any depth; no pairs are needed.
        output: the run's folder: settings, checkpoints, weights, TensorBoard's figures.
        generator: `unet` or `grid`.
        pairs: folder of simulated recordings and what should be made of them
            (`simulation.pair_set`) for the pair losses; None darkens the well-lit photos.
        init: weights to start the generator from, a name or a file; None starts from scratch.
        light: weights of a grid generator, a name or a file, that makes the input of a `unet`
            bright first (`unet.LitUNet`). A model file can name `grid` alone. None leaves the light
            to the generator.
        teacher: weights of a generator, a name or a file, that says how bright the targets of the
            pair losses are (`supervision.relit`), and how bright low-light photos should become
            (`low_illumination`); None: pairs become as bright as the photos were.
        held_out: folder of dark photos that are not trained on, on which snapshots are judged.
        vgg_weights: VGG-16 for the self feature preserving loss; None downloads it.
        seed: of all randomness.
        data: what becomes of the photos.
        losses: what is learnt.
        optimizer: how it is learnt.
        run: where and how the training runs.
    """

    low: Path
    normal: Path
    output: Path
    generator: Literal["unet", "grid"] = "unet"
    pairs: Path | None = None
    init: str | None = None
    light: str | None = None
    teacher: str | None = None
    held_out: Path | None = None
    vgg_weights: Path | None = None
    seed: int = 1
    data: DataConfig = field(default_factory=DataConfig)
    losses: LossConfig = field(default_factory=LossConfig)
    optimizer: OptimizerConfig = field(default_factory=OptimizerConfig)
    run: RunConfig = field(default_factory=RunConfig)

    def __post_init__(self) -> None:
        _require(self.seed >= 0, f"seed must be 0 or more, not {self.seed}")
        patch, judged = self.losses.patch, self.data.crop // self.losses.reduction
        _require(patch <= judged, f"patch ({patch}) must be within the crop ({judged})")
        _require(
            self.held_out is None or self.run.keep_epochs is not None,
            f"{self.held_out} is to judge snapshots on, and none are kept; say how often (--keep)",
        )
        _require(
            self.pairs is None or self.losses.pairs,
            f"{self.pairs} is a folder of pairs, and no pair loss has a weight",
        )
        _require(
            self.teacher is None or self.losses.pairs or bool(self.losses.low_illumination),
            "a teacher is for the pair losses and low_illumination, and none of these has a weight",
        )
        _require(
            self.teacher is not None or self.light is not None or not self.losses.low_illumination,
            "low_illumination needs a teacher or a light; name its weights, like teacher=grid",
        )
        _require(
            self.generator == "unet" or self.light is None,
            "a light is for unet; grid makes its own",
        )
        _require(
            self.generator == "grid" or not self.losses.for_grid,
            "roughness, reversed_tones and reduction are for the grid generator alone",
        )
