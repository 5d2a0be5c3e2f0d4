"""VapourSynth (R65 or newer, on Python 3.12 or newer): a function from clip to brighter clip.

    from tapetum.realtime.plugins.vapoursynth import enhance

    enhance(vs.core.bs.VideoSource("dark.mkv"), strength=0.8).set_output()

VapourSynth asks for frames in any order, and Tapetum looks at the frames before. So frames are
enhanced in their order whatever is asked for, and after a seek those before it are looked at first.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import vapoursynth as vs

from tapetum.realtime.choices import Denoise
from tapetum.realtime.enhancer import Enhancer
from tapetum.realtime.errors import MediaError
from tapetum.realtime.frame import UNSPECIFIED, ColorInfo, Frame, Plane
from tapetum.realtime.pixel_format import pixel_format

_WARM_UP_S = 2.0
"""How much of what comes before a seek is looked at: after it 0.1 % is left of what was before."""
_WARM_UP_FRAMES = 50
"""The same where the clip has no constant rate."""
_KEPT = 16
"""Enhanced frames that are kept for who asks for them late; more than VapourSynth has threads."""


def enhance(
    clip: Any,  # noqa: ANN401 - its stubs are not here
    strength: float = 1.0,
    *,
    model: str | Path = "grid",
    denoise: Denoise = "off",
    when_dark: bool = True,
) -> Any:  # noqa: ANN401
    """Brighten a clip.

    Args:
        clip: a `VideoNode` of constant format: YUV 4:2:0, 4:2:2 or 4:4:4 of 8, 10 or 12 bits.
        strength: from 0 (the picture as it is) over 1 (the model's own output) to 2.
        model: `grid`, `unet`, or a model file.
        denoise: how much noise `grid` takes out: `auto`, `off`, or from 0 to 1.
        when_dark: leave well-lit pictures as they are.

    Returns:
        A `VideoNode` of the same format and length; frames keep their properties.

    Raises:
        MediaError: the format is none of these.
        ModelError: there is no such model, or its file cannot be used.
        ValueError: `strength` or `denoise` is out of its range.
    """
    name = _format_name(clip)
    enhancer = Enhancer(model, strength, denoise=denoise, when_dark=when_dark)
    return clip.std.ModifyFrame(clips=clip, selector=_InOrder(clip, name, enhancer))


class _InOrder:
    """Enhances frames one after the other, whatever the order in which they are asked for."""

    def __init__(self, clip: Any, format_name: str, enhancer: Enhancer) -> None:  # noqa: ANN401
        self._clip = clip
        self._format_name = format_name
        self._enhancer = enhancer
        self._next = 0
        self._kept: OrderedDict[int, Any] = OrderedDict()
        rate = clip.fps_num / clip.fps_den if clip.fps_num else 0
        self._time_base = Fraction(clip.fps_den, clip.fps_num) if clip.fps_num else None
        self._warm_up = round(rate * _WARM_UP_S) or _WARM_UP_FRAMES

    def __call__(self, n: int, f: Any) -> Any:  # noqa: ANN401
        """Frame `n`, enhanced; `f` is the frame as it is."""
        if n in self._kept:
            return self._kept[n]
        if not self._next <= n <= self._next + self._warm_up:
            self._enhancer.reset()
            self._kept.clear()
            self._next = max(0, n - self._warm_up)
        for number in range(self._next, n):
            self._keep(number, self._enhanced(number, self._clip.get_frame(number)))
        return self._keep(n, self._enhanced(n, f))

    def _keep(self, number: int, made: Any) -> Any:  # noqa: ANN401
        self._next = number + 1
        self._kept[number] = made
        while len(self._kept) > _KEPT:
            self._kept.popitem(last=False)
        return made

    def _enhanced(self, number: int, picture: Any) -> Any:  # noqa: ANN401
        planes: tuple[Plane, ...] = tuple(np.asarray(plane) for plane in picture)
        frame = Frame(
            planes,
            self._format_name,
            pts=None if self._time_base is None else number,
            time_base=self._time_base or Fraction(1),
            color=_color(picture.props),
        )
        bright = self._enhancer.enhance_frame(frame)
        if bright is frame:
            return picture
        made = picture.copy()
        for place, plane in zip(made, bright.planes, strict=True):
            np.asarray(place)[...] = plane
        return made


def _format_name(clip: Any) -> str:  # noqa: ANN401
    """FFmpeg's name of a clip's format.

    Raises:
        MediaError: it is none that can be enhanced.
    """
    layout = clip.format
    if layout is None or layout.color_family == vs.UNDEFINED or not clip.width:
        raise MediaError("a clip whose format or size varies cannot be enhanced")
    chroma = {(1, 1): "420", (1, 0): "422", (0, 0): "444"}.get(
        (layout.subsampling_w, layout.subsampling_h)
    )
    is_yuv = layout.color_family == vs.YUV and layout.sample_type == vs.INTEGER
    if not is_yuv or chroma is None or layout.bits_per_sample not in {8, 10, 12}:
        raise MediaError(
            f"{layout.name} cannot be enhanced; clip.resize.Bicubic(format=vs.YUV420P8,"
            " matrix_s='709') makes what can, YUV of 8, 10 or 12 bits"
        )
    depth = "" if layout.bits_per_sample == 8 else f"{layout.bits_per_sample}le"
    return pixel_format(f"yuv{chroma}p{depth}").name


def _color(props: Mapping[str, Any]) -> ColorInfo:
    """What properties say; 0 is limited in `_Range`, and full in the older `_ColorRange`."""
    if "_Range" in props:
        color_range = 2 if int(props["_Range"]) == 1 else 1
    elif "_ColorRange" in props:
        color_range = 2 if int(props["_ColorRange"]) == 0 else 1
    else:
        color_range = 0
    return ColorInfo(
        matrix=int(props.get("_Matrix", UNSPECIFIED)),
        range=color_range,
        primaries=int(props.get("_Primaries", UNSPECIFIED)),
        transfer=int(props.get("_Transfer", UNSPECIFIED)),
        chroma_location=int(props.get("_ChromaLocation", -1)) + 1,
    )
