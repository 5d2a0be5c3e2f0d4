"""`Frame`: the one type that flows from source through enhancer to sink."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Protocol

import numpy as np
import numpy.typing as npt

from tapetum.realtime.errors import MediaError
from tapetum.realtime.pixel_format import PixelFormat, pixel_format

Plane = npt.NDArray[np.uint8] | npt.NDArray[np.uint16]

UNSPECIFIED = 2
"""The code point of ITU-T H.273 for "unspecified" matrix, primaries and transfer."""

PQ, HLG = 16, 18
"""The code points of the transfers of high dynamic range (ITU-R BT.2100)."""

LEFT, CENTER, TOP_LEFT, TOP, BOTTOM_LEFT = 1, 2, 3, 4, 5
"""Where chroma lies among the pixels that it covers, in FFmpeg's numbers."""

_BT2020 = (9, 10)
_LUMA_WEIGHTS = {
    1: (0.2126, 0.0722),  # BT.709
    4: (0.30, 0.11),  # FCC
    5: (0.299, 0.114),  # BT.470 BG, the numbers of BT.601
    6: (0.299, 0.114),  # SMPTE 170M, the numbers of BT.601
    7: (0.212, 0.087),  # SMPTE 240M
    9: (0.2627, 0.0593),  # BT.2020 non-constant luminance
    10: (0.2627, 0.0593),  # BT.2020 constant luminance, close enough for a tone curve
}


@dataclass(frozen=True, slots=True)
class ColorInfo:
    """How the numbers in a frame's planes mean colour, in FFmpeg's and H.273's code points.

    Attributes:
        matrix: matrix coefficients (1 BT.709, 5 and 6 BT.601, 9 BT.2020, 2 unspecified).
        range: 1 limited ("tv"), 2 full ("pc"), 0 unspecified.
        primaries: colour primaries (2 unspecified).
        transfer: transfer characteristics (2 unspecified).
        chroma_location: where subsampled chroma lies, of FFmpeg's AVChromaLocation: 1 left,
            2 centre, 3 top left (0 unspecified). PyAV does not read it from files.
    """

    matrix: int = UNSPECIFIED
    range: int = 0
    primaries: int = UNSPECIFIED
    transfer: int = UNSPECIFIED
    chroma_location: int = 0

    @property
    def is_hdr(self) -> bool:
        """Whether the transfer is of high dynamic range: PQ or HLG."""
        return self.transfer in {PQ, HLG}


class Fetch(Protocol):
    """How the picture of a frame in a device's memory is had in main memory."""

    def __call__(self) -> Frame:
        """The whole picture, copied once however often it is asked for.

        Raises:
            DeviceError: the device is lost.
        """

    def luma_rows(self, count: int) -> Plane:
        """So many rows of its luma, evenly spread from the first on, of its format on the device.

        Raises:
            DeviceError: the device is lost.
        """


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """One picture of a video: planes on one device, with their time and colour.

    Attributes:
        planes: one 2-D array per plane, uint8 or (over 8 bits) uint16; rows may be pitched. A
            semi-planar chroma plane is (H, 2 * W) with U and V interleaved. Treat the arrays
            as read-only: they may be views of a decoder's memory.
        format_name: FFmpeg's name of the pixel format, one of `PIXEL_FORMATS`.
        pts: presentation time in `time_base` units, or None where the container has none.
        time_base: seconds per unit of `pts`.
        color: matrix, range, primaries and transfer.
        duration: display time in `time_base` units; 0 where unknown.
        capture_time_s: `time.monotonic()` at capture, for live sources.
        arrival_time_s: `time.monotonic()` when a live source handed the frame over.
        alpha: (H, W) opacity in main memory, of the samples' type and depth, full range; None
            where all is opaque.
        captions: CEA-608/708 inside the video, as `media.captions` has them; None without any.
        fetch: for a frame in a device's memory, in a stream that needs some pictures in main
            memory; None for all others.
    """

    planes: tuple[Plane, ...]
    format_name: str
    pts: int | None = None
    time_base: Fraction = Fraction(1, 1000)
    color: ColorInfo = ColorInfo()
    duration: int = 0
    capture_time_s: float | None = None
    arrival_time_s: float | None = None
    alpha: Plane | None = None
    captions: bytes | None = None
    fetch: Fetch | None = None

    @property
    def format(self) -> PixelFormat:
        """The layout of the planes."""
        return pixel_format(self.format_name)

    @property
    def width(self) -> int:
        """Width of the luma plane in pixels."""
        return int(self.planes[0].shape[1])

    @property
    def height(self) -> int:
        """Height of the luma plane in pixels."""
        return int(self.planes[0].shape[0])

    @property
    def time_s(self) -> float | None:
        """Presentation time in seconds, or None."""
        if self.pts is None:
            return None
        return self.pts * self.time_base.numerator / self.time_base.denominator

    @property
    def full_range(self) -> bool:
        """Whether luma 0 and 2**depth - 1 are black and white (else 16 and 235, scaled)."""
        return self.color.range == 2 or (self.color.range == 0 and self.format.full_range)

    @property
    def luma_weights(self) -> tuple[float, float]:
        """Kr and Kb of the matrix."""
        return _LUMA_WEIGHTS[self.matrix]

    @property
    def matrix(self) -> int:
        """The matrix's code point; an untagged frame is BT.709 from 720p up, else BT.601."""
        guess = 1 if self.width >= 1280 or self.height > 576 else 6
        return self.color.matrix if self.color.matrix in _LUMA_WEIGHTS else guess

    @property
    def cosited(self) -> tuple[bool, bool]:
        """Whether chroma lies on a pixel, across and down; else between those that it covers.

        What no tag says is as the standards have it: in the middle for JPEG, on the top left
        pixel for BT.2020, else on the left and between two rows (ITU-T H.264, E.2.1).
        """
        place = self.color.chroma_location or self._usual_chroma_location
        across = bool(self.format.chroma_x) and place in {LEFT, TOP_LEFT, BOTTOM_LEFT}
        return across, bool(self.format.chroma_y) and place in {TOP_LEFT, TOP}

    @property
    def _usual_chroma_location(self) -> int:
        if self.format.full_range:  # FFmpeg's yuvj, which JPEG decodes to
            return CENTER
        return TOP_LEFT if self.color.matrix in _BT2020 else LEFT

    @property
    def in_memory(self) -> Frame:
        """The same in main memory, where it is fetched; its format may be another.

        Raises:
            DeviceError: the device that it lies on is lost.
        """
        if self.fetch is None:
            return self
        there = self.fetch()
        return replace(
            self,
            planes=there.planes,
            format_name=there.format_name,
            color=there.color,
            fetch=None,
        )

    def luma_rows(self, count: int) -> Plane:
        """So many rows of luma in main memory, evenly spread from the first on.

        Raises:
            DeviceError: the device that it lies on is lost.
        """
        if self.fetch is not None:
            return self.fetch.luma_rows(count)
        return self.planes[0].take(np.arange(count) * self.height // count, 0)

    def with_planes(self, planes: tuple[Plane, ...]) -> Frame:
        """The same frame (time, colour, format) with other pixels.

        Raises:
            MediaError: the planes do not have the shapes of this frame's.
        """
        shapes = [plane.shape for plane in planes]
        if shapes != [plane.shape for plane in self.planes]:
            raise MediaError(f"planes of a {self.format_name} frame cannot be {shapes}")
        return replace(self, planes=planes, fetch=None)
