"""HDR10 static metadata: read from a decoded frame, written through the encoder's parameters."""

from __future__ import annotations

import struct
from collections.abc import Callable
from fractions import Fraction
from typing import NamedTuple, cast

import av
from av.filter import Graph
from av.sidedata.sidedata import SideDataContainer, Type

_CHROMATICITY_UNIT = 50_000
_LUMINANCE_UNIT = 10_000

_side_data = cast("Callable[[av.VideoFrame], SideDataContainer]", SideDataContainer)
"""What `frame.side_data` makes. That one is kept in the frame and refers to it: such a frame would
hold its picture's memory until Python's collector runs, a hundred pictures later."""


class HdrMetadata(NamedTuple):
    """SMPTE ST 2086 mastering display and CTA-861.3 content light level.

    Attributes:
        primaries: x and y of red, green, blue and white in units of 0.00002, or None.
        luminance: maximum and minimum of the display in units of 0.0001 cd/m2, or None.
        light_level: maximum content and frame-average light level in cd/m2, or None.
    """

    primaries: tuple[int, ...] | None = None
    luminance: tuple[int, int] | None = None
    light_level: tuple[int, int] | None = None

    def mastering_display(self, separator: str = "") -> str | None:
        """The display in the notation that x264, x265 take, or None where it is not known."""
        if self.primaries is None or self.luminance is None:
            return None
        red_x, red_y, green_x, green_y, blue_x, blue_y, white_x, white_y = self.primaries
        parts = (
            f"G({green_x},{green_y})",
            f"B({blue_x},{blue_y})",
            f"R({red_x},{red_y})",
            f"WP({white_x},{white_y})",
            f"L({self.luminance[0]},{self.luminance[1]})",
        )
        return separator.join(parts)


def hdr_metadata(frame: av.VideoFrame) -> HdrMetadata | None:
    """Read a frame's static HDR metadata; None where it has none."""
    display = side_data_bytes(frame, Type.MASTERING_DISPLAY_METADATA)
    light = side_data_bytes(frame, Type.CONTENT_LIGHT_LEVEL)
    if display is None and light is None:
        return None
    primaries, luminance = _mastering_display(display) if display else (None, None)
    level = struct.unpack_from("=II", light) if light else (0, 0)
    return HdrMetadata(primaries, luminance, level if any(level) else None)  # zeros: not known


def side_data_bytes(frame: av.VideoFrame, kind: Type) -> bytes | None:
    """The bytes of one kind of side data; None where the frame has none.

    One in a device's memory that also carries a kind unknown to this PyAV gives None.
    """
    try:
        return bytes(_side_data(frame)[kind])
    except KeyError:
        return None
    except ValueError:  # it also carries a kind that PyAV cannot list
        return None if frame.sw_format else side_data_bytes(_with_known_kinds(frame), kind)


_LAST_KNOWN = max(cast("list[int]", [kind.value for kind in Type]))
_UNKNOWN_KINDS = range(_LAST_KNOWN + 1, _LAST_KNOWN + 9)
"""Of FFmpeg's side data, views and EXIF among them, with room for some that are still to come."""


def _with_known_kinds(frame: av.VideoFrame) -> av.VideoFrame:
    """A frame of the same memory without the side data that PyAV does not know."""
    graph = Graph()
    node = graph.add_buffer(
        width=frame.width,
        height=frame.height,
        format=frame.format,
        time_base=frame.time_base or Fraction(1, 25),
    )
    filters = [graph.add("sidedata", f"mode=delete:type={number}") for number in _UNKNOWN_KINDS]
    graph.link_nodes(node, *filters, graph.add("buffersink")).configure()
    graph.vpush(frame)
    return graph.vpull()


def _mastering_display(
    data: bytes,
) -> tuple[tuple[int, ...] | None, tuple[int, int] | None]:
    """Unpack FFmpeg's AVMasteringDisplayMetadata: ten fractions and two flags."""
    numbers = struct.unpack_from("=22i", data)
    if any(denominator == 0 for denominator in numbers[1:20:2]):
        return None, None
    values = [Fraction(numbers[i], numbers[i + 1]) for i in range(0, 20, 2)]
    primaries = tuple(round(value * _CHROMATICITY_UNIT) for value in values[:8])
    minimum, maximum = (round(value * _LUMINANCE_UNIT) for value in values[8:])
    return (primaries if numbers[20] else None), ((maximum, minimum) if numbers[21] else None)
