"""Writes pages of TIFF, of 8 or 16 bits, without loss and with all of EXIF.

Pillow writes no 16 bits of colour, and no EXIF beside compressed pixels.
"""

from __future__ import annotations

import os
import struct
import zlib
from typing import IO, Any

from PIL import ExifTags, Image, TiffImagePlugin, TiffTags

from tapetum.realtime.photos.metadata import Metadata
from tapetum.realtime.photos.picture import Picture

_COMPRESSION = 6
_GREY, _RGB = 1, 2
_DEFLATE, _DIFFERENCES = 8, 2
_UNASSOCIATED_ALPHA = 2
_STRIP_OFFSETS, _STRIP_SIZES = 273, 279
_STRIP_OFFSETS_TAG = struct.pack("<H", _STRIP_OFFSETS)
_XMP, _PHOTOSHOP, _ICC = 700, 34377, 34675
_NEXT_DIRECTORY = 4
"""Where a file's header says where its first directory is."""


def write_tiff_page(file: IO[bytes], picture: Picture) -> None:
    """Write one picture: deflated strips of differences, then the tags.

    Args:
        file: at the beginning of a file, or of a page of Pillow's `AppendingTiffWriter`.
        picture: of 8 or 16 bits.
    """
    file.write(struct.pack("<2sHI", b"II", 42, 0))
    offsets, sizes = [], []
    for rows in picture.all_strips():
        samples = picture.pixels(rows)
        samples[:, 1:] -= samples[:, :-1].copy()
        packed = zlib.compress(
            samples.astype(samples.dtype.newbyteorder("<")).tobytes(), _COMPRESSION
        )
        offsets.append(file.tell())
        sizes.append(len(packed))
        file.write(packed + b"\0" * (len(packed) % 2))
    place = file.tell()
    file.write(_directory(picture, offsets, sizes, place))
    file.seek(_NEXT_DIRECTORY)
    file.write(struct.pack("<I", place))
    file.seek(0, os.SEEK_END)


def _directory(picture: Picture, offsets: list[int], sizes: list[int], place: int) -> bytes:
    """The tags as they lie at `place` in the file."""
    directory = TiffImagePlugin.ImageFileDirectory_v2(prefix=b"II")
    for tag, value in (_tags(picture.metadata) | _layout(picture)).items():
        directory[tag] = value
    for tag, values in ((_STRIP_OFFSETS, [0] * len(offsets)), (_STRIP_SIZES, sizes)):
        directory.tagtype[tag] = TiffTags.LONG
        directory[tag] = tuple(values)
    written = bytearray(directory.tobytes(place))
    # Pillow's directories think that strips follow them; ours are there already.
    at = next(at for at in range(2, len(written), 12) if written[at : at + 2] == _STRIP_OFFSETS_TAG)
    (first,) = struct.unpack("<I", written[at + 8 : at + 12])
    values_at = at + 8 if len(offsets) == 1 else first - place
    written[values_at : values_at + 4 * len(offsets)] = struct.pack(f"<{len(offsets)}I", *offsets)
    return bytes(written)


def _layout(picture: Picture) -> dict[int, Any]:
    tags: dict[int, Any] = {
        ExifTags.Base.ImageWidth: picture.width,
        ExifTags.Base.ImageLength: picture.height,
        ExifTags.Base.BitsPerSample: (16 if picture.deep else 8,) * picture.bands,
        ExifTags.Base.Compression: _DEFLATE,
        ExifTags.Base.PhotometricInterpretation: _GREY if picture.bands < 3 else _RGB,
        ExifTags.Base.SamplesPerPixel: picture.bands,
        ExifTags.Base.RowsPerStrip: next(picture.all_strips()).stop,
        ExifTags.Base.PlanarConfiguration: 1,
        ExifTags.Base.Predictor: _DIFFERENCES,
    }
    if picture.has_alpha:
        tags[ExifTags.Base.ExtraSamples] = _UNASSOCIATED_ALPHA
    return tags


def _tags(metadata: Metadata) -> dict[int, Any]:
    """What TIFF holds of a photo's metadata, by tag."""
    tags: dict[int, Any] = {}
    if metadata.exif:
        exif = Image.Exif()
        exif.load(b"Exif\0\0" + metadata.exif)
        groups = (ExifTags.IFD.Exif, ExifTags.IFD.GPSInfo)
        tags = {tag: value for tag, value in exif.items() if tag not in groups}
        tags.pop(ExifTags.Base.Orientation, None)
        tags |= {int(group): dict(exif.get_ifd(group)) for group in groups if exif.get_ifd(group)}
    if metadata.dpi:
        across, down = metadata.dpi
        tags |= {
            int(ExifTags.Base.XResolution): across,
            int(ExifTags.Base.YResolution): down,
            int(ExifTags.Base.ResolutionUnit): 2,
        }
    if metadata.xmp:
        tags[_XMP] = metadata.xmp
    if metadata.icc:
        tags[_ICC] = metadata.icc
    if metadata.iptc:
        tags[_PHOTOSHOP] = metadata.iptc.removeprefix(b"Photoshop 3.0\0")
    return tags
