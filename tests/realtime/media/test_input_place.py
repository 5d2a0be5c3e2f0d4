"""Inputs that are no single file: addresses and series of pictures."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
from PIL import ExifTags, Image
from support.command_line import tapetum
from support.frames_of_file import read
from support.media import Clip, make_clip, picture
from support.transcoding import frame_times

from tapetum.realtime import enhance_file
from tapetum.realtime.errors import MediaError
from tapetum.realtime.media.file_source import FileSource
from tapetum.realtime.media.media_input import input_place


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_words: object) -> None:
        """Keep the tests' output clean."""


@pytest.fixture
def served(tmp_path: Path) -> Iterator[str]:
    """The address of the test's folder."""
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=tmp_path)) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


@pytest.mark.slow
def test_an_address_is_enhanced_with_its_sound(served: str, tmp_path: Path) -> None:
    make_clip(tmp_path / "in.mp4", Clip(audio=["aac"]))
    output = tmp_path / "out.mp4"
    answer = tapetum("enhance", f"{served}/in.mp4", output, "--strength", "0", "--json")
    assert answer.returncode == 0, answer.stderr
    assert f'"input_path": "{served}/in.mp4"' in answer.stdout
    assert len(frame_times(output)) == 25
    with pytest.raises(MediaError, match=f"cannot open {served}/none.mp4: "):
        enhance_file(f"{served}/none.mp4", tmp_path / "none.mp4")
    assert not (tmp_path / "none.mp4").exists()


@pytest.fixture
def series(tmp_path: Path) -> str:
    """Seven pictures that begin at 98."""
    for index in range(7):
        picture(Clip(pixel_format="rgb24"), index).save(str(tmp_path / f"img_{98 + index:04d}.png"))
    return str(tmp_path / "img_%04d.png")


def test_a_series_of_pictures_is_a_video_of_the_rate_that_is_said(
    series: str, tmp_path: Path
) -> None:
    output = tmp_path / "out.mp4"
    answer = tapetum("enhance", series, output, "--rate", "10", "--strength", "0")
    assert answer.returncode == 0, answer.stderr
    assert [float(time) for time in frame_times(output)] == pytest.approx(
        [index / 10 for index in range(7)]
    )
    drawn = picture(Clip(pixel_format="gray"), 0).to_ndarray()
    assert np.corrcoef(read(output)[0].planes[0].ravel(), drawn[:48].ravel())[0, 1] > 0.98


def test_a_series_of_pictures_that_are_mirrored_stays_so(tmp_path: Path) -> None:
    """PyAV cannot list what a picture carries beside EXIF."""
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 5  # mirrored, and turned
    for index in range(2):
        Image.new("RGB", (64, 48)).save(tmp_path / f"img_{index}.jpg", exif=exif)
    with FileSource(tmp_path / "img_%d.jpg") as source:
        assert source.info.display_matrix == (0, 1 << 16, 0, 1 << 16, 0, 0, 0, 0, 1 << 30)


def test_a_gap_in_a_series_is_said_and_not_its_end(series: str, tmp_path: Path) -> None:
    (tmp_path / "img_0100.png").unlink()
    with pytest.raises(MediaError, match=r"img_0100\.png is missing in the series"):
        enhance_file(series, tmp_path / "out.mp4")
    with pytest.raises(MediaError, match=r"no picture of .*other_%d\.png exists"):
        enhance_file(tmp_path / "other_%d.png", tmp_path / "out.mp4")


@pytest.mark.parametrize(
    ("pattern", "other"), [("a_%d.png", "a_01.png"), ("a_%02d.png", "a_001.png")]
)
def test_names_that_a_pattern_does_not_write_are_no_pictures_of_a_series(
    pattern: str, other: str, tmp_path: Path
) -> None:
    for index in (1, 2):
        drawn = picture(Clip(pixel_format="rgb24"), index)
        drawn.save(str(tmp_path / (pattern % index)))
        drawn.save(str(tmp_path / other))
    assert len(read(tmp_path / pattern)) == 2


def test_a_rate_is_for_pictures_alone(short_clip: Path, tmp_path: Path) -> None:
    with pytest.raises(MediaError, match="has times of its own; a rate is for pictures"):
        enhance_file(short_clip, tmp_path / "out.mp4", rate=10)
    with pytest.raises(ValueError, match="over 0 and up to 1000"):
        enhance_file(short_clip, tmp_path / "out.mp4", rate=0)


def test_a_file_is_a_file_however_it_is_named(tmp_path: Path) -> None:
    for name in ("img_%04d.png", "a:b.mp4"):
        (tmp_path / name).touch()
        assert input_place(str(tmp_path / name)) == tmp_path / name
    assert input_place("http://host/a.mp4") == "http://host/a.mp4"
    assert input_place("HTTP://Host/A.mp4") == "http://Host/A.mp4"
    assert input_place("clip.mp4") == Path("clip.mp4")
