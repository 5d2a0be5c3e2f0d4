"""Makes the twelve pictures, before and after, of the models' document, and their credits.

    python samples/make_twelve.py FREE docs/twelve.jpg
    python samples/make_twelve.py FREE docs/twelve_unet.jpg --model unet

FREE holds the folder `low` and SOURCES.csv (see make_credits.py). The pictures go through the whole
CPU enhancer, as `tapetum enhance` would take them. The credits are printed, as Markdown.
"""

from __future__ import annotations

import argparse
import csv
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from tapetum.gan.photos import read_photo
from tapetum.realtime import Enhancer

PHOTOS = (
    "elem_ashim-dsilva-night-dea22f.jpg",
    "elem_cheng-feng-14dcf0.jpg",
    "coco_000000403353.jpg",
    "gb82_png-prudential-lossless.jpg",
    "immich_text-japanese-shop.jpg",
    "elem_morskie-oko-0832b4.jpg",
    "budgie_spiral-firework-001817.jpg",
    "popos_ahmadreza-sajadi-10140-edit-4f7de2.jpg",
    "elem_mr-lee-0477fc.jpg",
    "budgie_high-trestle-trail-2d1c3d.jpg",
    "gb82_png-rain-lossless.jpg",
    "budgie_sunset-beach-d70361.jpg",
)
WIDTH, HEIGHT = 270, 180
QUALITY = 82


def tile(photo: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """The middle of a photo, (HEIGHT, WIDTH, 3)."""
    scale = max(HEIGHT / photo.shape[0], WIDTH / photo.shape[1])
    resized = cv2.resize(photo, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    top, left = (resized.shape[0] - HEIGHT) // 2, (resized.shape[1] - WIDTH) // 2
    return resized[top : top + HEIGHT, left : left + WIDTH].astype(np.uint8, copy=False)


def main(free: Path, target: Path, model: str) -> None:
    """Write the sheet: two pairs a row, each the photo and what became of it."""
    with (free / "SOURCES.csv").open(newline="", encoding="utf-8") as table:
        sources = {row["file"]: row for row in csv.DictReader(table)}
    enhancer, pairs = Enhancer(model), []
    for name in PHOTOS:
        photo = read_photo(free / "low" / name)
        enhancer.reset()
        pairs.append(np.hstack([tile(photo), tile(enhancer(photo))]))
        row = sources[f"low/{name}"]
        by = row["author"] or row["source"]
        at = f", <{row['url']}>" if row["url"].startswith("http") else ""
        print(f"{len(pairs)}. {by}, {row['licence']}{at}")
    sheet = np.vstack([np.hstack(pairs[i : i + 2]) for i in range(0, len(pairs), 2)])
    cv2.imwrite(str(target), sheet[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, QUALITY])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("free", type=Path)
    parser.add_argument("target", type=Path)
    parser.add_argument("--model", default="grid")
    main(**vars(parser.parse_args()))
