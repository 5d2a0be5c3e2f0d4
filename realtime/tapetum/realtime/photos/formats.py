"""Which files are photos, and what each format can hold: the one place that says so."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from tapetum.realtime.errors import MediaError


class PhotoFormat(NamedTuple):
    """A file format of photos.

    Attributes:
        name: what Pillow calls it.
        suffixes: of its files, the usual one first.
        media_type: its name on the web.
        writable: whether it can be written here.
        alpha: whether it holds transparency.
        deep: whether it is written with 16 bits a sample.
        several: whether it holds more than one picture.
        metadata: which of "EXIF", "XMP", "ICC", "resolution", "IPTC" it holds.
        max_side: the longest side that it can hold, in pixels.
    """

    name: str
    suffixes: tuple[str, ...]
    media_type: str
    writable: bool = False
    alpha: bool = False
    deep: bool = False
    several: bool = False
    metadata: frozenset[str] = frozenset()
    max_side: int = 1 << 30

    @property
    def suffix(self) -> str:
        """The usual suffix, with its dot."""
        return self.suffixes[0]


_ALL = frozenset({"EXIF", "XMP", "ICC", "resolution", "IPTC"})
_MODERN = frozenset({"EXIF", "XMP", "ICC"})

JPEG = PhotoFormat(
    "JPEG",
    (".jpg", ".jpeg", ".jpe", ".jfif"),
    "image/jpeg",
    writable=True,
    metadata=_ALL,
    max_side=65_500,
)
PNG = PhotoFormat(
    "PNG",
    (".png", ".apng"),
    "image/png",
    writable=True,
    alpha=True,
    deep=True,
    several=True,
    metadata=_MODERN | {"resolution"},
)
WEBP = PhotoFormat(
    "WEBP",
    (".webp",),
    "image/webp",
    writable=True,
    alpha=True,
    several=True,
    metadata=_MODERN,
    max_side=16_383,
)
TIFF = PhotoFormat(
    "TIFF",
    (".tif", ".tiff"),
    "image/tiff",
    writable=True,
    alpha=True,
    deep=True,
    several=True,
    metadata=_ALL,
)
AVIF = PhotoFormat(
    "AVIF",
    (".avif", ".avifs"),
    "image/avif",
    writable=True,
    alpha=True,
    several=True,
    metadata=_MODERN,
    max_side=65_536,
)
GIF = PhotoFormat(
    "GIF",
    (".gif",),
    "image/gif",
    writable=True,
    alpha=True,
    several=True,
    max_side=65_535,
)
BMP = PhotoFormat(
    "BMP", (".bmp", ".dib"), "image/bmp", writable=True, metadata=frozenset({"resolution"})
)
JPEG2000 = PhotoFormat(
    "JPEG2000", (".jp2", ".j2k", ".jpx", ".jpf", ".j2c", ".jpc"), "image/jp2", alpha=True
)
HEIF = PhotoFormat("HEIF", (".heic", ".heif", ".hif"), "image/heic", alpha=True)

FORMATS = (JPEG, PNG, WEBP, AVIF, TIFF, GIF, BMP, HEIF, JPEG2000)
"""Every format that is read."""
_BY_SUFFIX = {suffix: photo for photo in FORMATS for suffix in photo.suffixes}

_SIGNATURES: tuple[tuple[bytes, PhotoFormat], ...] = (
    (b"\xff\xd8\xff", JPEG),
    (b"\x89PNG\r\n\x1a\n", PNG),
    (b"GIF87a", GIF),
    (b"GIF89a", GIF),
    (b"II*\0", TIFF),
    (b"MM\0*", TIFF),
    (b"II+\0", TIFF),  # BigTIFF
    (b"MM\0+", TIFF),
    (b"BM", BMP),
    (b"\0\0\0\x0cjP  \r\n\x87\n", JPEG2000),
    (b"\xff\x4f\xff\x51", JPEG2000),  # without a box around it
)
_BRANDS = {
    AVIF: {b"avif", b"avis"},
    HEIF: {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"},
}
"""What follows "ftyp" in photos that are boxed like MP4."""
_JPEG_STREAMS = (".mjpeg", ".mjpg")
"""Videos that are JPEG after JPEG."""


_RAW_SUFFIXES = frozenset(
    [
        ".3fr",
        ".arw",
        ".cr2",
        ".cr3",
        ".crw",
        ".dcr",
        ".dng",
        ".erf",
        ".fff",
        ".gpr",
        ".iiq",
        ".kdc",
        ".mef",
        ".mos",
        ".mrw",
        ".nef",
        ".nrw",
        ".orf",
        ".pef",
        ".raf",
        ".rw2",
        ".rwl",
        ".sr2",
        ".srf",
        ".srw",
        ".x3f",
    ]
)
_RAW_SIGNATURES = (b"FUJIFILMCCD-RAW", b"IIRO", b"IIRS", b"MMOR", b"IIU\0", b"FOVb", b"\0MRM")
_JPEG_XL = (b"\xff\x0a", b"\0\0\0\x0cJXL \r\n\x87\n")


def unread_kind(path: Path) -> str | None:
    """What a file is that a person takes for a photo and that cannot be read; None for all else.

    Cameras' raw files begin as TIFF does, with a small preview: that is not what was meant.
    """
    head = _head(path)
    if head.startswith(_JPEG_XL):
        return "JPEG XL"
    is_canon = head[4:12] == b"ftypcrx " or head[6:14] == b"HEAPCCDR"
    is_canon = is_canon or (_format_of(head) is TIFF and head[8:10] == b"CR")
    named_raw = path.suffix.lower() in _RAW_SUFFIXES and _format_of(head) in {None, TIFF}
    if named_raw or is_canon or head.startswith(_RAW_SIGNATURES):
        return f"a camera's raw file ({path.suffix.lstrip('.').upper() or 'CR2'})"
    return None


def is_photo(path: str | Path) -> bool:
    """Whether a file is a photo: by its suffix, or where that says nothing by its content."""
    path = Path(path)
    suffix = path.suffix.lower()
    if suffix in _BY_SUFFIX:
        return True
    return suffix not in _JPEG_STREAMS and photo_format(path) is not None


def is_photo_name(path: str | Path) -> bool:
    """Whether a file name has the suffix of a photo that can be written."""
    found = _BY_SUFFIX.get(Path(path).suffix.lower())
    return found is not None and found.writable


def written_suffixes() -> list[str]:
    """A suffix of each format that is written."""
    return [photo.suffix for photo in FORMATS if photo.writable]


def output_format(path: Path) -> PhotoFormat:
    """The format that the suffix of an output chooses.

    Raises:
        MediaError: it is no suffix of a photo that can be written.
    """
    if not is_photo_name(path):
        known = ", ".join(written_suffixes())
        raise MediaError(f"output {path} has {path.suffix or 'no suffix'}; use one of {known}")
    return _BY_SUFFIX[path.suffix.lower()]


def photo_format(path: Path) -> PhotoFormat | None:
    """The format by a file's first bytes; None for no photo, or for no file that can be read."""
    return _format_of(_head(path))


def _head(path: Path) -> bytes:
    """The first bytes of a file; none of what is no file, as a pipe, or cannot be read."""
    try:
        if not path.is_file():
            return b""
        with path.open("rb") as file:
            return file.read(64)
    except OSError:
        return b""


def _format_of(head: bytes) -> PhotoFormat | None:
    for signature, photo in _SIGNATURES:
        if head.startswith(signature):
            return photo
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return WEBP
    if head[4:8] == b"ftyp":
        brands = {head[8:12], *(head[at : at + 4] for at in range(16, len(head), 4))}
        # The major brand may be "mif1" for both: AVIF says so among the compatible ones.
        return next((photo for photo, known in _BRANDS.items() if brands & known), None)
    return None
