"""`enhance_file` for photos."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from tapetum.realtime.choices import Device, Layout
from tapetum.realtime.compare import Comparison
from tapetum.realtime.enhancer import make_enhancer
from tapetum.realtime.errors import MediaError
from tapetum.realtime.media.images import Alpha, is_image, read_photo, write_image
from tapetum.realtime.media.output_path import check_output
from tapetum.realtime.progress import EnhanceResult, Meter, Progress, Started


def enhance_photo(
    input_path: Path,
    output_path: Path,
    *,
    model: str | Path = "grid",
    strength: float = 1.0,
    device: Device = "auto",
    compare: Layout | None = None,
    overwrite: bool = False,
    on_start: Callable[[Started], None] | None = None,
    on_progress: Callable[[Progress], None] | None = None,
) -> EnhanceResult:
    """Enhance a photo; see `enhance_file`."""
    _check_output(input_path, output_path, overwrite=overwrite)
    meter = Meter(1, on_progress)
    photo = read_photo(input_path)
    enhancer = make_enhancer(model, strength=strength, device=device)
    frame = photo.frame
    if on_start is not None:
        format_text = f"{frame.width}x{frame.height} {frame.format_name}"
        files = f"{input_path.name} {format_text} -> {output_path.name}"
        started = Started.of(files, enhancer.description, total_frames=1, notices=photo.notices)
        on_start(started)
    stage = enhancer if compare is None else Comparison(enhancer, compare)
    bright = stage(frame)
    notices = write_image(
        output_path,
        bright,
        alpha=_beside_itself(photo.alpha, bright.width),
        overwrite=overwrite,
        inputs=[input_path],
    )
    meter(bright)
    return EnhanceResult(
        input_path=input_path,
        output_path=output_path,
        model=str(model),
        enhancer=enhancer.description,
        encoder=output_path.suffix.lower(),
        width=bright.width,
        height=bright.height,
        frames=1,
        media_s=0.0,
        elapsed_s=meter.elapsed_s,
        size_bytes=output_path.stat().st_size,
        notices=(*photo.notices, *notices),
    )


def _check_output(input_path: Path, output_path: Path, *, overwrite: bool) -> None:
    """Refuse an output that cannot be written before anything is loaded."""
    if not is_image(output_path):
        raise MediaError(
            f"{input_path} is a photo and {output_path} is not named like one;"
            " end it in .png or .jpg"
        )
    check_output(output_path, overwrite=overwrite, inputs=[input_path])


def _beside_itself(alpha: Alpha | None, width: int) -> Alpha | None:
    """A transparency for `width` columns: repeated where two pictures stand side by side."""
    if alpha is None or alpha.shape[1] == width:
        return alpha
    columns = np.minimum(np.arange(width) % (width // 2), alpha.shape[1] - 1)
    return alpha[:, columns]
