"""Tells an encoder what the pictures that it is about to get are like."""

from __future__ import annotations

from fractions import Fraction

from av.video.codeccontext import VideoCodecContext

from tapetum.realtime.media.av_frame import FULL_RANGE
from tapetum.realtime.media.encoder import Encoder
from tapetum.realtime.media.video_info import VideoInfo
from tapetum.realtime.pixel_format import pixel_format


def set_picture_format(context: VideoCodecContext, info: VideoInfo, encoder: Encoder) -> None:
    """Set size, pixel format, time base, shape of a pixel and colour tags, before it is opened."""
    context.width, context.height = info.width, info.height
    context.pix_fmt = encoder.pixel_format
    context.time_base = info.time_base
    context.thread_type = "AUTO"  # PyAV's default, slices, costs x264 quality and speed
    context.sample_aspect_ratio = info.sample_aspect_ratio or Fraction(1)
    context.colorspace = info.color.matrix
    context.color_primaries = info.color.primaries
    context.color_trc = info.color.transfer
    full = info.color.range == 0 and pixel_format(info.format_name).full_range
    context.color_range = FULL_RANGE if full else info.color.range
