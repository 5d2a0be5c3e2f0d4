"""`Capture` against `cv2.VideoCapture`, and on sources that end or are missing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from support.live_parts import PATTERN, free_udp_port, live_process
from support.media import Clip, make_clip

from tapetum.realtime import Capture
from tapetum.realtime.errors import DeviceError, ModelError

WIDTH, HEIGHT, FPS, POS_MSEC, POS_FRAMES = 3, 4, 5, 0, 1


def test_a_file_is_read_whole_and_brighter_than_opencv_reads_it(
    short_clip: Path, gain_model: Path
) -> None:
    cv2 = pytest.importorskip("cv2")
    plain, bright = cv2.VideoCapture(str(short_clip)), Capture(short_clip, model=gain_model)
    for number in (cv2.CAP_PROP_FRAME_WIDTH, cv2.CAP_PROP_FRAME_HEIGHT, cv2.CAP_PROP_FPS):
        assert bright.get(number) == plain.get(number)
    for _ in range(12):
        ok, before = plain.read()
        assert ok
        ok, after = bright.read()
        assert ok
        assert after is not None
        assert after.shape == before.shape
        assert after.dtype == np.uint8
        assert after.mean() > 2 * before.mean()
    assert bright.read() == (False, None)
    assert bright.error is None
    plain.release()
    bright.release()
    assert not bright.isOpened()


def test_without_strength_it_reads_what_opencv_reads(short_clip: Path, gain_model: Path) -> None:
    cv2 = pytest.importorskip("cv2")
    plain = cv2.VideoCapture(str(short_clip))
    with Capture(str(short_clip), model=gain_model, strength=0) as same:
        image = same.read()[1]
        assert image is not None
        assert np.abs(plain.read()[1].astype(int) - image).mean() < 2
    plain.release()


def test_positions_advance_and_retrieve_gives_what_grab_took(
    short_clip: Path, gain_model: Path
) -> None:
    with Capture(short_clip, model=gain_model) as capture:
        assert capture.retrieve() == (False, None)
        for _ in range(3):
            assert capture.grab()
        assert capture.get(POS_FRAMES) == 3
        assert capture.get(POS_MSEC) == pytest.approx(80, abs=0.1)
        first, second = capture.retrieve()[1], capture.retrieve()[1]
        assert first is not None
        assert second is not None
        assert np.array_equal(first, second)
        assert capture.get(99) == 0
        assert not capture.set(WIDTH, 640)  # a file has its size


@pytest.mark.slow
def test_a_stream_gives_pictures_until_it_is_released(gain_model: Path) -> None:
    url = f"udp://127.0.0.1:{free_udp_port()}"
    with live_process("--source", PATTERN, "--sink", url, "-q"):
        capture = Capture(url, model=gain_model)
        assert capture.isOpened()
        assert (capture.get(WIDTH), capture.get(HEIGHT), capture.get(FPS)) == (96, 64, 30)
        ok, image = capture.read()
    assert ok
    assert image is not None
    assert image.shape == (64, 96, 3)
    capture.release()
    capture.release()
    assert capture.read() == (False, None)


def test_a_missing_camera_is_no_exception_but_a_wrong_model_or_device_is() -> None:
    capture = Capture(77)
    assert not capture.isOpened()
    assert capture.read() == (False, None)
    assert capture.error is not None
    assert "/dev/video77 does not exist" in capture.error
    capture.release()
    with pytest.raises(ModelError, match="unknown model gird"):
        Capture(77, model="gird")
    with pytest.raises(DeviceError, match="use --device cpu"):
        Capture(77, device="cuda")


@pytest.mark.parametrize("degrees", [90, 180, 270])
@pytest.mark.parametrize("pixel_format", ["yuv420p", "yuv422p10le"])
def test_a_rotated_file_is_read_upright_as_opencv_reads_it(
    degrees: int, pixel_format: str, gain_model: Path, tmp_path: Path
) -> None:
    cv2 = pytest.importorskip("cv2")
    clip = Clip(width=98, frames=2, rotation=(degrees, False), pixel_format=pixel_format)
    path = make_clip(tmp_path / "clip.mp4", clip)
    plain = cv2.VideoCapture(str(path))
    with Capture(path, model=gain_model, strength=0) as same:
        image, expected = same.read()[1], plain.read()[1]
        assert image is not None
        assert image.shape == expected.shape
        assert np.abs(expected.astype(int) - image).mean() < 3
        assert (same.get(WIDTH), same.get(HEIGHT)) == (image.shape[1], image.shape[0])
    plain.release()
