"""`enhance_file` for photos."""

from __future__ import annotations

import numpy as np

from tapetum.realtime.enhance_job import EnhanceResult, Job, Meter
from tapetum.realtime.errors import MediaError
from tapetum.realtime.media.images import Alpha, is_image, read_photo, write_image
from tapetum.realtime.media.output_path import check_output


def enhance_photo(job: Job) -> EnhanceResult:
    """Enhance a photo; see `enhance_file`."""
    _check(job)
    meter = Meter(1, job.on_progress)
    photo = read_photo(job.input_path)
    enhancer = job.load()
    frame = photo.frame
    format_text = f"{frame.width}x{frame.height} {frame.format_name}"
    job.started(format_text, 1, (enhancer.description,), list(photo.notices))
    bright = job.stage(enhancer)(frame)
    notices = write_image(
        job.output_path,
        bright,
        alpha=_beside_itself(photo.alpha, bright.width),
        overwrite=job.options.overwrite,
        inputs=[job.input_path],
    )
    meter(bright)
    return EnhanceResult(
        input_path=job.input_path,
        output_path=job.output_path,
        model=str(job.options.model),
        enhancer=enhancer.description,
        encoder=job.output_path.suffix.lower(),
        width=bright.width,
        height=bright.height,
        frames=1,
        media_s=0.0,
        elapsed_s=meter.elapsed_s,
        size_bytes=job.output_path.stat().st_size,
        notices=(*photo.notices, *notices),
    )


def _check(job: Job) -> None:
    """Refuse what cannot work before anything is loaded."""
    options = job.options
    if not is_image(job.output_path):
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


def _beside_itself(alpha: Alpha | None, width: int) -> Alpha | None:
    """A transparency for `width` columns: repeated where two pictures stand side by side."""
    if alpha is None or alpha.shape[1] == width:
        return alpha
    columns = np.minimum(np.arange(width) % (width // 2), alpha.shape[1] - 1)
    return alpha[:, columns]
