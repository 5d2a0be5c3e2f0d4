"""What kind a file is, whatever its name says."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest
from support.media import Clip, make_clip

from tapetum.realtime import write_image
from tapetum.realtime.cpu.rgb import frame_from_rgb
from tapetum.realtime.errors import ServeError
from tapetum.realtime.serve.limits import Limits
from tapetum.realtime.serve.uploaded_kind import uploaded_kind


@pytest.mark.parametrize(
    ("suffix", "result"),
    [
        (".png", ".png"),
        (".jpg", ".jpg"),
        (".webp", ".webp"),
        (".avif", ".avif"),
        (".gif", ".gif"),
        (".tif", ".png"),
        (".bmp", ".png"),
    ],
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


def test_sound_alone_is_one_clear_line(tmp_path: Path) -> None:
    with av.open(tmp_path / "sound.mp4", "w") as output:
        stream = output.add_stream("aac", rate=48_000)
        stream.layout = "mono"
        silence = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), "fltp", "mono")
        silence.sample_rate = 48_000
        output.mux(stream.encode(silence))
        output.mux(stream.encode())
    with pytest.raises(ServeError, match="holds no picture: give a video or a photo"):
        uploaded_kind(tmp_path / "sound.mp4", Limits())


def test_a_damaged_photo_is_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "photo").write_bytes(b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR")
    with pytest.raises(ServeError, match="this photo is damaged: its beginning cannot be read"):
        uploaded_kind(tmp_path / "photo", Limits())
