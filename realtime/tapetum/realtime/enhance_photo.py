"""`enhance_file` for photos: still, animated, and of several pages."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from PIL import Image

from tapetum.realtime.aim import Aim
from tapetum.realtime.choices import Denoise, Device, Layout
from tapetum.realtime.compare import Comparison
from tapetum.realtime.enhancer import make_enhancer
from tapetum.realtime.errors import MediaError
from tapetum.realtime.frame import Frame
from tapetum.realtime.media.media_errors import media_errors
from tapetum.realtime.media.output_path import OutputFile, check_output
from tapetum.realtime.photos.formats import is_photo_name, output_format, written_suffixes
from tapetum.realtime.photos.picture import Picture, Pixels
from tapetum.realtime.photos.reader import PhotoFile
from tapetum.realtime.photos.writer import PhotoOutput, PhotoWriter
from tapetum.realtime.pipeline import FrameStage
from tapetum.realtime.progress import (
    Building,
    EnhanceResult,
    Meter,
    Progress,
    Started,
    left_lit,
)
from tapetum.realtime.protocols import FrameEnhancer, StripEnhancer, notices_of

_WHOLE_PIXELS = 1 << 24
"""Pixels up to which a picture is enhanced in one piece; a larger one in strips."""
_NOISE_STAYS = "its noise stays: it is taken out of photos of up to 16 megapixels"
_OVERVIEW_SIDE = 1024
"""Rows and columns, at most, of what an enhancer sees of a picture that comes in strips."""


def enhance_photo(
    input_path: Path,
    output_path: Path,
    *,
    model: str | Path = "grid",
    strength: float = 1.0,
    aim: Aim = Aim(),  # noqa: B008 - it is immutable
    device: Device = "auto",
    denoise: Denoise = "auto",
    compare: Layout | None = None,
    overwrite: bool = False,
    enhancer: FrameEnhancer | None = None,
    on_start: Callable[[Started], None] | None = None,
    on_progress: Callable[[Progress], None] | None = None,
    on_build: Callable[[Building], None] | None = None,
) -> EnhanceResult:
    """Enhance a photo; see `enhance_file`."""
    _check_output(input_path, output_path, overwrite=overwrite)
    photo = PhotoFile(input_path)
    meter = Meter(photo.count, on_progress)
    enhancer = enhancer or make_enhancer(
        model, strength=strength, device=device, aim=aim, denoise=denoise, on_build=on_build
    )
    where = notices_of(enhancer)
    left_lit(enhancer, strength)  # forget the file before
    enhancing = _Enhancing(enhancer, compare, meter)
    writer = PhotoWriter(output_format(output_path), photo.animation)

    def pictures() -> Iterator[Picture]:
        for index, picture in enumerate(photo.pictures()):
            if index == 0 and on_start is not None:
                on_start(_started(photo, picture, output_path, enhancing.description, where))
            if photo.animation is None:
                enhancing.reset()  # a page is no next frame
            yield enhancing(picture)

    output = OutputFile(output_path, overwrite=overwrite, inputs=[input_path])
    try:
        with media_errors("cannot write", output_path), PhotoOutput(output.temporary) as file:
            written = writer.write(file, pictures())
    except BaseException:
        output.discard()
        raise
    output.commit()
    if written < photo.count and not writer.holds_several:
        kept = "holds one: the first" if photo.animation else "gets the first; .tif keeps all"
        what = "pictures" if photo.animation else "pages"
        writer.notices.append(f"it holds {photo.count} {what}, and {output_path.suffix} {kept}")
    return EnhanceResult(
        input_path=input_path,
        output_path=output_path,
        model=str(model),
        enhancer=enhancing.description,
        encoder=writer.description,
        width=enhancing.width,
        height=enhancing.height,
        frames=written,
        media_s=meter.media_s,
        elapsed_s=meter.elapsed_s,
        size_bytes=output_path.stat().st_size,
        notices=(
            *where,
            *photo.notices,
            *writer.notices,
            *([_NOISE_STAYS] if enhancing.in_strips and denoise != "off" else []),
            *left_lit(enhancer, strength),
        ),
        truncated=photo.truncated,
        damaged_frames=photo.damaged,
    )


def _check_output(input_path: Path, output_path: Path, *, overwrite: bool) -> None:
    """Refuse an output that cannot be written before anything is loaded."""
    if not is_photo_name(output_path):
        suffix = output_path.suffix or "no suffix"
        raise MediaError(
            f"{input_path} is a photo; output {output_path} has {suffix}, and photos are written"
            f" as {', '.join(written_suffixes())}; where pictures move, as .webp, .gif or .png"
        )
    check_output(output_path, overwrite=overwrite, inputs=[input_path])


def _started(
    photo: PhotoFile, picture: Picture, output_path: Path, runs: str, where: tuple[str, ...]
) -> Started:
    bits = 16 if picture.deep else 8
    kind = {1: "grey", 2: "grey with alpha", 3: "RGB", 4: "RGB with alpha"}[picture.bands]
    text = f"{picture.width}x{picture.height} {photo.format.name}, {bits}-bit {kind}"
    return Started.of(
        f"{photo.path.name} {text} -> {output_path.name}",
        runs,
        total_frames=photo.count,
        notices=(*where, *photo.notices),
    )


class _Enhancing:
    """Enhances picture after picture, each where it lies in memory.

    Attributes:
        width: of the pictures that come out.
        height: of the same.
        in_strips: whether one was too large to be enhanced in one piece.
    """

    def __init__(self, enhancer: FrameEnhancer, compare: Layout | None, meter: Meter) -> None:
        self.width = self.height = 0
        self.in_strips = False
        self._enhancer = enhancer
        self._compare = compare
        self._stage = self._stage_around(enhancer)
        self._meter = meter
        self._time_ms = 0.0

    @property
    def description(self) -> str:
        """What runs where."""
        return self._enhancer.description

    def reset(self) -> None:
        """Forget the past: the next picture has nothing to do with the last."""
        self._enhancer.reset()

    def __call__(self, picture: Picture) -> Picture:
        """The picture, bright; its pixels may be written over."""
        strips, stage, there = [picture.rows], self._stage, picture.rows
        height = there.stop - there.start
        enhancer = self._enhancer
        if picture.width * height > _WHOLE_PIXELS and isinstance(enhancer, StripEnhancer):
            strips, self.in_strips = list(picture.strips()), True
            look = self._frame(_overview(picture), picture)
            stage = self._stage_around(_Strips(enhancer, look, height))
        bright = picture
        for rows in strips:
            pixels = picture.pixels(rows)
            frame = self._frame(pixels, picture)
            changed = _changed(pixels, frame, stage(frame))
            if bright.width != changed.shape[1]:
                bright = picture.blank(changed.shape[1])
            bright.put(rows, changed)
        self._time_ms += picture.duration_ms
        self.width, self.height = bright.width, bright.height
        self._meter(frame)
        return bright

    def _stage_around(self, enhancer: FrameEnhancer) -> FrameStage:
        return enhancer if self._compare is None else Comparison(enhancer, self._compare)

    def _frame(self, pixels: Pixels, picture: Picture) -> Frame:
        from tapetum.realtime.photos.strip_kernels import frame_from_pixels

        return frame_from_pixels(pixels, time_ms=self._time_ms, duration_ms=picture.duration_ms)


class _Strips:
    """An enhancer of the strips of one picture, from top to bottom."""

    def __init__(self, enhancer: StripEnhancer, overview: Frame, height: int) -> None:
        self._enhancer = enhancer
        self._height = height
        self._top = 0
        self.strength = enhancer.strength
        self.description = enhancer.description
        enhancer.look_at(overview)

    def __call__(self, frame: Frame) -> Frame:
        top, self._top = self._top, self._top + frame.height
        return self._enhancer.enhance_strip(frame, top=top, height=self._height)

    def reset(self) -> None:
        self._enhancer.reset()


def _changed(pixels: Pixels, before: Frame, after: Frame) -> Pixels:
    from tapetum.realtime.photos.strip_kernels import changed_pixels

    return changed_pixels(pixels, before, after)


def _overview(picture: Picture) -> Pixels:
    """The picture made small: means of squares of pixels."""
    there = picture.rows
    step = -(-max(picture.width, there.stop - there.start) // _OVERVIEW_SIDE)
    columns = -(-picture.width // step)
    lines = []
    for top in range(there.start, there.stop, step):
        pixels = picture.pixels(slice(top, min(top + step, there.stop)))
        eight = (pixels >> 8).astype(np.uint8) if picture.deep else pixels
        color = eight[..., :3] if picture.bands > 2 else np.repeat(eight[..., :1], 3, axis=2)
        image = Image.fromarray(np.ascontiguousarray(color))
        lines.append(np.asarray(image.resize((columns, 1), Image.Resampling.BOX)))
    return np.concatenate(lines)
