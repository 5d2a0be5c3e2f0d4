"""Small whole files of every container and photo format that is read: what a fuzzer damages."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pillow_heif
from PIL import ExifTags, Image, ImageCms
from support.command_line import ROOT
from support.media import Clip, encode_picture, make_clip
from support.photos import XMP, moving
from support.tiny_networks import grid_network

from tapetum.realtime.media.encoder import repeatable

_RESULT = "bench-quick.json"
_PLAIN = {"fflags": "bitexact"}
"""Without numbers drawn at random, so that a seed gives the same files again."""
_X265 = {"x265-params": "log-level=none:pools=1:frame-threads=1"}
_MADE_AT, _PROFILE_ID = slice(24, 36), slice(84, 100)
"""Where an ICC profile says when it was made, and a sum of it."""


def make_seeds(folder: Path) -> list[Path]:
    """Small whole files of containers, photo formats and animations; a model, a result."""
    small = Clip(frames=12, container_options=_PLAIN)
    small = replace(small, options=repeatable("libx264", small.width))
    fine, coarse = (replace(small, time_base=Fraction(1, per_s)) for per_s in (1000, 25))
    fragments = _PLAIN | {"movflags": "frag_keyframe+empty_moov"}
    reordered = small.options | {"bf": "2"}
    clips = {
        "h264.mp4": replace(small, options=reordered, audio=["aac"], subtitles="mov_text"),
        "fragments.mp4": replace(small, container_options=fragments, audio=["aac"]),
        "turned.mov": replace(small, rotation=(90, False), chapters=True),
        "rich.mkv": replace(fine, audio=["libopus"], subtitles="ass", font=True),
        "vp9.webm": replace(fine, codec="libvpx-vp9", options={}, audio=["libopus"]),
        "h264.ts": replace(small, options=reordered, audio=["aac"]),
        "h264.m2ts": replace(small, options=reordered, audio=["ac3"]),
        "hevc.mp4": replace(small, codec="libx265", options=_X265, audio=["aac"]),
        "av1.mkv": replace(fine, codec="libsvtav1", options={"preset": "12"}, audio=["flac"]),
        "mpeg2.mxf": replace(coarse, codec="mpeg2video", options={}, audio=["pcm_s16le"]),
        "h264.nut": replace(small, options=reordered, audio=["mp3"]),
        "mpeg4.avi": replace(coarse, codec="mpeg4", options={}, audio=["mp2"]),
        "mpeg2.mpg": replace(coarse, codec="mpeg2video", options={}, audio=["mp2"]),
        "h264.flv": replace(fine, audio=["aac"]),
        "raw.y4m": replace(coarse, codec="rawvideo", options={}),
    }
    seeds = [make_clip(folder / name, clip) for name, clip in clips.items()]
    seeds.append(_by_ffmpeg(folder / "theora.ogv", seeds[0], "libtheora", "libvorbis"))
    seeds.append(_by_ffmpeg(folder / "wmv2.wmv", seeds[0], "wmv2", "wmav2"))
    pictures = {
        "photo.jpg": ("mjpeg", "yuvj420p"),
        "photo.png": ("png", "rgb24"),
        "deep.png": ("png", "rgb48be"),
        "photo.tiff": ("tiff", "rgb24"),
        "photo.bmp": ("bmp", "bgr24"),
        "photo.webp": ("libwebp", "yuv420p"),
    }
    for name, (codec, pixel_format) in pictures.items():
        (folder / name).write_bytes(encode_picture(codec, pixel_format, 64, 48))
        seeds.append(folder / name)
    seeds += _more_photos(folder)
    (folder / "grid.onnx").write_bytes(grid_network(np.ones((8, 8, 16, 16), np.float32)))
    shutil.copy(ROOT / "benchmarks" / "results" / _RESULT, folder)
    return [*seeds, folder / "grid.onnx", folder / _RESULT]


def _by_ffmpeg(path: Path, clip: Path, *codecs: str) -> Path:
    """The clip in codecs that FFmpeg's own program can encode and PyAV cannot."""
    video, audio = codecs
    options = ("-c:v", video, "-c:a", audio, "-sn", "-fflags", "bitexact", "-flags", "bitexact")
    subprocess.run(["ffmpeg", "-v", "error", "-i", clip, *options, path], check=True)
    return path


def _more_photos(folder: Path) -> list[Path]:
    still, *others = moving(3)
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation], exif[ExifTags.Base.Copyright] = 6, "A. Cat"
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    profile[_MADE_AT], profile[_PROFILE_ID] = bytes(12), bytes(16)
    said = {"exif": exif, "icc_profile": bytes(profile)}
    stills: dict[str, tuple[Image.Image, dict[str, Any]]] = {
        "photo.avif": (still, said),
        "photo.jp2": (still, {}),
        "told.jpg": (still, {"progressive": True, "xmp": XMP} | said),
        "inks.jpg": (still.convert("CMYK"), {}),
        "told.png": (still.convert("P"), said),
        "told.webp": (still, {"lossless": True} | said),
        "packed.tiff": (still, {"compression": "tiff_lzw"} | said),
    }
    for name, (image, options) in stills.items():
        image.save(folder / name, **options)
    pillow_heif.from_pillow(still).save(folder / "photo.heic", exif=exif.tobytes())
    animations = ["moving.gif", "moving.png", "moving.webp", "moving.avif", "moving.tiff"]
    for name in animations:
        still.save(folder / name, save_all=True, append_images=others, duration=80)
    avif = folder / "moving.avif"
    avif.write_bytes(_made_at_no_time(avif.read_bytes()))
    return [folder / name for name in (*stills, "photo.heic", *animations)]


def _made_at_no_time(data: bytes) -> bytes:
    """An MP4 or AVIF with boxes of version 1, whose headers say that it was made at 0."""
    for kind in (b"mvhd\1", b"tkhd\1", b"mdhd\1"):
        at = data.index(kind) + 8
        data = data[:at] + bytes(16) + data[at + 16 :]
    return data
