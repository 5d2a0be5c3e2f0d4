"""Makes the README's picture: a frame of the sample clip beside what Tapetum makes of it.

python samples/make_before_after.py docs/before_after.jpg
"""

from __future__ import annotations

import sys
from itertools import islice
from pathlib import Path

from tapetum.realtime import Comparison, FileSource, make_enhancer, write_image

CLIP = Path(__file__).with_name("dark_room.mp4")
FRAME = 90


def main(target: Path) -> None:
    """Enhance the clip up to one frame, so that the light has settled, and save that frame."""
    stage = Comparison(make_enhancer("grid"), "side-by-side")
    with FileSource(CLIP) as source:
        *_, picture = (stage(frame) for frame in islice(source, FRAME + 1))
    write_image(target, picture, overwrite=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
