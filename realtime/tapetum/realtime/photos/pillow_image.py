"""What Pillow makes of one picture: how far it decodes, its raw samples, turned and blackened."""

from __future__ import annotations

import contextlib
import io
import itertools
import threading
from collections.abc import Callable, Iterator

from PIL import Image, ImageCms, JpegImagePlugin

_MOST_PICTURES = 100_000
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""What makes a picture of an EXIF orientation upright."""
_MIRRORED = 2
_UPSIDE_DOWN = (3, 4)
_MP_ENTRIES = 0xB002
"""The tag of a JPEG's list of pictures (CIPA DC-007)."""
_limit_lock = threading.Lock()


@contextlib.contextmanager
def without_pillows_limit() -> Iterator[None]:
    """Pillow's limit on sizes is one variable for all threads, and its warning is no answer."""
    with _limit_lock:
        before, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
        try:
            yield
        finally:
            Image.MAX_IMAGE_PIXELS = before


def load_error(image: Image.Image) -> Exception | None:
    """Decode, and keep what was decoded before an error."""
    try:
        image.load()
    except MemoryError:
        raise
    except Exception as error:  # noqa: BLE001 - decoders of damaged files raise anything
        image.tile = []  # type: ignore[attr-defined] # what is decoded so far is the picture
        return error
    return None


def rows_there(image: Image.Image) -> slice:
    """Rows from the first that is not black to the last; memory begins black."""
    try:
        box = image.getbbox(alpha_only=False)
    except Exception:  # noqa: BLE001 - there is no picture at all
        box = None
    if box is None:
        return slice(0, 0)
    # Rows are decoded from the top down, or in a BMP from the bottom up.
    upwards = box[3] == image.height and image.format == "BMP"
    return slice(box[1] if upwards else 0, box[3])


def blacken(image: Image.Image, rows: slice) -> None:
    """Make the rows that are not there black, whatever a palette or CMYK made of their zeros."""
    for top, bottom in ((0, rows.start), (rows.stop, image.height)):
        if top < bottom:
            image.paste(0, (0, top, image.width, bottom))


def turn_layers(layers: list[Image.Image], orientation: int) -> None:
    """Make each layer upright, band by band, which needs no second copy of a whole one."""
    for number in range(len(layers)):
        mode, bands = layers[number].mode, list(layers[number].split())
        layers[number] = bands[0]
        for band in range(len(bands)):
            bands[band] = bands[band].transpose(_TURNS[orientation])
        layers[number] = Image.merge(mode, bands) if len(bands) > 1 else bands[0]


def turned_rows(rows: slice, turn: int, height: int, new_height: int) -> slice:
    """Where the rows that are there lie in the upright picture."""
    if turn == _MIRRORED:
        return rows
    if turn in _UPSIDE_DOWN:
        return slice(height - rows.stop, height - rows.start)
    return slice(0, new_height)


def count_pictures(image: Image.Image) -> tuple[int, bool]:
    """How many pictures there are, and whether the file's own chain of them could be followed."""
    try:
        return int(getattr(image, "n_frames", 1)), True
    except Exception:  # noqa: BLE001 - decoders of damaged files raise anything
        count = 0
    with contextlib.suppress(Exception):
        while count < _MOST_PICTURES:
            image.seek(count)
            count += 1
    return max(count, 1), False


def pictures_end(image: Image.Image) -> int:
    """Where in its file the last picture of a JPEG ends by the list of them (MPF); 0 if none."""
    entries = getattr(image, "mpinfo", {}).get(_MP_ENTRIES, ())
    begin = int(image.info.get("mpoffset", 0))
    ends = [entry["DataOffset"] + entry["Size"] for entry in entries if entry["DataOffset"]]
    return begin + int(max(ends)) if ends else 0


def durations_ms(image: Image.Image, count: int) -> tuple[float, ...]:
    """How long each picture is shown, up to the first that cannot be read.

    Pillow rounds times and durations of an AVIF to milliseconds: the times alone do not drift.
    """
    durations: list[float] = []
    times: list[float] = []
    for index in range(count):
        try:
            image.seek(index)
        except Exception:  # noqa: BLE001 - as above
            break
        error = load_error(image)
        durations.append(float(image.info.get("duration", 0)))
        times.append(float(image.info.get("timestamp", 0)))
        if error is not None:
            break
    steps = [after - before for before, after in itertools.pairwise(times)]
    if image.format == "AVIF" and all(step > 0 for step in steps):
        durations[:-1] = steps
    return tuple(durations)


def loop_of(image: Image.Image) -> int | None:
    """How often all pictures are shown, 0 for ever; None where the file does not say."""
    loop = image.info.get("loop")
    if loop is None:
        return 1 if image.format == "GIF" else None
    if image.format == "GIF" and loop:
        return int(loop) + 1  # GIF counts repetitions
    return int(loop)


def raw_mode(image: Image.Image) -> str:
    """How the samples of a picture that is not loaded yet lie in its file."""
    tiles = getattr(image, "tile", ())
    if not tiles:
        return ""
    arguments = tiles[0].args
    return str(arguments[0] if isinstance(arguments, tuple) else arguments)


def is_interlaced(image: Image.Image) -> bool:
    """Whether rows lie in the file in several passes, from coarse to fine."""
    if image.format == "GIF":
        tiles = getattr(image, "tile", ())
        return bool(tiles and tiles[0].args[1])
    return bool(image.info.get("interlace"))


def set_raw_mode(image: Image.Image, change: Callable[[str], str]) -> None:
    """Change how the samples of a picture that is not loaded yet are taken to lie in its file."""
    tiles = []
    for tile in image.tile:  # type: ignore[attr-defined] # opened from a file, so it has tiles
        arguments = tile.args
        if isinstance(arguments, tuple):
            tiles.append(tile._replace(args=(change(arguments[0]), *arguments[1:])))
        else:
            tiles.append(tile._replace(args=change(arguments)))
    image.tile = tiles  # type: ignore[attr-defined]


def deep_layers(image: Image.Image, low: Image.Image) -> tuple[Image.Image, Image.Image]:
    """High and low bytes of a 16-bit picture; `low` is as `set_raw_mode` had it decoded."""
    if image is low:
        grey, low_grey, alpha, low_alpha = image.split()
        return Image.merge("LA", (grey, alpha)), Image.merge("LA", (low_grey, low_alpha))
    load_error(low)  # which is that of `image`
    return image, low


def subsampling(image: Image.Image) -> int:
    """Pillow's number of a JPEG's chroma subsampling; -1 for all else."""
    is_jpeg = isinstance(image, JpegImagePlugin.JpegImageFile)
    return JpegImagePlugin.get_sampling(image) if is_jpeg else -1


def rgb_from_cmyk(image: Image.Image, icc: bytes) -> Image.Image:
    """A CMYK picture as sRGB by its ICC profile, or without a usable one by Pillow's rule."""
    if icc:
        with contextlib.suppress(ImageCms.PyCMSError, OSError):
            converted = ImageCms.profileToProfile(
                image,
                ImageCms.ImageCmsProfile(io.BytesIO(icc)),
                ImageCms.createProfile("sRGB"),
                outputMode="RGB",
            )
            if converted is not None:
                return converted
    return image.convert("RGB")
