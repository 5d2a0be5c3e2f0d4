"""Video encoders: names, quality and speed options, and the pixel format that each is fed."""

from __future__ import annotations

from dataclasses import dataclass

import av
from av.codec.codec import UnknownCodecError

from tapetum.realtime.errors import MediaError
from tapetum.realtime.media.av_frame import storage_format
from tapetum.realtime.media.containers import CONTAINERS, Container, stored_codecs
from tapetum.realtime.media.encoder_format import encoder_pixel_format
from tapetum.realtime.media.encoder_table import ENCODER_NAMES, PLAIN, QUALITIES, Quality
from tapetum.realtime.media.hdr import HdrMetadata
from tapetum.realtime.pixel_format import PIXEL_FORMATS, PixelFormat


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
class Encoder:
    """An encoder with everything decided.

    Attributes:
        name: FFmpeg's name of the encoder.
        options: its options.
        pixel_format: the format that it is fed.
        description: the line shown to the user, like "libx264 crf 20 veryfast".
        reads_at_once: whether a picture may be written over when `encode` has returned.
        stores_aspect_ratio: whether its stream itself says how wide a pixel is.
        needs: hardware without which it cannot be opened, or None.
        notices: lines for the user about what could not be kept.
    """

    name: str
    options: dict[str, str]
    pixel_format: str
    description: str
    reads_at_once: bool
    stores_aspect_ratio: bool
    needs: str | None = None
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
    quality = QUALITIES.get(name, PLAIN)
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
        needs=quality.needs,
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


def _check_size(name: str, quality: Quality, width: int, height: int) -> None:
    if min(width, height) < quality.min_size:
        raise MediaError(
            f"{name} cannot encode {width}x{height}, its least is {quality.min_size}; use h264"
        )


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
        return {}, [f"HDR mastering metadata is not stored by {name}; --codec libx265 keeps it"]
    option, display_key, light_key = keys
    pairs = [f"{display_key}={display}"] * bool(display) + [f"{light_key}={level}"] * bool(level)
    return {option: ":".join(pairs)}, []
