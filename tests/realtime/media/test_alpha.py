"""Videos with transparency: kept where the output can, else it is said and not tagged."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import numpy.typing as npt
import pytest
from av.video.codeccontext import VideoCodecContext
from av.video.stream import VideoStream
from support.media import fill_plane
from support.photos import moving
from support.transcoding import frame_times, transcode

from tapetum.realtime import EncoderSettings, FileSource, enhance_file
from tapetum.realtime.compare import side_by_side

WIDTH, HEIGHT = 64, 48
OPACITY = np.tile(np.linspace(0, 255, WIDTH).astype(np.uint8), (HEIGHT, 1))
TAG = "alpha_mode"


def transparent(path: Path, codec: str, pixel_format: str, rate: int = 10) -> Path:
    """Ten gray pictures that are clear on the left and opaque on the right."""
    with av.open(str(path), "w") as output:
        options = {"auto-alt-ref": "0"} if "vpx" in codec else {}
        stream = output.add_stream(codec, rate=rate, options=options)
        assert isinstance(stream, VideoStream)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, pixel_format
        if "vpx" in codec:
            stream.metadata[TAG] = "1"
        for index in range(10):
            picture = av.VideoFrame(WIDTH, HEIGHT, "rgba")
            pixels = np.full((HEIGHT, WIDTH, 4), 40 + index, np.uint8)
            pixels[..., 3] = OPACITY
            fill_plane(picture.planes[0], pixels.reshape(HEIGHT, -1))
            picture = picture.reformat(format=pixel_format, threads=1)
            picture.pts, picture.time_base = index, Fraction(1, rate)
            output.mux(stream.encode(picture))
        output.mux(stream.encode(None))
    return path


def opacity(path: Path) -> npt.NDArray[np.int64]:
    """The alpha of a file's third picture, by a decoder that gives it."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        decoder: Any = stream.codec_context
        if decoder.codec.canonical_name in ("vp8", "vp9"):
            decoder = av.CodecContext.create(f"libvpx{'-vp9' * (decoder.name == 'vp9')}", "r")
            assert isinstance(decoder, VideoCodecContext)
        pictures = [p for packet in container.demux(stream) for p in decoder.decode(packet)]
    assert len(pictures) == 10
    rgba = pictures[2].reformat(format="rgba", threads=1).to_ndarray()
    return np.asarray(rgba[..., 3], np.int64)


def tags(path: Path) -> dict[str, str]:
    with av.open(str(path)) as container:
        return {k.lower(): v for k, v in container.streams.video[0].metadata.items()}


SOURCES = {
    "vp9": ("in.webm", "libvpx-vp9", "yuva420p"),
    "vp8": ("in.webm", "libvpx", "yuva420p"),
    "prores": ("in.mov", "prores_ks", "yuva444p10le"),
    "png": ("in.mov", "png", "rgba"),
    "ffv1": ("in.mkv", "ffv1", "yuva420p"),
}


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize(
    ("target", "codec"),
    [("out.webm", None), ("out.mkv", "vp9"), ("out.mov", "prores"), ("out.mkv", "ffv1")],
)
def test_alpha_is_kept_where_the_output_can(
    tmp_path: Path, source: str, target: str, codec: str | None
) -> None:
    name, encoder, pixel_format = SOURCES[source]
    clip = transparent(tmp_path / name, encoder, pixel_format)
    sink = transcode(clip, tmp_path / target, EncoderSettings(codec=codec))
    assert np.abs(opacity(tmp_path / target) - OPACITY).mean() < 3
    assert frame_times(tmp_path / target) == frame_times(clip)
    assert (tags(tmp_path / target).get(TAG) == "1") == sink.description.startswith("libvpx")
    assert not any("transparency" in line for line in sink.notices)


@pytest.mark.parametrize("source", ["vp9", "prores"])
@pytest.mark.parametrize(
    ("target", "codec"), [("out.mp4", None), ("out.mkv", None), ("out.webm", "av1")]
)
def test_where_it_cannot_it_is_said_and_not_tagged(
    tmp_path: Path, source: str, target: str, codec: str | None
) -> None:
    name, encoder, pixel_format = SOURCES[source]
    clip = transparent(tmp_path / name, encoder, pixel_format)
    sink = transcode(clip, tmp_path / target, EncoderSettings(codec=codec))
    assert TAG not in tags(tmp_path / target)
    (line,) = (line for line in sink.notices if "transparency" in line)
    assert line.startswith("transparency cannot be stored by lib")
    with av.open(str(tmp_path / target)) as container:
        assert next(container.decode(video=0)).format.name.startswith("yuv4")


def test_an_alpha_that_is_opaque_everywhere_is_no_loss(tmp_path: Path) -> None:
    """Decoders of GIF always give one."""
    first, *rest = moving(4)
    first.save(tmp_path / "in.gif", save_all=True, append_images=rest, duration=100)
    sink = transcode(tmp_path / "in.gif", tmp_path / "out.mp4")
    assert not any("transparency" in line for line in sink.notices)
    first, *rest = moving(4, clear=True)
    first.save(tmp_path / "c.gif", save_all=True, append_images=rest, duration=100, disposal=2)
    sink = transcode(tmp_path / "c.gif", tmp_path / "clear.mp4")
    assert any("transparency cannot be stored by libx264" in line for line in sink.notices)


def test_enhancing_changes_no_alpha(tmp_path: Path, gain_model: Path) -> None:
    clip = transparent(tmp_path / "in.webm", "libvpx-vp9", "yuva420p")
    result = enhance_file(clip, tmp_path / "out.webm", model=gain_model, start_s=0)
    assert result.intact
    assert np.abs(opacity(tmp_path / "out.webm") - OPACITY).mean() < 3


def test_a_comparison_repeats_it(tmp_path: Path) -> None:
    clip = transparent(tmp_path / "in.webm", "libvpx-vp9", "yuva420p")
    with FileSource(clip, start_s=0.5) as source:
        frames = list(source)
    assert len(frames) == 5
    alpha = frames[0].alpha
    assert alpha is not None
    both = side_by_side(frames[0], frames[0]).alpha
    assert both is not None
    np.testing.assert_array_equal(both, np.concatenate([alpha, alpha], axis=1))
