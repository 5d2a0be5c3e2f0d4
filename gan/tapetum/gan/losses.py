"""EnlightenGAN's losses, each a function of scores or features.

C is the global discriminator, D the local one, both without sigmoid; x_r is real (well-lit), x_f
fake (enhanced); E is the mean over the batch and over the places of the score map. Jiang et al.,
"EnlightenGAN: Deep Light Enhancement without Paired Supervision", IEEE TIP 2021, section III.

Every function returns a scalar.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F

BatchMean = Callable[[torch.Tensor], torch.Tensor]
"""Takes the mean over the batch; over all processes' batches, where there are several."""


def global_discriminator_loss(
    real: torch.Tensor, fake: torch.Tensor, batch_mean: BatchMean = torch.mean
) -> torch.Tensor:
    """Relativistic average least squares, equation (3) of the paper.

    L_D = E[(C(x_r) - E C(x_f) - 1)^2] + E[(C(x_f) - E C(x_r))^2]

    Args:
        real: C(x_r).
        fake: C(x_f).
        batch_mean: how E C is taken.
    """
    relative_real, relative_fake = real - batch_mean(fake), fake - batch_mean(real)
    return (relative_real - 1).square().mean() + relative_fake.square().mean()


def global_generator_loss(
    real: torch.Tensor, fake: torch.Tensor, batch_mean: BatchMean = torch.mean
) -> torch.Tensor:
    """Relativistic average least squares, equation (4) of the paper.

    L_G = E[(C(x_f) - E C(x_r) - 1)^2] + E[(C(x_r) - E C(x_f))^2]

    Args:
        real: C(x_r).
        fake: C(x_f).
        batch_mean: how E C is taken.
    """
    return global_discriminator_loss(fake, real, batch_mean)


def local_discriminator_loss(real: torch.Tensor, fake: torch.Tensor) -> torch.Tensor:
    """Least squares on patches, equation (5): L_D = E[(D(x_r) - 1)^2] + E[D(x_f)^2]."""
    return (real - 1).square().mean() + fake.square().mean()


def local_generator_loss(fake: torch.Tensor) -> torch.Tensor:
    """Least squares on patches, equation (6): L_G = E[(D(x_f) - 1)^2]."""
    return (fake - 1).square().mean()


def self_feature_preserving_loss(
    low_features: torch.Tensor, enhanced_features: torch.Tensor
) -> torch.Tensor:
    """Equation (7), on instance-normalised features.

    L_SFP = mean over the feature map of (phi(I_low) - phi(G(I_low)))^2, phi = relu5_1 of VGG-16,
    each channel of each picture normalised to mean 0 and variance 1.

    Args:
        low_features: relu5_1 of the low-light pictures, (N, C, h, w).
        enhanced_features: relu5_1 of the enhanced pictures, same shape.
    """
    low, enhanced = F.instance_norm(low_features), F.instance_norm(enhanced_features)
    return F.mse_loss(enhanced, low)


def patches_at(pictures: torch.Tensor, corners: torch.Tensor, size: int) -> torch.Tensor:
    """Cut patches out of pictures.

    Args:
        pictures: (N, C, H, W).
        corners: top and left of P patches a picture, (N, P, 2) integers.
        size: height and width of a patch.

    Returns:
        (N * P, C, size, size), the patches of the first picture first.
    """
    cut = [
        picture[:, top : top + size, left : left + size]
        for picture, places in zip(pictures, corners.tolist(), strict=True)
        for top, left in places
    ]
    return torch.stack(cut)
