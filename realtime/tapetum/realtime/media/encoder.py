"""Video encoders: what is known of each, and the choice of one for given frames.

`choose_encoder` decides everything before anything is opened: the encoder, how it takes quality
and speed, the pixel format that it is fed, and what the user must be told.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import av
from av.codec.codec import UnknownCodecError

from tapetum.gan.machine import cpu_features, thread_limit
from tapetum.realtime.errors import MediaError
from tapetum.realtime.media.av_frame import (
    storage_format,
    stores_alpha,
    with_alpha,
    without_alpha,
)
from tapetum.realtime.media.containers import CONTAINERS, Container, stored_codecs
from tapetum.realtime.media.hdr import HdrMetadata
from tapetum.realtime.media.video_info import VideoInfo
from tapetum.realtime.pixel_format import PIXEL_FORMATS, PixelFormat

ENCODER_NAMES = {
    "h264": "libx264",
    "avc": "libx264",
    "hevc": "libx265",
    "h265": "libx265",
    "av1": "libsvtav1",
    "vp9": "libvpx-vp9",
    "prores": "prores_ks",
    "ffv1": "ffv1",
    "dnxhd": "dnxhd",
}
"""Friendly names of codecs and the encoder that each stands for."""

HEVC_ENCODERS = ("libx265", "hevc_nvenc")
"""Encoders whose streams Apple's players only take under the tag hvc1."""

_X26X_PRESETS = (
    "ultrafast",
    "superfast",
    "veryfast",
    "faster",
    "fast",
    "medium",
    "slow",
    "slower",
    "veryslow",
    "placebo",
)


class Quality(NamedTuple):
    """How an encoder takes quality and speed, and what it needs.

    Attributes:
        crf: the default quality, None where it takes none; then what it may be, and its option.
        preset: the default speed; then what it may be, and its option.
        options: always given to it.
        live_options: given to it beside where each frame must come out at once.
        lone_options: given to it beside in a process that is limited to one thread.
        even_size: whether it only takes sizes that its chroma subsampling divides.
        min_size: its least width and height in pixels.
        reads_at_once: whether a picture may be written over when `encode` has returned.
        stores_aspect_ratio: whether its stream itself says how wide a pixel is.
        needs: hardware without which it cannot be opened, or None.
        alpha_in: FFmpeg's names of the containers in which it keeps alpha.
        alpha_formats: the pixel formats with alpha that it really takes; empty for those it says.
        alpha_options: given to it beside where there is alpha.
        field_options: given to it beside for interlaced video, with the top field first and with
            the bottom field first; None where it cannot say of pictures that they are interlaced.
    """

    crf: int | None = None
    crf_range: tuple[int, int] = (0, 51)
    crf_option: str = "crf"
    preset: str | None = None
    presets: tuple[str, ...] = ()
    preset_option: str = "preset"
    options: Mapping[str, str] = {}
    live_options: Mapping[str, str] = {}
    lone_options: Mapping[str, str] = {}
    even_size: bool = False
    min_size: int = 1
    reads_at_once: bool = False
    stores_aspect_ratio: bool = False
    needs: str | None = None
    alpha_in: tuple[str, ...] = ()
    alpha_formats: tuple[str, ...] = ()
    alpha_options: Mapping[str, str] = {}
    field_options: tuple[Mapping[str, str], Mapping[str, str]] | None = None


def _nvenc(cq: int, cq_max: int, *, stores_aspect_ratio: bool = True) -> Quality:
    """An encoder on a GPU.

    B-frames are off: their decode times would be counted in whole frames, which is wrong where
    the rate varies.
    """
    return Quality(
        crf=cq,
        crf_range=(1, cq_max),
        crf_option="cq",
        preset="p4",
        presets=tuple(f"p{number}" for number in range(1, 8)),
        options={"rc": "vbr", "bf": "0"},
        live_options={"tune": "ll", "delay": "0", "zerolatency": "1"},
        even_size=True,
        stores_aspect_ratio=stores_aspect_ratio,
        needs="an NVIDIA GPU with NVENC and its driver",
    )


_MACROBLOCK = 16
"""Side of x264's blocks in pixels."""
_MACROBLOCKS_AT_ONCE = 8
"""As many of a row as its rate control passes on at once by AVX-512."""

_ALPHA_ADVICE = "--codec vp9 (.webm, .mkv) or prores (.mov) keeps it"

PLAIN = Quality()
QUALITIES: dict[str, Quality] = {
    "libx264": Quality(
        crf=20,
        preset="veryfast",
        presets=_X26X_PRESETS,
        live_options={"tune": "zerolatency"},
        even_size=True,
        stores_aspect_ratio=True,
        reads_at_once=True,
        field_options=({"x264-params": "tff=1"}, {"x264-params": "bff=1"}),
    ),
    "libx265": Quality(
        crf=22,
        preset="veryfast",
        presets=_X26X_PRESETS,
        live_options={"tune": "zerolatency"},
        even_size=True,
        stores_aspect_ratio=True,
        min_size=16,
        options={"x265-params": "log-level=none"},
        lone_options={"x265-params": "pools=none:frame-threads=1"},
        reads_at_once=True,
    ),
    "libsvtav1": Quality(
        crf=32,
        crf_range=(0, 63),
        preset="10",
        presets=tuple(str(number) for number in range(14)),
        lone_options={"svtav1-params": "lp=1"},
        min_size=4,
        reads_at_once=True,
    ),
    "libvpx-vp9": Quality(
        crf=31,
        crf_range=(0, 63),
        preset="6",
        presets=tuple(str(number) for number in range(9)),
        preset_option="cpu-used",
        options={"b": "0", "deadline": "good", "row-mt": "1", "tile-columns": "2"},
        reads_at_once=True,
        alpha_in=("webm", "matroska"),
        alpha_formats=("yuva420p",),
        alpha_options={"auto-alt-ref": "0"},
    ),
    "prores_ks": Quality(
        options={"vendor": "apl0"},
        alpha_in=("mov", "matroska"),
        field_options=({"flags": "+ildct"}, {"flags": "+ildct"}),
    ),
    "ffv1": Quality(options={"level": "3"}, alpha_in=("matroska",), field_options=({}, {})),
    "h264_nvenc": _nvenc(23, 51),
    "hevc_nvenc": _nvenc(25, 51),
    "av1_nvenc": _nvenc(32, 63, stores_aspect_ratio=False),
}


def is_nvenc(name: str) -> bool:
    """Whether an encoder is NVIDIA's, in the GPU."""
    return name.endswith("_nvenc")


# Choosing ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class EncoderSettings:
    """What the user chose; None leaves the container's default.

    Attributes:
        codec: a name of `ENCODER_NAMES` or an FFmpeg encoder, like "hevc" or "libx265".
        crf: quality, lower is better; its range depends on the encoder.
        preset: speed, like "veryfast" (H.264, HEVC) or a number (AV1 0 to 13, VP9 0 to 8).
    """

    codec: str | None = None
    crf: int | None = None
    preset: str | None = None


class Encoder(NamedTuple):
    """An encoder with everything decided.

    Attributes:
        name: FFmpeg's name of the encoder.
        options: its options.
        pixel_format: the format that it is fed.
        description: the line shown to the user, like "libx264 crf 20 veryfast".
        reads_at_once: whether a picture may be written over when `encode` has returned.
        live: whether each frame comes out at once.
        needs: hardware without which it cannot be opened, or None.
        fields: whether pictures are told to be interlaced, as the input's are.
        alpha_notice: a line for the user where a picture is not opaque, which it cannot keep.
        notices: lines for the user about what could not be kept.
    """

    name: str
    options: dict[str, str]
    pixel_format: str
    description: str
    reads_at_once: bool
    live: bool = False
    needs: str | None = None
    fields: bool = False
    alpha_notice: str = ""
    notices: tuple[str, ...] = ()


def choose_encoder(
    settings: EncoderSettings, container: Container, info: VideoInfo, *, live: bool = False
) -> Encoder:
    """Decide encoder, options and pixel format for a video stream.

    Args:
        settings: the user's wishes.
        container: the output container.
        info: the stream as it is to be written.
        live: whether each frame must come out at once, so that little is late or lost by a crash.

    Raises:
        MediaError: no such encoder, one that the container cannot hold, a quality or preset out
            of range, or a size that the encoder cannot encode.
    """
    layout, suffix = PIXEL_FORMATS[storage_format(info.format_name)], container.suffix
    name = _encoder_name(settings.codec, container, layout, alpha=info.alpha)
    quality = QUALITIES.get(name, PLAIN)
    _check_size(name, quality, info)
    options, words = _options(name, quality, settings)
    alpha = info.alpha and container.format_name in quality.alpha_in
    pixel_format, notices = _fed_format(name, quality, info, alpha=alpha)
    alpha_notice = f"transparency cannot be stored by {name} in {suffix}; {_ALPHA_ADVICE}"
    if alpha:
        options.update(quality.alpha_options)
    hdr_options, hdr_notices = _hdr(name, info.hdr)
    field_options, field_notices = _fields(name, quality, info, pixel_format)
    options = _merged(_merged(options, hdr_options), field_options)
    options = _merged(options, repeatable(name, info.width))
    if thread_limit() == 1:
        options = _merged(options, quality.lone_options)
    return Encoder(
        name=name,
        options={**options, **(quality.live_options if live else {})},
        pixel_format=pixel_format,
        description=" ".join([name, *words]),
        reads_at_once=quality.reads_at_once,
        live=live,
        needs=quality.needs,
        fields=info.interlaced and not field_notices,
        alpha_notice="" if alpha else alpha_notice,
        notices=(
            *notices,
            *hdr_notices,
            *field_notices,
            *_aspect_ratio_notice(name, quality, container, info),
        ),
    )


def repeatable(name: str, width: int) -> dict[str, str]:
    """Options with which an encoder gives the same bytes for the same pictures.

    x264's rate control reads beyond a row of macroblocks where AVX-512 passes their costs on, 8 at
    once, and the row is no multiple of that (`mbtree_propagate_list_internal_avx512`, which masks
    nothing there): no two runs are alike. AVX2 takes a tenth longer.

    Args:
        name: of the encoder.
        width: of its pictures.
    """
    reads_beyond = -(-width // _MACROBLOCK) % _MACROBLOCKS_AT_ONCE != 0
    is_concerned = name == "libx264" and {"avx512f", "avx2"} <= set(cpu_features())
    return {"x264-params": "asm=avx2"} if reads_beyond and is_concerned else {}


def _aspect_ratio_notice(
    name: str, quality: Quality, container: Container, info: VideoInfo
) -> list[str]:
    """PyAV has no way to tell a Matroska muxer how wide a pixel is."""
    ratio, suffix = info.sample_aspect_ratio, container.suffix
    if ratio is None or container.is_mov or quality.stores_aspect_ratio:
        return []
    return [f"pixel aspect ratio {ratio} cannot be stored in {suffix} by {name}; .mp4 keeps it"]


def _encoder_name(
    codec: str | None, container: Container, layout: PixelFormat, *, alpha: bool
) -> str:
    if codec is None:
        usual = QUALITIES.get(container.video_encoder, PLAIN)
        if alpha and container.format_name in usual.alpha_in:
            return container.video_encoder
        return container.video_encoder if layout.depth == 8 else container.deep_encoder
    name = ENCODER_NAMES.get(codec.lower(), codec)
    try:
        encoder = av.Codec(name, "w")
    except (UnknownCodecError, RuntimeError):
        known = ", ".join(ENCODER_NAMES)
        raise MediaError(f"codec {codec} is unknown; use {known} or an FFmpeg encoder") from None
    if encoder.type != "video":
        raise MediaError(f"codec {codec} encodes {encoder.type}, not video")
    if name not in stored_codecs(container.format_name):
        raise MediaError(f"codec {codec} cannot be stored in {container.suffix}; {_homes(name)}")
    return name


def _homes(encoder: str) -> str:
    suffixes = [s for s, c in CONTAINERS.items() if encoder in stored_codecs(c.format_name)]
    return f"use {', '.join(suffixes)}" if suffixes else "no container here stores it"


def _check_size(name: str, quality: Quality, info: VideoInfo) -> None:
    if min(info.width, info.height) < quality.min_size:
        size = f"{info.width}x{info.height}"
        raise MediaError(f"{name} cannot encode {size}, its least is {quality.min_size}; use h264")


def _options(
    name: str, quality: Quality, settings: EncoderSettings
) -> tuple[dict[str, str], list[str]]:
    options, words = dict(quality.options), []
    crf = _crf(name, quality, settings.crf)
    if crf is not None:
        options[quality.crf_option] = str(crf)
        words += [quality.crf_option, str(crf)]
    preset = _preset(name, quality, settings.preset)
    if preset is not None:
        options[quality.preset_option] = preset
        words.append(preset if not preset.isdigit() else f"{quality.preset_option} {preset}")
    return options, words


def _crf(name: str, quality: Quality, crf: int | None) -> int | None:
    if crf is None:
        return quality.crf
    if quality.crf is None:
        raise MediaError(f"{name} takes no crf; leave --crf out")
    low, high = quality.crf_range
    if not low <= crf <= high:
        raise MediaError(f"crf of {name} must be {low} to {high}, got {crf}")
    return crf


def _preset(name: str, quality: Quality, preset: str | None) -> str | None:
    if preset is None:
        return quality.preset
    if not quality.presets:
        raise MediaError(f"{name} takes no preset; leave --preset out")
    if preset not in quality.presets:
        known = ", ".join(quality.presets)
        raise MediaError(f"preset of {name} must be one of {known}, got {preset}")
    return preset


def _merged(options: Mapping[str, str], more: Mapping[str, str]) -> dict[str, str]:
    """Both sets of options; parameter lists of the same name are joined."""
    joined = dict(options)
    for key, value in more.items():
        joined[key] = f"{joined[key]}:{value}" if key in joined else value
    return joined


def _hdr(name: str, hdr: HdrMetadata | None) -> tuple[dict[str, str], list[str]]:
    """Parameters that write HDR10 metadata into the stream."""
    if hdr is None:
        return {}, []
    display, light = hdr.mastering_display(), hdr.light_level
    level = f"{light[0]},{light[1]}" if light else None
    keys = {
        "libx264": ("x264-params", "mastering-display", "cll"),
        "libx265": ("x265-params", "master-display", "max-cll"),
    }.get(name)
    if keys is None:
        return {}, [f"HDR mastering metadata is not stored by {name}; --codec libx265 keeps it"]
    option, display_key, light_key = keys
    pairs = [f"{display_key}={display}"] * bool(display) + [f"{light_key}={level}"] * bool(level)
    return {option: ":".join(pairs)}, []


def _fields(
    name: str, quality: Quality, info: VideoInfo, pixel_format: str
) -> tuple[Mapping[str, str], list[str]]:
    """Options that keep pictures interlaced, with their order of fields."""
    if not info.interlaced:
        return {}, []
    progressive = f"the video is interlaced; {name} writes it as progressive frames"
    if quality.field_options is None:
        return {}, [f"{progressive}: see --deinterlace, or --codec libx264 (.mp4, .mov, .mkv)"]
    chroma_y = PIXEL_FORMATS[without_alpha(pixel_format)].chroma_y
    if quality.even_size and info.height % (2 << chroma_y):  # a field has whole rows of chroma
        lines = f"it takes no fields of {info.height} lines in two"
        return {}, [f"{progressive}: {lines}; --codec prores (.mov) or ffv1 (.mkv) keeps them"]
    return quality.field_options[info.bottom_field_first], []


# The pixel format that it is fed ----------------------------------------------------------------


def _fed_format(
    name: str, quality: Quality, info: VideoInfo, *, alpha: bool
) -> tuple[str, list[str]]:
    """The format nearest to the frames' own that an encoder takes, and what changes by it.

    Raises:
        MediaError: the encoder takes no YUV video.
    """
    width, height, even_size = info.width, info.height, quality.even_size
    wanted = PIXEL_FORMATS[storage_format(info.format_name)]
    taken = [storage_format(f.name) for f in av.Codec(name, "w").video_formats or ()]
    if alpha and quality.alpha_formats:
        taken = [*quality.alpha_formats]
    offered = {without_alpha(offer) for offer in taken if stores_alpha(offer) == alpha}
    formats = [PIXEL_FORMATS[known] for known in PIXEL_FORMATS if known in offered]
    fitting = [f for f in formats if not even_size or _divides(f, width, height)]
    if not fitting:
        raise MediaError(f"{name} takes no YUV video; choose another codec")
    nearest = min(fitting, key=_distance(wanted))
    odd = even_size and not _divides(wanted, width, height)
    reason = f"{name} cannot subsample {width}x{height}" if odd else f"{name} takes no nearer one"
    fed = with_alpha(nearest.name) if alpha else nearest.name
    return fed, _notices(name, wanted, nearest, reason)


def _divides(layout: PixelFormat, width: int, height: int) -> bool:
    return width % (1 << layout.chroma_x) == 0 and height % (1 << layout.chroma_y) == 0


def _distance(wanted: PixelFormat) -> Callable[[PixelFormat], tuple[int, int, int, int, int]]:
    """Order formats: no depth lost, no chroma lost, then the least that is added."""

    def key(offer: PixelFormat) -> tuple[int, int, int, int, int]:
        chroma = (offer.chroma_x + offer.chroma_y) - (wanted.chroma_x + wanted.chroma_y)
        depth = offer.depth - wanted.depth
        return (
            max(-depth, 0),
            max(chroma, 0),
            max(depth, 0),
            max(-chroma, 0),
            int(offer.semi_planar != wanted.semi_planar),
        )

    return key


def _notices(name: str, wanted: PixelFormat, nearest: PixelFormat, reason: str) -> list[str]:
    notices = []
    if nearest.depth != wanted.depth:
        notices.append(f"{wanted.depth}-bit video is stored as {nearest.depth}-bit by {name}")
    if (nearest.chroma_x, nearest.chroma_y) != (wanted.chroma_x, wanted.chroma_y):
        notices.append(f"{wanted.name} is stored as {nearest.name}: {reason}")
    return notices
