"""Long films in segments, so that a job that is killed goes on where it was.

- `film.py`: what is made, and what decides what it becomes
- `job_folder.py`: what is kept on the disk of an unfinished film
- `segment.py`: a part of a film, and its encoder; `joining.py` makes the film of them
- `segmented_sink.py`: cuts what is encoded in one pass, and takes up what there is
- `segment_maker.py`: makes any segment by itself

What says whether a film is long is here, so that short ones load nothing of it.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tapetum.realtime.media.media_input import InputPlace
    from tapetum.realtime.media.video_info import VideoInfo

SEGMENT_S = 30
"""Play time of a segment, which is what a kill costs at most. Each begins with a key frame more,
which costs size; encoders make one every ten seconds or so by themselves."""


def is_long(place: InputPlace, info: VideoInfo) -> bool:
    """Whether a video is worth being done in segments: a file that lasts for two of them or more.

    One with alpha is not: encoders keep that beside the packets.
    """
    lasts_s = info.duration_s or 0.0
    return isinstance(place, Path) and lasts_s >= 2 * SEGMENT_S and not info.alpha
