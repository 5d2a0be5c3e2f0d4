"""What kind a file is, whatever its name says."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from support.media import Clip, make_clip

from tapetum.realtime import write_image
from tapetum.realtime.cpu.rgb import frame_from_rgb
from tapetum.realtime.serve.limits import Limits
from tapetum.realtime.serve.uploaded_kind import uploaded_kind


@pytest.mark.parametrize(
    ("suffix", "result"),
    [(".png", ".png"), (".jpg", ".jpg"), (".webp", ".png"), (".tif", ".png"), (".bmp", ".png")],
)
def test_photos_come_back_as_photos(suffix: str, result: str, tmp_path: Path) -> None:
    photo = tmp_path / f"photo{suffix}"
    write_image(photo, frame_from_rgb(np.full((40, 60, 3), 30, np.uint8)))
    kind = uploaded_kind(photo.rename(tmp_path / "input"), Limits())
    assert (kind.suffix, kind.result_suffix) == (suffix, result)


@pytest.mark.parametrize(
    ("suffix", "codec"),
    [(".mp4", "libx264"), (".mkv", "libx264"), (".webm", "libvpx-vp9"), (".avi", "mpeg4")],
)
def test_videos_come_back_as_mp4(suffix: str, codec: str, tmp_path: Path) -> None:
    clip = make_clip(tmp_path / f"clip{suffix}", Clip(frames=3, codec=codec))
    kind = uploaded_kind(clip.rename(tmp_path / "input"), Limits())
    assert (kind.result_suffix, kind.media_type) == (".mp4", "video/mp4")
