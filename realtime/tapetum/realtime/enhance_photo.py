"""`enhance_file` for photos: still, animated, and of several pages."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from PIL import Image

from tapetum.realtime.enhance_job import EnhanceResult, Job, Meter
from tapetum.realtime.errors import MediaError
from tapetum.realtime.frame import Frame
from tapetum.realtime.media.media_errors import media_errors
from tapetum.realtime.media.output_path import OutputFile, check_output
from tapetum.realtime.photos.formats import is_photo_name, output_format
from tapetum.realtime.photos.picture import Picture, Pixels
from tapetum.realtime.photos.reader import PhotoFile
from tapetum.realtime.photos.writer import PhotoWriter
from tapetum.realtime.pipeline import FrameStage
from tapetum.realtime.protocols import FrameEnhancer, StripEnhancer

_WHOLE_PIXELS = 1 << 24
"""Pixels up to which a picture is enhanced in one piece; a larger one in strips."""
_OVERVIEW_SIDE = 1024
"""Rows and columns, at most, of what an enhancer sees of a picture that comes in strips."""


def enhance_photo(job: Job) -> EnhanceResult:
    """Enhance a photo; see `enhance_file`."""
    _check(job)
    photo = PhotoFile(job.input_path)
    enhancer = job.load()
    writer = PhotoWriter(output_format(job.output_path), photo.animation)
    enhancing = _Enhancing(job, photo, enhancer)
    output = OutputFile(
        job.output_path, overwrite=job.options.overwrite, inputs=[job.input_path]
    )
    try:
        with media_errors("cannot write", job.output_path), output.temporary.open("w+b") as file:
            written = writer.write(file, enhancing.pictures())
        size_bytes = output.temporary.stat().st_size
        output.commit()
    except BaseException:
        output.discard()
        raise
    if written < photo.count:
        writer.notices.append(
            f"it holds {photo.count} pictures, and {job.output_path.suffix} holds one: the first"
        )
    meter = enhancing.meter
    return EnhanceResult(
        input_path=job.input_path,
        output_path=job.output_path,
        model=str(job.options.model),
        enhancer=enhancer.description,
        encoder=writer.description,
        width=enhancing.size[0],
        height=enhancing.size[1],
        frames=written,
        media_s=meter.media_s,
        elapsed_s=meter.elapsed_s,
        size_bytes=size_bytes,
        notices=(*photo.notices, *writer.notices),
        truncated=photo.truncated,
        damaged_frames=photo.damaged or int(not photo.intact and not photo.truncated),
    )


def _check(job: Job) -> None:
    """Refuse what cannot work before anything is loaded."""
    options = job.options
    if not is_photo_name(job.output_path):
        raise MediaError(
            f"{job.input_path} is a photo and {job.output_path} is not named like one;"
            " end it in .png or .jpg"
        )
    of_videos = (options.duration_s, options.codec, options.crf, options.preset)
    if options.start_s or any(option is not None for option in of_videos):
        raise MediaError(
            f"{job.input_path} is a photo: start, duration, codec, crf and preset are for videos"
        )
    check_output(job.output_path, overwrite=options.overwrite, inputs=[job.input_path])


class _Enhancing:
    """The pictures of a photo, enhanced one after the other as they are asked for."""

    def __init__(self, job: Job, photo: PhotoFile, enhancer: FrameEnhancer) -> None:
        self._job = job
        self._photo = photo
        self._enhancer = enhancer
        self.meter = Meter(photo.count, job.on_progress)
        self.size = (0, 0)

    def pictures(self) -> Iterator[Picture]:
        """Each picture, enhanced where it lies."""
        time_ms = 0.0
        stage = self._job.stage(self._enhancer)
        for index, picture in enumerate(self._photo.pictures()):
            if index == 0:
                self._tell(picture)
            if self._photo.animation is None:
                self._enhancer.reset()  # a page is no next frame
            bright, frame = self._enhanced(picture, stage, time_ms)
            time_ms += picture.duration_ms
            self.size = (bright.width, bright.height)
            self.meter(frame)
            yield bright

    def _tell(self, picture: Picture) -> None:
        bits = 16 if picture.deep else 8
        kind = {1: "grey", 2: "grey, alpha", 3: "RGB", 4: "RGB, alpha"}[picture.bands]
        text = f"{picture.width}x{picture.height} {self._photo.format.name} {bits}-bit {kind}"
        notices = self._photo.notices
        self._job.started(text, self._photo.count, (self._enhancer.description,), list(notices))

    def _enhanced(
        self, picture: Picture, stage: FrameStage, time_ms: float
    ) -> tuple[Picture, Frame]:
        """The bright picture, and a frame with its times."""
        strips = [slice(0, picture.rows)]
        enhancer = self._enhancer
        if picture.width * picture.rows > _WHOLE_PIXELS and isinstance(enhancer, StripEnhancer):
            strips = list(picture.strips())
            look = _frame(_overview(picture), picture, time_ms)
            stage = self._job.stage(_Strips(enhancer, look, picture.rows))
        bright = picture
        for rows in strips:
            pixels = picture.pixels(rows)
            frame = _frame(pixels, picture, time_ms)
            changed = _changed(pixels, frame, stage(frame))
            if bright.width != changed.shape[1]:
                bright = picture.blank(changed.shape[1])
            bright.put(rows, changed)
        return bright, frame


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


def _frame(pixels: Pixels, picture: Picture, time_ms: float) -> Frame:
    from tapetum.realtime.photos.strip_kernels import frame_from_pixels

    return frame_from_pixels(pixels, time_ms=time_ms, duration_ms=picture.duration_ms)


def _changed(pixels: Pixels, before: Frame, after: Frame) -> Pixels:
    from tapetum.realtime.photos.strip_kernels import changed_pixels

    return changed_pixels(pixels, before, after)


def _overview(picture: Picture) -> Pixels:
    """The picture made small: means of squares of pixels."""
    step = -(-max(picture.width, picture.rows) // _OVERVIEW_SIDE)
    size = (-(-picture.width // step), -(-picture.rows // step))
    small = np.empty((size[1], size[0], 3), np.uint8)
    for row in range(size[1]):
        rows = slice(row * step, min((row + 1) * step, picture.rows))
        pixels = picture.pixels(rows)
        eight = (pixels >> 8).astype(np.uint8) if picture.deep else pixels
        color = np.broadcast_to(eight[..., :1], (*eight.shape[:2], 3))
        image = Image.fromarray(np.ascontiguousarray(eight[..., :3] if picture.bands > 2 else color))
        small[row] = np.asarray(image.resize((size[0], 1), Image.Resampling.BOX))[0]
    return small
