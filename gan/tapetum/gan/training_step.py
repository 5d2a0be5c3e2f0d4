"""One step of training: what the generator and the discriminators are judged by."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import nn

from tapetum.gan import supervision
from tapetum.gan.bilateral_grid import apply_grid, within_range
from tapetum.gan.color import BT601, BT709, rgb_to_yuv, yuv_to_rgb
from tapetum.gan.generator import Generator
from tapetum.gan.grid import GridGenerator, thumbnail
from tapetum.gan.losses import (
    global_discriminator_loss,
    global_generator_loss,
    local_discriminator_loss,
    local_generator_loss,
    patches_at,
    self_feature_preserving_loss,
)
from tapetum.gan.model_kinds import CELLS
from tapetum.gan.processes import Processes
from tapetum.gan.training_config import LossConfig
from tapetum.gan.training_data import Batch
from tapetum.gan.unet import LitUNet
from tapetum.gan.vgg import VGGFeatures

Terms = dict[str, torch.Tensor]
"""Scalars by the names of `training_config.TERMS`."""


class Enhancement(nn.Module):
    """The generator as training sees it: with the grid behind the picture, where there is one.

    Attributes:
        generator: what is trained.
        reduction: grids are applied to the picture reduced by this.
    """

    def __init__(self, generator: Generator, reduction: int) -> None:
        super().__init__()
        self.generator = generator
        self.reduction = reduction

    def forward(self, rgb: torch.Tensor, step: int) -> tuple[torch.Tensor, torch.Tensor | None]:
        """Enhance RGB in [-1, 1], (N, 3, H, W).

        Returns:
            (N, 3, H / reduction, W / reduction), and the grid (N, 8, L, R, C) or None.
        """
        if not isinstance(self.generator, GridGenerator):
            return self.generator(rgb), None
        unit = (rgb + 1) / 2
        small = thumbnail(unit)
        grid = within_range(self.generator.learned_grid(small), small)
        unit = F.avg_pool2d(unit, self.reduction)
        # The matrix alternates: a grid is applied in whichever the video has.
        matrix = BT601 if step % 2 else BT709
        enhanced = yuv_to_rgb(*apply_grid(grid, *rgb_to_yuv(unit, matrix)), matrix)
        return 2 * enhanced - 1, grid


@dataclass(frozen=True)
class Networks:
    """The networks of a step, with their numbers' precision.

    Attributes:
        enhancement: `Enhancement`, over all processes.
        discriminators: by the name of their loss term.
        replicas: the same over all processes, for their own loss.
        features: VGG-16, where its losses have a weight.
        teacher: says how bright the targets of darkened photos are, where there is one.
        autocast: the mixed precision of all of them, or None.
        light: the generator, if it makes its input bright first.
    """

    enhancement: nn.Module
    discriminators: nn.ModuleDict
    replicas: dict[str, nn.Module]
    features: VGGFeatures | None
    teacher: Generator | None
    device: torch.device
    autocast: torch.dtype | None
    light: LitUNet | None = None

    def _mixed(self, *, wanted: bool = True) -> torch.autocast:
        enabled = wanted and self.autocast is not None
        return torch.autocast(self.device.type, self.autocast, enabled=enabled)

    def enhance(self, rgb: torch.Tensor, step: int) -> tuple[torch.Tensor, torch.Tensor | None]:
        """Enhance pictures; see `Enhancement`."""
        with self._mixed():
            enhanced, grid = self.enhancement(rgb, step)
        return enhanced.float(), grid if grid is None else grid.float()

    def judge(self, name: str, pictures: torch.Tensor) -> torch.Tensor:
        """A discriminator's scores, for the generator's loss."""
        with self._mixed():
            scores: torch.Tensor = self.discriminators[name](pictures)
        return scores.float()

    def judge_to_learn(
        self, name: str, real: torch.Tensor, fake: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """A discriminator's scores of real and of fake, for its own loss."""
        # On a CPU, bf16 gradients of 4x4 kernels take up to seven times as long as fp32's.
        with self._mixed(wanted=self.device.type == "cuda"):
            scores: torch.Tensor = self.replicas[name](torch.cat((real, fake)))
        return scores[: len(real)].float(), scores[len(real) :].float()

    def target(self, batch: Batch, light_cells: int = 8) -> torch.Tensor:
        """What should be made of the darkened photos, (N, 3, H, W) in [-1, 1].

        See `LossConfig` for `light_cells`.
        """
        if self.light is not None:  # what it makes bright is to stay so, and to become clean
            target, lit = _unit(batch["target"], self.light.lit(batch["dark"]))
            return 2 * supervision.relit(target, lit, light_cells) - 1
        if self.teacher is None or "clean" not in batch:  # a set's pairs are as bright as wanted
            return batch["target"]
        with torch.no_grad():
            example = self.teacher(batch["clean"])
        clean, target, example = _unit(batch["clean"], batch["target"], example)
        relit = supervision.relit(target, example, light_cells) * supervision.recorded_share(clean)
        return 2 * relit - 1

    def preserve(self, low: torch.Tensor, enhanced: torch.Tensor) -> torch.Tensor:
        """The self feature preserving loss between pictures."""
        if self.features is None:
            raise RuntimeError("there is no feature extractor")
        with self._mixed():
            with torch.no_grad():
                wanted: torch.Tensor = self.features(low)
            found: torch.Tensor = self.features(enhanced)
        return self_feature_preserving_loss(wanted.float(), found.float())


def _unit(*pictures: torch.Tensor) -> Iterator[torch.Tensor]:
    """Pictures in [-1, 1] as such in [0, 1]."""
    return ((picture + 1) / 2 for picture in pictures)


@dataclass(frozen=True)
class Enhanced:
    """What the generator makes of a batch.

    Attributes:
        fake: of the low-light photos; empty where no loss looks at them.
        pair: of the darkened well-lit photos; empty where no loss looks at them.
        grid: behind both, where there is one.
    """

    fake: torch.Tensor
    pair: torch.Tensor
    grid: torch.Tensor | None


def enhance_batch(networks: Networks, batch: Batch, losses: LossConfig, step: int) -> Enhanced:
    """Run the generator once over those of a batch's inputs that a loss looks at."""
    names = (("low_input", losses.unpaired), ("dark", losses.pairs))
    inputs = [batch[name] for name, wanted in names if wanted]
    output, grid = networks.enhance(torch.cat(inputs), step)
    count = len(batch["low_input"]) if losses.unpaired else 0
    return Enhanced(output[:count], output[count:], grid)


def as_judged(batch: Batch, losses: LossConfig) -> Batch:
    """The batch's pictures at the size at which the losses look at them."""
    if losses.reduction == 1:
        return batch
    return {
        name: F.avg_pool2d(value, losses.reduction) if value.is_floating_point() else value
        for name, value in batch.items()
    }


def generator_terms(
    networks: Networks, batch: Batch, enhanced: Enhanced, losses: LossConfig, processes: Processes
) -> Terms:
    """Every term of the generator's loss that has a weight, unweighted."""
    terms: Terms = {}
    if losses.unpaired:
        terms |= _unpaired_terms(networks, batch, enhanced.fake, losses, processes)
    if losses.pairs:
        target = networks.target(batch, losses.light_cells)
        terms |= _pair_terms(enhanced.pair, target, batch["dark"], losses)
    return terms | _grid_terms(enhanced, losses)


def _unpaired_terms(
    networks: Networks, batch: Batch, fake: torch.Tensor, losses: LossConfig, processes: Processes
) -> Terms:
    """What low-light photos, enhanced, are judged by."""
    low, corners = batch["low"], batch["corners"]
    terms: Terms = {}
    if losses.global_adversarial:
        with torch.no_grad():
            real_scores = networks.judge("global_adversarial", batch["normal"])
        fake_scores = networks.judge("global_adversarial", fake)
        relativistic = global_generator_loss(real_scores, fake_scores, processes.batch_mean)
        terms["global_adversarial"] = relativistic * (0.5 if losses.halved_global_terms else 1)
    if losses.global_features:
        terms["global_features"] = networks.preserve(low, fake)
    if losses.local_adversarial or losses.local_features:
        fake_patches = patches_at(fake, corners, losses.patch)
    if losses.local_adversarial:
        patch_scores = networks.judge("local_adversarial", fake_patches)
        terms["local_adversarial"] = local_generator_loss(patch_scores)
    if losses.local_features:
        low_patches = patches_at(low, corners, losses.patch)
        terms["local_features"] = networks.preserve(low_patches, fake_patches)
    return terms | _low_terms(networks, fake, batch, losses)


def _low_terms(networks: Networks, fake: torch.Tensor, batch: Batch, losses: LossConfig) -> Terms:
    """How far low-light photos, enhanced, are from their due light and from themselves."""
    terms, output, low = Terms(), (fake + 1) / 2, (batch["low"] + 1) / 2
    if losses.low_illumination:
        lit, cells = _due_light(networks, batch, losses)
        terms["low_illumination"] = supervision.illumination_error(output, (lit + 1) / 2, cells)
    if losses.low_detail:
        terms["low_detail"] = supervision.detail_error(output, low)
    if losses.low_color:
        terms["low_color"] = supervision.color_error(output, low)
    if losses.low_hue:
        terms["low_hue"] = supervision.hue_error(output, low)
    return terms


def _due_light(networks: Networks, batch: Batch, losses: LossConfig) -> tuple[torch.Tensor, int]:
    """How bright the low-light photos should become, and over how many cells a side."""
    if networks.light is None:
        return batch["lit"], CELLS
    return networks.light.lit(batch["low_input"]), losses.light_cells


def _pair_terms(
    pair: torch.Tensor, target: torch.Tensor, dark: torch.Tensor, losses: LossConfig
) -> Terms:
    """How far darkened photos, enhanced, are from what should be made of them, in [0, 1]."""
    output, target, dark = ((picture + 1) / 2 for picture in (pair, target, dark))
    functions = {
        "pair_pixel": supervision.charbonnier,
        "pair_illumination": supervision.illumination_error,
        "pair_contrast": supervision.contrast_error,
        "pair_detail": supervision.detail_error,
        "pair_color": supervision.color_error,
        "pair_hue": supervision.hue_error,
    }
    weights = losses.weights()
    terms = {name: loss(output, target) for name, loss in functions.items() if weights[name]}
    if losses.pair_kept_color:
        terms["pair_kept_color"] = supervision.color_error(output, dark)
    return terms


def _grid_terms(enhanced: Enhanced, losses: LossConfig) -> Terms:
    if enhanced.grid is None:
        return {}
    functions = {
        "roughness": supervision.roughness,
        "reversed_tones": supervision.reversed_tones,
    }
    weights = losses.weights()
    return {name: loss(enhanced.grid) for name, loss in functions.items() if weights[name]}


def discriminator_terms(
    networks: Networks,
    batch: Batch,
    fake: torch.Tensor,
    losses: LossConfig,
    processes: Processes,
) -> Terms:
    """Every discriminator's own loss; `fake` carries no gradient."""
    terms: Terms = {}
    if losses.global_adversarial:
        scores = networks.judge_to_learn("global_adversarial", batch["normal"], fake)
        relativistic = global_discriminator_loss(*scores, processes.batch_mean)
        terms["global_discriminator"] = relativistic * (0.5 if losses.halved_global_terms else 1)
    if losses.local_adversarial:
        patches = (
            patches_at(pictures, batch["corners"], losses.patch)
            for pictures in (batch["normal"], fake)
        )
        scores = networks.judge_to_learn("local_adversarial", *patches)
        halving = 0.5 if losses.halved_local_discriminator else 1
        terms["local_discriminator"] = local_discriminator_loss(*scores) * halving
    return terms


def total_loss(terms: Terms, weights: dict[str, float]) -> torch.Tensor:
    """Weighted sum of the terms; a term without a weight counts once."""
    return torch.stack([weights.get(name, 1.0) * term for name, term in terms.items()]).sum()
