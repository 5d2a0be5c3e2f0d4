"""`enhance_file`: one video or photo in, its brighter twin out."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tapetum.realtime.building import Building
from tapetum.realtime.choices import Device, Layout
from tapetum.realtime.enhance_job import EnhanceOptions, EnhanceResult, Job, Started
from tapetum.realtime.enhance_photo import enhance_photo
from tapetum.realtime.enhance_video import enhance_video
from tapetum.realtime.enhancer import check_device, check_model
from tapetum.realtime.media.images import is_image
from tapetum.realtime.progress import Progress

__all__ = ["EnhanceResult", "Started", "enhance_file"]


def enhance_file(
    input_path: str | Path,
    output_path: str | Path,
    *,
    model: str | Path = "grid",
    strength: float = 1.0,
    device: Device = "auto",
    start_s: float = 0.0,
    duration_s: float | None = None,
    compare: Layout | None = None,
    codec: str | None = None,
    crf: int | None = None,
    preset: str | None = None,
    overwrite: bool = False,
    on_start: Callable[[Started], None] | None = None,
    on_progress: Callable[[Progress], None] | None = None,
    on_build: Callable[[Building], None] | None = None,
) -> EnhanceResult:
    """Enhance a video or a photo.

    The output keeps the input's timestamps, sound, subtitles, chapters, metadata, rotation,
    colour tags and bit depth. It appears under its name when it is whole, and not before.

    Args:
        input_path: a video or a photo.
        output_path: its suffix chooses the container (.mp4, .mkv, .mov, .webm) or image format.
        model: `grid`, `unet`, or a model file (.onnx, .safetensors, .pth, .pt).
        strength: from 0 (the picture as it is) to 1 (the model's own output).
        device: `auto` or `cpu`, or `cuda` or `cuda:1` for videos; see docs/gpu_path.md.
        start_s: where to begin in the input, in seconds.
        duration_s: how much to enhance, in seconds; None goes to the end.
        compare: None; `side-by-side`, original left; or `wipe`, a moving divider.
        codec: encoder by FFmpeg's name, such as libx265; None suits the container.
        crf: constant quality of the encoder, lower is better; None suits the codec.
        preset: speed setting of the encoder; None suits the codec.
        overwrite: replace an existing output.
        on_start: called once, when everything is loaded and before the first frame.
        on_progress: called after each frame.
        on_build: called while an engine is built for a GPU, from other threads; must not raise.

    Returns:
        What was done. A damaged input is no error: see `EnhanceResult.intact`.

    Raises:
        MediaError: a file cannot be read or written.
        ModelError: there is no such model, or its file cannot be used.
        DeviceError: the device is missing.
        ValueError: a number is out of its range.
    """
    options = EnhanceOptions(
        model, strength, device, start_s, duration_s, compare, codec, crf, preset, overwrite
    )
    check_model(model)
    check_device(device)
    job = Job(Path(input_path), Path(output_path), options, on_start, on_progress, on_build)
    return enhance_photo(job) if is_image(job.input_path) else enhance_video(job)
