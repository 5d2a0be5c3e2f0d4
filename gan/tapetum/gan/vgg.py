"""VGG-16 up to relu5_1, the feature extractor of the self feature preserving loss.

Simonyan and Zisserman, "Very deep convolutional networks for large-scale image recognition",
2015. As in EnlightenGAN's code there are three max-pools before relu5_1, not four, and the
mean colour is not subtracted: that is what makes the features blind to exposure.
"""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path
from urllib.error import URLError

import torch
import torch.nn.functional as F
from torch import nn

from tapetum.gan.checkpoint import read_state
from tapetum.gan.errors import ModelError

VGG16_URL = "https://download.pytorch.org/models/vgg16-397923af.pth"
"""ImageNet's VGG-16; the name carries the first digits of the file's SHA-256."""

_BLOCKS = ((3, 64, 64), (64, 128, 128), (128, 256, 256, 256), (256, 512, 512, 512), (512, 512))
_POOLED = 3
"""Blocks that are followed by a max-pool."""
_TORCHVISION_PLACES = (0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24)
"""Where the convolutions stand in torchvision's `features`."""
_AUTHORS_NAME = re.compile(r"^conv(\d)_(\d)")
_TORCHVISION_DEVIATION = (0.229, 0.224, 0.225)
"""What torchvision divides RGB in [0, 1] by, after subtracting a mean colour."""
_MEAN_BGR = (103.939, 116.779, 123.68)


def _layer_names() -> list[str]:
    return [
        f"block{block}_conv{place}"
        for block, channels in enumerate(_BLOCKS, 1)
        for place in range(1, len(channels))
    ]


class VGGFeatures(nn.Module):
    """Maps RGB in [-1, 1] to the features of VGG-16's relu5_1; its weights are frozen.

    Attributes:
        mean_subtraction: whether ImageNet's mean colour is subtracted first, as in the VGG paper
            and against EnlightenGAN.
    """

    mean_bgr: torch.Tensor

    def __init__(self, *, mean_subtraction: bool = False) -> None:
        super().__init__()
        self.mean_subtraction = mean_subtraction
        for block, channels in enumerate(_BLOCKS, 1):
            for place, (before, width) in enumerate(pairwise(channels), 1):
                convolution = nn.Conv2d(before, width, 3, padding=1)
                self.add_module(f"block{block}_conv{place}", convolution)
        mean = torch.tensor(_MEAN_BGR).view(1, 3, 1, 1)
        self.register_buffer("mean_bgr", mean, persistent=False)
        self.requires_grad_(False).eval()

    def forward(self, rgb: torch.Tensor) -> torch.Tensor:
        """Features (N, 512, H // 8, W // 8) of RGB in [-1, 1], (N, 3, H, W)."""
        features = (rgb.flip(1) + 1) * 127.5
        if self.mean_subtraction:
            features = features - self.mean_bgr
        for block, channels in enumerate(_BLOCKS, 1):
            for place in range(1, len(channels)):
                features = F.relu(self.get_submodule(f"block{block}_conv{place}")(features))
            if block <= _POOLED:
                features = F.max_pool2d(features, 2)
        return features


def load_vgg(path: Path | None = None, *, mean_subtraction: bool = False) -> VGGFeatures:
    """VGG-16 with weights.

    Args:
        path: a weights file with keys `block1_conv1.weight` or, as EnlightenGAN's authors have it,
            `conv1_1.weight` (both for BGR from 0 to 255), or torchvision's `features.0.weight`;
            None downloads torchvision's, once.
        mean_subtraction: see `VGGFeatures`.

    Raises:
        ModelError: the file is not such weights, or cannot be downloaded.
    """
    state, source = (read_state(path), str(path)) if path else (_download(), VGG16_URL)
    if "features.0.weight" in state:
        state = _from_torchvision(state)
    elif "conv1_1.weight" in state:
        state = {_AUTHORS_NAME.sub(r"block\1_conv\2", key): value for key, value in state.items()}
    features = VGGFeatures(mean_subtraction=mean_subtraction)
    chosen = {key: state[key].float() for key in features.state_dict() if key in state}
    try:
        features.load_state_dict(chosen)
    except RuntimeError as error:
        raise ModelError(
            f"{source} holds no VGG-16 up to relu5_1; its keys should be block1_conv1.weight to "
            "block5_conv1.bias, or the authors' conv1_1.weight to conv5_1.bias, or torchvision's "
            "features.0.weight to features.24.bias"
        ) from error
    return features


def _download() -> dict[str, torch.Tensor]:
    try:
        state: dict[str, torch.Tensor] = torch.hub.load_state_dict_from_url(
            VGG16_URL, map_location="cpu", check_hash=True, weights_only=True
        )
    except (URLError, OSError, RuntimeError) as error:
        raise ModelError(
            f"cannot download VGG-16 from {VGG16_URL} ({error}); fetch the file on another "
            "machine and name it with --vgg-weights"
        ) from error
    return state


def _from_torchvision(state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Rename torchvision's keys, and make its first layer take BGR from 0 to 255."""
    renamed = {
        f"{name}.{kind}": state[key]
        for name, place in zip(_layer_names(), _TORCHVISION_PLACES, strict=True)
        for kind in ("weight", "bias")
        if (key := f"features.{place}.{kind}") in state
    }
    scale = 255 * torch.tensor(_TORCHVISION_DEVIATION).view(1, 3, 1, 1)
    renamed["block1_conv1.weight"] = (renamed["block1_conv1.weight"] / scale).flip(1)
    return renamed
