"""Saves the frame of the sample clip that engines are verified on.

python samples/make_dark_frame.py trt_build/tapetum/trt_build/dark_frame.jpg
"""

from __future__ import annotations

import argparse
from pathlib import Path

from tapetum.realtime import FileSource, write_image

CLIP = Path(__file__).with_name("dark_room.mp4")


def main(target: Path) -> None:
    """Save the first frame as it is, dark and noisy."""
    with FileSource(CLIP) as source:
        write_image(target, next(iter(source)), overwrite=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("target", type=Path)
    main(**vars(parser.parse_args()))
