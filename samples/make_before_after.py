"""Makes the README's moving picture: the sample clip, and behind a divider what becomes of it.

python samples/make_before_after.py docs/before_after.webp
"""

from __future__ import annotations

import argparse
from pathlib import Path
from tempfile import TemporaryDirectory

from PIL import Image

from tapetum.realtime import Comparison, FileSource, make_enhancer, write_image

CLIP = Path(__file__).with_name("dark_room.mp4")
EVERY = 3
SIZE = 480, 270


def main(target: Path) -> None:
    """Enhance the whole clip behind a divider that moves, and save every third frame."""
    stage = Comparison(make_enhancer("grid"), "wipe")
    with TemporaryDirectory() as folder, FileSource(CLIP) as source:
        rate = source.info.average_rate
        assert rate is not None
        shown = []
        for number, frame in enumerate(stage(frame) for frame in source):
            if number % EVERY == 0:
                photo = Path(folder) / f"{number}.png"
                write_image(photo, frame)
                shown.append(Image.open(photo).resize(SIZE))
    first, *others = shown
    first.save(
        target,
        save_all=True,
        append_images=others,
        duration=float(1000 * EVERY / rate),
        loop=0,
        quality=40,
        method=6,
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("target", type=Path)
    main(**vars(parser.parse_args()))
