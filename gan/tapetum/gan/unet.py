"""EnlightenGAN's attention-guided U-Net generator.

Jiang et al., "EnlightenGAN: Deep Light Enhancement without Paired Supervision", IEEE TIP 2021,
section III-C. Layer names are those of the authors' published checkpoints.
"""

from __future__ import annotations

from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import nn

from tapetum.gan.generator import Generator, attention_map
from tapetum.gan.grid import GridGenerator
from tapetum.gan.model_kinds import STRIDE, Kind

_WIDTHS = (32, 64, 128, 256, 512)

_LARGE_VARIANCE = 1024.0
"""Far from what float16 holds, and so much more than BatchNorm's epsilon that it plays no part."""

LIGHT_PREFIX = "light."
"""What stands before the names of the weights of a `LitUNet`'s light."""


def reflection_indices(size: int) -> list[int]:
    """Which of `size` samples stand at each place after padding to a multiple of `STRIDE`.

    Reflects as often as needed, so that pictures smaller than their padding work too.
    """
    padding = -size % STRIDE
    period = max(2 * size - 2, 1)
    phases = [(place - padding // 2) % period for place in range(size + padding)]
    return [min(phase, period - phase) if size > 1 else 0 for phase in phases]


def pad_to_stride(picture: torch.Tensor) -> torch.Tensor:
    """Pad (N, C, H, W) by reflection, evenly on both sides, to multiples of `STRIDE`."""
    height, width = picture.shape[-2:]
    top, left = -height % STRIDE // 2, -width % STRIDE // 2
    bottom, right = -height % STRIDE - top, -width % STRIDE - left
    if bottom < height and right < width:
        return F.pad(picture, (left, right, top, bottom), mode="reflect")
    rows = torch.tensor(reflection_indices(height), device=picture.device)
    columns = torch.tensor(reflection_indices(width), device=picture.device)
    return picture[..., rows, :][..., columns]


def crop_from_stride(padded: torch.Tensor, height: int, width: int) -> torch.Tensor:
    """Undo `pad_to_stride`: the (N, C, height, width) middle."""
    top, left = -height % STRIDE // 2, -width % STRIDE // 2
    return padded[..., top : top + height, left : left + width]


class UNetGenerator(Generator):
    """The U-Net of EnlightenGAN: 8,636,675 parameters, 250 kMAC a pixel.

    Input RGB joined with its attention map A. Two 3x3 convolutions a level, each followed by
    LeakyReLU(0.2) and then BatchNorm; A, max-pooled to each level, multiplies the four skips
    and the bottleneck. The output is input + conv10 * A.
    """

    kind: ClassVar[Kind] = "unet"

    def __init__(self) -> None:
        super().__init__()
        for level, (before, width) in enumerate(zip((4, *_WIDTHS), _WIDTHS, strict=False), 1):
            self._add_level(level, before, width)
        for level, width in enumerate(reversed(_WIDTHS[:-1]), 6):
            self.add_module(f"deconv{level - 1}", nn.Conv2d(2 * width, width, 3, padding=1))
            self._add_level(level, 2 * width, width)
        del self.bn9_2  # the authors' last 3x3 convolution has no normalisation
        self.conv10 = nn.Conv2d(_WIDTHS[0], 3, 1)

    def _add_level(self, level: int, before: int, width: int) -> None:
        for place, channels in ((1, before), (2, width)):
            convolution = nn.Conv2d(channels, width, 3, padding=1)
            self.add_module(f"conv{level}_{place}", convolution)
            self.add_module(f"bn{level}_{place}", nn.BatchNorm2d(width))

    def _convolve(self, name: str, features: torch.Tensor) -> torch.Tensor:
        activated = F.leaky_relu(self.get_submodule(f"conv{name}")(features), 0.2)
        normalised: torch.Tensor = self.get_submodule(f"bn{name}")(activated)
        return normalised

    def forward(self, rgb: torch.Tensor) -> torch.Tensor:
        """Enhance RGB in [-1, 1], (N, 3, H, W), any size; same shape, unclipped."""
        height, width = rgb.shape[-2:]
        return crop_from_stride(self.enhance_padded(pad_to_stride(rgb)), height, width)

    @torch.no_grad()
    def fit_half_precision(self) -> None:
        """Scale channels whose variance float16 cannot hold, changing no result.

        A convolution's channel, divided by a power of two, is still that after LeakyReLU, and
        BatchNorm undoes it. Nothing keeps training from making such channels ever larger.
        """
        for name, norm in self.named_children():
            if not isinstance(norm, nn.BatchNorm2d):
                continue
            convolution = self.get_submodule(name.replace("bn", "conv"))
            assert isinstance(convolution, nn.Conv2d)
            assert convolution.bias is not None
            assert norm.running_mean is not None
            assert norm.running_var is not None
            variance = norm.running_var
            scale = variance.clamp(min=1).sqrt().log2().ceil().exp2()
            scale = torch.where(variance > _LARGE_VARIANCE, scale, torch.ones_like(scale))
            convolution.weight /= scale.view(-1, 1, 1, 1)
            convolution.bias /= scale
            norm.running_mean /= scale
            variance /= scale.square()

    def enhance_padded(self, rgb: torch.Tensor) -> torch.Tensor:
        """Enhance RGB in [-1, 1] whose height and width are multiples of `STRIDE`."""
        attention = attention_map(rgb)
        gates = [attention]
        for _ in range(4):
            gates.append(F.max_pool2d(gates[-1], 2))
        features = torch.cat((rgb, attention), 1)
        skips = []
        for level in range(1, 5):
            features = self._convolve(f"{level}_2", self._convolve(f"{level}_1", features))
            skips.append(features)
            features = F.max_pool2d(features, 2)
        features = self._convolve("5_2", self._convolve("5_1", features) * gates[4])
        latent = self._decode(features, skips, gates)
        return rgb + latent * attention

    def _decode(
        self, features: torch.Tensor, skips: list[torch.Tensor], gates: list[torch.Tensor]
    ) -> torch.Tensor:
        for level, skip, gate in zip(range(6, 10), skips[::-1], gates[3::-1], strict=True):
            features = F.interpolate(features, scale_factor=2, mode="bilinear", align_corners=True)
            upsampled = self.get_submodule(f"deconv{level - 1}")(features)
            features = self._convolve(f"{level}_1", torch.cat((upsampled, skip * gate), 1))
            if level < 9:
                features = self._convolve(f"{level}_2", features)
        last = F.leaky_relu(self.get_submodule("conv9_2")(features), 0.2)
        latent: torch.Tensor = self.conv10(last)
        return latent


class LitUNet(UNetGenerator):
    """The U-Net on what a `grid` generator made bright: light from the whole picture, then repair.

    A U-Net sees some tens of pixels around each; how bright a scene should be is seen in all of it.
    So the light is left to `grid`, and the U-Net takes noise out and brings detail and colour back.
    The runtimes do the same with two models: a model file holds the U-Net alone, and says so.

    Attributes:
        light: what makes pictures bright; it is not trained.
    """

    def __init__(self, light: GridGenerator | None = None) -> None:
        super().__init__()
        self.light = (GridGenerator() if light is None else light).requires_grad_(False).eval()

    @classmethod
    def of(cls, network: UNetGenerator, light: GridGenerator) -> LitUNet:
        """A U-Net's weights behind a light; a light that it had is left."""
        made = cls(light)
        state = network.state_dict()
        own = {key: value for key, value in state.items() if not key.startswith(LIGHT_PREFIX)}
        made.load_state_dict(own, strict=False)
        return made

    def train(self, mode: bool = True) -> LitUNet:
        """Train the U-Net alone."""
        super().train(mode)
        self.light.eval()
        return self

    def lit(self, rgb: torch.Tensor) -> torch.Tensor:
        """What the U-Net gets: RGB in [-1, 1] made bright, (N, 3, H, W), the same shape."""
        with torch.no_grad(), torch.autocast(rgb.device.type, enabled=False):
            bright: torch.Tensor = self.light(rgb).clamp(-1, 1)
        return bright

    def forward(self, rgb: torch.Tensor) -> torch.Tensor:
        """Enhance RGB in [-1, 1], (N, 3, H, W), any size; same shape, unclipped."""
        return super().forward(self.lit(rgb))
