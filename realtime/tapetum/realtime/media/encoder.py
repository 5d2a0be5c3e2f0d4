"""Video encoders: names, quality and speed options, and the pixel format that each is fed."""

from __future__ import annotations

from dataclasses import dataclass, field

import av
from av.codec.codec import UnknownCodecError

from tapetum.realtime.errors import MediaError
from tapetum.realtime.media.av_frame import storage_format
from tapetum.realtime.media.containers import CONTAINERS, Container, stored_codecs
from tapetum.realtime.media.encoder_format import encoder_pixel_format
from tapetum.realtime.media.hdr import HdrMetadata
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


@dataclass(frozen=True, slots=True)
class _Quality:
    """How an encoder takes quality and speed."""

    crf: int | None = None
    crf_max: int = 51
    preset: str | None = None
    presets: tuple[str, ...] = ()
    preset_option: str = "preset"
    options: dict[str, str] = field(default_factory=dict)
    even_size: bool = False
    min_size: int = 1
    reads_at_once: bool = False
    stores_aspect_ratio: bool = False


_PLAIN = _Quality()
_ENCODERS = {
    "libx264": _Quality(
        crf=20,
        preset="veryfast",
        presets=_X26X_PRESETS,
        even_size=True,
        stores_aspect_ratio=True,
        reads_at_once=True,
    ),
    "libx265": _Quality(
        crf=22,
        preset="veryfast",
        presets=_X26X_PRESETS,
        even_size=True,
        stores_aspect_ratio=True,
        min_size=16,
        options={"x265-params": "log-level=none"},
        reads_at_once=True,
    ),
    "libsvtav1": _Quality(
        crf=32,
        crf_max=63,
        preset="10",
        presets=tuple(str(number) for number in range(14)),
        min_size=4,
        reads_at_once=True,
    ),
    "libvpx-vp9": _Quality(
        crf=31,
        crf_max=63,
        preset="6",
        presets=tuple(str(number) for number in range(9)),
        preset_option="cpu-used",
        options={"b": "0", "deadline": "good", "row-mt": "1", "tile-columns": "2"},
        reads_at_once=True,
    ),
    "prores_ks": _Quality(options={"vendor": "apl0"}),
    "ffv1": _Quality(options={"level": "3"}),
}


@dataclass(frozen=True, slots=True)
class Encoder:
    """An encoder with everything decided.

    Attributes:
        name: FFmpeg's name of the encoder.
        options: its options.
        pixel_format: the format that it is fed.
        description: the line shown to the user, like "libx264 crf 20 veryfast".
        reads_at_once: whether a picture may be written over when `encode` has returned.
        stores_aspect_ratio: whether its stream itself says how wide a pixel is.
        notices: lines for the user about what could not be kept.
    """

    name: str
    options: dict[str, str]
    pixel_format: str
    description: str
    reads_at_once: bool
    stores_aspect_ratio: bool
    notices: tuple[str, ...] = ()


def choose_encoder(
    settings: EncoderSettings,
    container: Container,
    *,
    format_name: str,
    width: int,
    height: int,
    hdr: HdrMetadata | None = None,
) -> Encoder:
    """Decide encoder, options and pixel format for frames of a format and size.

    Args:
        settings: the user's wishes.
        container: the output container.
        format_name: pixel format of the frames, one of `PIXEL_FORMATS`.
        width: frame width in pixels.
        height: frame height in pixels.
        hdr: static HDR metadata to write, where the encoder can.

    Raises:
        MediaError: no such encoder, one that the container cannot hold, a quality or preset out
            of range, or a size that the encoder cannot encode.
    """
    layout = PIXEL_FORMATS[storage_format(format_name)]
    name = _encoder_name(settings.codec, container, layout)
    quality = _ENCODERS.get(name, _PLAIN)
    _check_size(name, quality, width, height)
    options, words = _options(name, quality, settings)
    pixel_format, notices = encoder_pixel_format(
        name, layout, width, height, even_size=quality.even_size
    )
    hdr_options, hdr_notices = _hdr(name, hdr)
    return Encoder(
        name=name,
        options=_merged(options, hdr_options),
        pixel_format=pixel_format,
        description=" ".join([name, *words]),
        reads_at_once=quality.reads_at_once,
        stores_aspect_ratio=quality.stores_aspect_ratio,
        notices=(*notices, *hdr_notices),
    )


def _encoder_name(codec: str | None, container: Container, layout: PixelFormat) -> str:
    if codec is None:
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


def _check_size(name: str, quality: _Quality, width: int, height: int) -> None:
    if min(width, height) < quality.min_size:
        raise MediaError(
            f"{name} cannot encode {width}x{height}, its least is {quality.min_size}; use h264"
        )


def _options(
    name: str, quality: _Quality, settings: EncoderSettings
) -> tuple[dict[str, str], list[str]]:
    options, words = dict(quality.options), []
    crf = _crf(name, quality, settings.crf)
    if crf is not None:
        options["crf"] = str(crf)
        words += ["crf", str(crf)]
    preset = _preset(name, quality, settings.preset)
    if preset is not None:
        options[quality.preset_option] = preset
        words.append(preset if not preset.isdigit() else f"{quality.preset_option} {preset}")
    return options, words


def _crf(name: str, quality: _Quality, crf: int | None) -> int | None:
    if crf is None:
        return quality.crf
    if quality.crf is None:
        raise MediaError(f"{name} takes no crf; leave --crf out")
    if not 0 <= crf <= quality.crf_max:
        raise MediaError(f"crf of {name} must be 0 to {quality.crf_max}, got {crf}")
    return crf


def _preset(name: str, quality: _Quality, preset: str | None) -> str | None:
    if preset is None:
        return quality.preset
    if not quality.presets:
        raise MediaError(f"{name} takes no preset; leave --preset out")
    if preset not in quality.presets:
        known = ", ".join(quality.presets)
        raise MediaError(f"preset of {name} must be one of {known}, got {preset}")
    return preset


def _merged(options: dict[str, str], hdr_options: dict[str, str]) -> dict[str, str]:
    """Both sets of options; parameter lists of the same name are joined."""
    joined = dict(options)
    for key, value in hdr_options.items():
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
        return {}, [f"HDR mastering metadata is not stored by {name}; --codec hevc keeps it"]
    option, display_key, light_key = keys
    pairs = [f"{display_key}={display}"] * bool(display) + [f"{light_key}={level}"] * bool(level)
    return {option: ":".join(pairs)}, []
