"""What a photo says about itself: EXIF, XMP, colour profile, resolution, and texts.

All of it goes into the enhanced photo as it was, except what is no longer so: the pixels are
upright now, and the small preview in the EXIF block showed the dark picture.
"""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass, field
from typing import Any

from PIL import ExifTags, Image, TiffImagePlugin

from tapetum.realtime.photos.extras import without_extras

_TIFF_ONLY = frozenset(
    {
        254, 255, 256, 257, 258, 259, 262, 263, 264, 265, 266, 273, 277, 278, 279, 280, 281, 284,
        288, 289, 290, 291, 292, 293, 297, 301, 317, 318, 319, 320, 321, 322, 323, 324, 325, 330,
        332, 333, 334, 336, 338, 339, 340, 341, 342, 347, 512, 513, 514, 515, 517, 518, 519, 520,
        521, 529, 530, 531, 532, 700, 33723, 34377, 34675, 37724,
    }
)  # fmt: skip
"""Tags of a TIFF file that say how its pixels lie, or that are kept apart: none for a photo."""
_XMP, _IPTC, _PHOTOSHOP = 700, 33723, 34377
_APP13 = "APP13"
_PNG_COLOR = (b"cICP", b"gAMA", b"cHRM", b"sRGB", b"mDCV", b"cLLI")
_SRGB_GAMMA = 45455
_SRGB_PRIMARIES = (31270, 32900, 64000, 33000, 30000, 60000, 15000, 6000)
"""gAMA and cHRM of sRGB, in 1/100,000."""
_XRESOLUTION = ExifTags.Base.XResolution
_ALIKE = 500
_SRGB_CICP = b"\x01\x0d"
_XMP_ORIENTATION = re.compile(rb"""(tiff:Orientation(?:=["']|>\s*))[2-8]""")


@dataclass(frozen=True, slots=True)
class Metadata:
    """What is kept of a photo beside its pixels; empty where there is none.

    Attributes:
        exif: the EXIF block, beginning with "II" or "MM".
        xmp: the XMP packet.
        icc: the colour profile that the pixels belong to.
        dpi: pixels an inch, across and down.
        comment: of JPEG and GIF.
        texts: of PNG, by their keywords.
        png_color: (kind, body) of the PNG chunks that say what its numbers mean.
        iptc: the block that TIFF and JPEG keep beside EXIF, as JPEG's APP13 has it.
    """

    exif: bytes = b""
    xmp: bytes = b""
    icc: bytes = b""
    dpi: tuple[float, float] | None = None
    comment: bytes = b""
    texts: dict[str, str] = field(default_factory=dict)
    png_color: tuple[tuple[bytes, bytes], ...] = ()
    iptc: bytes = b""

    def kinds(self) -> frozenset[str]:
        """Which of "EXIF", "XMP", "ICC", "resolution", "IPTC" there are."""
        there = {
            "EXIF": self.exif,
            "XMP": self.xmp,
            "ICC": self.icc,
            "resolution": self.dpi,
            "IPTC": self.iptc,
        }
        return frozenset(kind for kind, value in there.items() if value)

    @property
    def png_color_differs(self) -> bool:
        """Whether PNG chunks alone say that the pixels are not sRGB; PNG, 4.3, says which count."""
        chunks = dict(self.png_color)
        if b"cICP" in chunks:
            return chunks[b"cICP"][:2] != _SRGB_CICP
        if self.icc or b"sRGB" in chunks:
            return False
        gamma, primaries = _numbers(chunks.get(b"gAMA")), _numbers(chunks.get(b"cHRM"))
        wanted = ((gamma, (_SRGB_GAMMA,)), (primaries, _SRGB_PRIMARIES))
        return any(
            len(found) == len(usual)
            and any(abs(one - other) > _ALIKE for one, other in zip(found, usual, strict=True))
            for found, usual in wanted
        )


def _numbers(body: bytes | None) -> tuple[int, ...]:
    """The unsigned numbers of a PNG chunk; none where it is missing or cut."""
    whole = body or b""
    return struct.unpack(f">{len(whole) // 4}I", whole[: len(whole) // 4 * 4])


def orientation(image: Image.Image) -> int:
    """The EXIF orientation of an opened picture, 1 (upright) to 8; 1 where it says none."""
    try:
        value = image.getexif().get(ExifTags.Base.Orientation, 1)
    except (ValueError, TypeError, SyntaxError, struct.error, OSError):
        return 1
    return value if value in range(1, 9) else 1


def read_metadata(image: Image.Image, png_chunks: tuple[tuple[bytes, bytes], ...]) -> Metadata:
    """Collect what an opened and loaded picture says about itself.

    Args:
        image: the picture.
        png_chunks: (kind, body) of a PNG's chunks.
    """
    info = image.info
    is_tiff = isinstance(image, TiffImagePlugin.TiffImageFile)
    xmp = _tiff_tag(image, _XMP) or _bytes(info.get("xmp"))
    exif = _exif_of_tiff(image) if is_tiff else _upright_exif(_bytes(info.get("exif")))
    return Metadata(
        exif=exif,
        xmp=_XMP_ORIENTATION.sub(rb"\g<1>1", without_extras(xmp)),
        icc=_bytes(info.get("icc_profile")),
        dpi=_dpi(image),
        comment=_bytes(info.get("comment")),
        texts=_png_texts(image),
        png_color=tuple(chunk for chunk in png_chunks if chunk[0] in _PNG_COLOR),
        iptc=_iptc(image),
    )


def _png_texts(image: Image.Image) -> dict[str, str]:
    try:
        texts = getattr(image, "text", {})
    except AssertionError:  # Pillow's answer where texts should follow, and the file ends
        return {}
    return {key: str(text) for key, text in texts.items() if key != "XML:com.adobe.xmp"}


def _bytes(value: object) -> bytes:
    if isinstance(value, str):
        return value.encode()
    return bytes(value) if isinstance(value, bytes | bytearray) else b""


def _dpi(image: Image.Image) -> tuple[float, float] | None:
    dpi = image.info.get("dpi")
    if isinstance(image, TiffImagePlugin.TiffImageFile) and _XRESOLUTION not in image.tag_v2:
        return None  # for which Pillow has 1
    if not isinstance(dpi, tuple) or len(dpi) != 2:
        return None
    across, down = (float(value) for value in dpi)
    return (across, down) if 0 < across < 1e6 and 0 < down < 1e6 else None


def _tiff_tag(image: Image.Image, tag: int) -> bytes:
    if not isinstance(image, TiffImagePlugin.TiffImageFile):
        return b""
    value: Any = image.tag_v2.get(tag)
    return bytes(value) if isinstance(value, bytes) else b""


def _iptc(image: Image.Image) -> bytes:
    """IPTC as JPEG's APP13 has it: a list of Photoshop's resources, of which 0x0404 is IPTC."""
    for kind, body in getattr(image, "applist", ()):
        if kind == _APP13 and body.startswith(b"Photoshop 3.0\0"):
            return bytes(body)
    resources, records = _tiff_tag(image, _PHOTOSHOP), _tiff_tag(image, _IPTC)
    if not resources and records:
        padding = b"\0" * (len(records) % 2)
        resources = b"8BIM\x04\x04\0\0" + struct.pack(">I", len(records)) + records + padding
    return b"Photoshop 3.0\0" + resources if resources else b""


def _exif_of_tiff(image: Image.Image) -> bytes:
    """What a TIFF file holds in its own tags, as the EXIF block of another format."""
    try:
        tags = image.getexif()
        kept = Image.Exif()
        for tag, value in tags.items():
            if tag not in _TIFF_ONLY and tag != ExifTags.Base.Orientation:
                kept[tag] = value
        for group in (ExifTags.IFD.Exif, ExifTags.IFD.GPSInfo):
            kept.pop(group, None)
            if directory := tags.get_ifd(group):
                kept.get_ifd(group).update(directory)
        return kept.tobytes().removeprefix(b"Exif\0\0") if _says_something(kept) else b""
    except (ValueError, TypeError, SyntaxError, struct.error, OSError, KeyError):
        return b""


def _says_something(exif: Image.Exif) -> bool:
    """Whether there is more than a resolution, which is kept by itself."""
    resolution = {_XRESOLUTION, ExifTags.Base.YResolution}
    groups = (ExifTags.IFD.Exif, ExifTags.IFD.GPSInfo)
    more = set(exif) - resolution - {ExifTags.Base.ResolutionUnit}
    return bool(more) or any(exif.get_ifd(group) for group in groups)


def _upright_exif(block: bytes) -> bytes:
    """An EXIF block with its orientation reset and without its preview, else byte for byte.

    Pixels lie upright after reading; a maker's own notes hold places in the block, so nothing
    may move.
    """
    tiff = bytearray(block.removeprefix(b"Exif\0\0"))
    if bytes(tiff[:2]) not in {b"II", b"MM"} or len(tiff) < 8:
        return b""
    order: Any = "little" if tiff[:2] == b"II" else "big"

    def number(at: int, size: int) -> int:
        return int.from_bytes(tiff[at : at + size], order)

    directory = number(4, 4)
    end = directory + 2 + 12 * number(directory, 2)
    if end + 4 > len(tiff):
        return bytes(tiff)
    for at in range(directory + 2, end, 12):
        if number(at, 2) == ExifTags.Base.Orientation:
            tiff[at + 8 : at + 10] = (1).to_bytes(2, order)
    tiff[end : end + 4] = bytes(4)  # no second directory, which holds the preview
    return bytes(tiff)
