"""Picture quality in numbers: PSNR and SSIM against a reference, NIQE without one."""

from __future__ import annotations

import numpy as np
import torch
from torchmetrics.functional.image import (
    peak_signal_noise_ratio,
    structural_similarity_index_measure,
)

from tapetum.gan.niqe import luma_of, niqe
from tapetum.gan.photos import Photo


def _batch(photo: Photo) -> torch.Tensor:
    return torch.from_numpy(np.ascontiguousarray(photo.transpose(2, 0, 1)))[None].double()


def psnr_db(photo: Photo, reference: Photo) -> float:
    """Peak signal-to-noise ratio in dB over (H, W, 3) uint8 RGB."""
    ratio = peak_signal_noise_ratio(_batch(photo), _batch(reference), data_range=255.0)
    return float(ratio)


def ssim(photo: Photo, reference: Photo) -> float:
    """Structural similarity, mean over RGB, (H, W, 3) uint8; Gaussian window of sigma 1.5.

    Wang et al., "Image quality assessment: from error visibility to structural similarity" (2004).
    """
    similarity = structural_similarity_index_measure(
        _batch(photo), _batch(reference), data_range=255.0
    )
    return float(similarity) if isinstance(similarity, torch.Tensor) else float(similarity[0])


def photo_niqe(photo: Photo) -> float:
    """NIQE of (H, W, 3) uint8 RGB; lower is more natural."""
    return niqe(luma_of(photo))
