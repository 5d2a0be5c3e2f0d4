"""Makes a model card's picture of weaknesses: scenes in the dark, enhanced, and as they are.

The photos are public-domain ones from scikit-image's wheel (see README.md here), darkened as for
training. The same seed gives the same pictures.

    pip install scikit-image
    python samples/make_weaknesses.py grid gan/tapetum/gan/weights/grid.jpg
"""

from __future__ import annotations

import argparse
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import skimage.data
import torch

from tapetum.gan import Generator, load_generator
from tapetum.gan.darken import Darkness, darken

SCENES = {
    # Hardly any light: noise, and the blocks of JPEG.
    "chelsea": Darkness(exposure=(1 / 70, 1 / 70), harsh_share=0, jpeg_share=1),
    # A lamp on one side, and shadows of which next to nothing was recorded.
    "coffee": Darkness(exposure=(1 / 30, 1 / 30), harsh_share=0, unevenness=2.5),
    # What is meant to be black.
    "hubble_deep_field": Darkness(exposure=(1 / 4, 1 / 4), harsh_share=0, unevenness=0),
}
WIDTH, HEIGHT = 420, 280
SEED = 3


def scene(name: str) -> torch.Tensor:
    """The middle of a photo as (1, 3, HEIGHT, WIDTH) in [0, 1]."""
    photo = np.asarray(getattr(skimage.data, name)())[..., :3]
    scale = max(HEIGHT / photo.shape[0], WIDTH / photo.shape[1])
    resized = cv2.resize(photo, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    top, left = (resized.shape[0] - HEIGHT) // 2, (resized.shape[1] - WIDTH) // 2
    cut = resized[top : top + HEIGHT, left : left + WIDTH]
    return torch.from_numpy(np.ascontiguousarray(cut)).permute(2, 0, 1)[None] / 255


def row(generator: Generator, name: str) -> npt.NDArray[np.uint8]:
    """A scene in the dark, enhanced, and as it is, (HEIGHT, 3 * WIDTH, 3)."""
    light = scene(name)
    dark = darken(light, torch.Generator().manual_seed(SEED), SCENES[name]).dark
    with torch.inference_mode():
        enhanced = (generator(2 * dark - 1) + 1) / 2
    beside = torch.cat((dark, enhanced, light), 3)[0].permute(1, 2, 0)
    return (255 * beside).round().clamp(0, 255).to(torch.uint8).numpy()


def main(model: str, target: Path) -> None:
    """Enhance every scene with a model and save them one below the other."""
    generator = load_generator(model).eval()
    picture = np.concatenate([row(generator, name) for name in SCENES])
    bgr = np.ascontiguousarray(picture[..., ::-1])
    cv2.imwrite(str(target), bgr, [cv2.IMWRITE_JPEG_QUALITY, 88])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("model")
    parser.add_argument("target", type=Path)
    main(**vars(parser.parse_args()))
