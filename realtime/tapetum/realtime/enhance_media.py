"""`enhance_file`: one video or photo in, its brighter twin out."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from tapetum.gan.model import find_model
from tapetum.realtime.aim import Aim
from tapetum.realtime.auto_device import AutoDevice
from tapetum.realtime.choices import LAYOUTS, Denoise, Device, Layout
from tapetum.realtime.enhancer import (
    check_aim,
    check_device,
    check_restores,
    checked_denoise,
    checked_strength,
    is_cuda,
)
from tapetum.realtime.errors import DeviceError, EngineError, MediaError, SeamError
from tapetum.realtime.media.containers import CONTAINERS
from tapetum.realtime.media.file_sink import EncoderSettings, FileSink
from tapetum.realtime.media.file_source import FileSource
from tapetum.realtime.media.media_input import InputPlace, input_place, is_series, place_name
from tapetum.realtime.media.video_info import VideoInfo
from tapetum.realtime.memory_limit import check_memory_limit
from tapetum.realtime.opened_video import CpuVideo, OpenedVideo, shown_as
from tapetum.realtime.photos.formats import is_photo, is_photo_name, unread_kind
from tapetum.realtime.pipeline import FrameStage, run
from tapetum.realtime.progress import Building, EnhanceResult, Meter, Progress, Started, left_lit
from tapetum.realtime.protocols import FrameEnhancer
from tapetum.realtime.segments import is_long

if TYPE_CHECKING:
    from tapetum.realtime.segments.film_job import FilmJob

__all__ = ["EnhanceResult", "Started", "enhance_file"]


def enhance_file(
    input_path: str | Path,
    output_path: str | Path,
    *,
    model: str | Path = "grid",
    strength: float = 1.0,
    device: Device = "auto",
    denoise: Denoise = "auto",
    start_s: float = 0.0,
    duration_s: float | None = None,
    rate: float | Fraction | None = None,
    deinterlace: bool = False,
    compare: Layout | None = None,
    when_dark: bool = True,
    brightness: float | None = None,
    codec: str | None = None,
    crf: int | None = None,
    preset: str | None = None,
    overwrite: bool = False,
    enhancer: FrameEnhancer | None = None,
    on_start: Callable[[Started], None] | None = None,
    on_progress: Callable[[Progress], None] | None = None,
    on_build: Callable[[Building], None] | None = None,
) -> EnhanceResult:
    """Enhance a video or a photo.

    The output keeps the input's timestamps, sound, subtitles, chapters, metadata, rotation,
    colour tags and bit depth. It appears under its name when it is whole, and not before.

    Args:
        input_path: a video or a photo, the address of a stream ("http://..."), or a series of
            pictures ("img_%04d.png").
        output_path: its suffix chooses the container (.mp4, .mkv, .mov, .webm) or image format.
        model: `grid`, `unet`, or a model file (.onnx, .safetensors, .pth, .pt).
        strength: from 0 (the picture as it is) to 1 (the model's own output), and up to 2.
        device: `auto` or `cpu`, or a GPU: `cuda` or `cuda:1`; see docs/gpu.md. `auto` is the CPU,
            but for `unet` on a GPU that has shown that it is right.
        denoise: `auto`: noise is taken out where the picture is brightened; a number from 0 to 1:
            this share of it everywhere; `off`. By `grid` on the CPU; see docs/denoising.md.
        start_s: where to begin in the input, in seconds.
        duration_s: how much to enhance, in seconds; None goes to the end.
        rate: pictures a second of a series of pictures; None is 25.
        deinterlace: whether interlaced pictures of a video are made progressive, on the CPU; else
            they stay interlaced where the encoder can store that.
        compare: None; `side-by-side`, original left; or `wipe`, a moving divider.
        when_dark: leave well-lit pictures as they are, and go over smoothly as light falls; False
            gives every picture the model's output.
        brightness: mean luma that `grid` brings every picture to, over 0 and under 1, as far as
            strengths up to 2 can; None leaves it to the model.
        codec: encoder by FFmpeg's name, such as libx265; None suits the container.
        crf: constant quality of the encoder, lower is better; None suits the codec.
        preset: speed setting of the encoder; None suits the codec.
        overwrite: replace an existing output.
        enhancer: of `make_enhancer`, in place of loading `model` for one file more; with that model
            and strength, on the CPU. Reset it between files.
        on_start: called once, when everything is loaded and before the first frame.
        on_progress: called after each frame.
        on_build: called while an engine is built for a GPU, from other threads; must not raise.

    Returns:
        What was done. A damaged input is no error: see `EnhanceResult.intact`.

    Raises:
        MediaError: a file cannot be read or written.
        ModelError: there is no such model, or its file cannot be used.
        DeviceError: the device is missing, or cannot deinterlace.
        ValueError: a number is out of its range.
    """
    place, output_path = input_place(input_path), Path(output_path)
    encoder = EncoderSettings(codec, crf, preset)
    checked_strength(strength)
    aim = Aim(when_dark, brightness)
    checked_denoise(denoise)
    _check_span(start_s, duration_s)
    if compare is not None and compare not in LAYOUTS:
        raise ValueError(f"compare is one of {', '.join(LAYOUTS)}; got {compare!r}")
    found = find_model(model)
    check_device(device)
    check_aim(found, aim)
    if is_cuda(device):
        check_restores(found, denoise)
    if isinstance(place, str) and is_photo_name(output_path) and not is_series(place):
        raise MediaError(
            f"{place} cannot become a photo: photos are read from files; save it first"
        )
    if isinstance(place, Path) and (kind := unread_kind(place)) is not None:
        raise MediaError(f"{place} is {kind}, which is not read; convert it to TIFF or PNG first")
    if isinstance(place, Path) and is_photo(place) and not _becomes_video(place, output_path):
        for_videos = duration_s is not None or rate is not None or encoder != EncoderSettings()
        if start_s or deinterlace or for_videos:
            raise MediaError(
                f"{place} is a photo: start, duration, rate, deinterlace, codec, crf and preset are"
                " for videos"
            )
        from tapetum.realtime.enhance_photo import enhance_photo  # libraries that videos spare

        return enhance_photo(
            place,
            output_path,
            model=model,
            strength=strength,
            aim=aim,
            device=device,
            denoise=denoise,
            compare=compare,
            overwrite=overwrite,
            enhancer=enhancer,
            on_start=on_start,
            on_progress=on_progress,
            on_build=on_build,
        )
    enhance_video = partial(
        _enhance_video,
        place,
        output_path,
        model=model,
        strength=strength,
        aim=aim,
        device=device,
        denoise=denoise,
        start_s=start_s,
        duration_s=duration_s,
        rate=None if rate is None else _checked_rate(rate),
        deinterlace=deinterlace,
        compare=compare,
        encoder=encoder,
        overwrite=overwrite,
        loaded=enhancer,
        on_start=on_start,
        on_progress=on_progress,
        on_build=on_build,
    )
    chooses = device == "auto" and enhancer is None and not deinterlace
    return _with_second_try(enhance_video, AutoDevice() if chooses else None, enhancer)


def _with_second_try(
    enhance_video: Callable[..., EnhanceResult],
    auto: AutoDevice | None,
    enhancer: FrameEnhancer | None,
) -> EnhanceResult:
    """Begin anew, on the CPU where the GPU of `auto` fails, or a job that does not go on."""
    try:
        return enhance_video(auto=auto)
    except (DeviceError, EngineError) as error:
        if auto is None or not is_cuda(auto.device):
            raise
        auto.leave(error)
        return enhance_video(auto=auto)
    except SeamError as error:  # what was begun is removed now
        if enhancer is not None:
            enhancer.reset()
        result = enhance_video(auto=auto)
        return replace(result, notices=(str(error), *result.notices))


def _becomes_video(input_path: Path, output_path: Path) -> bool:
    """Whether pictures that move, in a photo's format, are wanted as a video."""
    if output_path.suffix.lower() not in CONTAINERS:
        return False
    from tapetum.realtime.photos.reader import is_animated

    return is_animated(input_path)


def _check_span(start_s: float, duration_s: float | None) -> None:
    if start_s < 0:
        raise ValueError(f"start is a time from 0 s; got {start_s:g}")
    if duration_s is not None and duration_s <= 0:
        raise ValueError(f"duration is a time over 0 s; got {duration_s:g}")


def _checked_rate(rate: float | Fraction) -> Fraction:
    if not 0 < rate <= 1000:
        raise ValueError(f"a rate is over 0 and up to 1000 pictures a second; got {float(rate):g}")
    return Fraction(rate).limit_denominator(100_000)


def _enhance_video(
    place: InputPlace,
    output_path: Path,
    *,
    model: str | Path,
    strength: float,
    aim: Aim,
    device: Device,
    denoise: Denoise,
    start_s: float,
    duration_s: float | None,
    rate: Fraction | None,
    deinterlace: bool,
    compare: Layout | None,
    encoder: EncoderSettings,
    overwrite: bool,
    loaded: FrameEnhancer | None,
    on_start: Callable[[Started], None] | None,
    on_progress: Callable[[Progress], None] | None,
    on_build: Callable[[Building], None] | None,
    auto: AutoDevice | None,
) -> EnhanceResult:
    check_memory_limit()
    with ExitStack() as stack:
        open_video = partial(
            _open_video,
            place,
            start_s=start_s,
            duration_s=duration_s,
            rate=rate,
            deinterlace=deinterlace,
        )
        choose = (
            None
            if auto is None
            else partial(auto.choose, model, denoise=denoise, on_build=on_build)
        )
        video = _on_chosen(open_video(device=device), choose, open_video)
        chosen = () if auto is None else auto.notices
        source, info = video.file, video.info
        stack.callback(video.close)
        if source.still_format is not None and output_path.suffix.lower() not in CONTAINERS:
            raise MediaError(
                f"{place} is a picture of a kind ({source.still_format}) that is read as a video"
                " alone; convert it to PNG or TIFF first"
            )
        width, height = _output_size(info, compare)
        enhanced, hdr_notices = shown_as(info, strength=strength)
        shown = replace(enhanced, width=width, height=height)
        output = video.open_output(output_path, shown, encoder=encoder, overwrite=overwrite)
        sink = output.file
        stack.callback(sink.discard)
        job: FilmJob | None = None
        if (
            isinstance(source, FileSource)
            and isinstance(sink, FileSink)
            and video.frames is source  # in main memory, where films are cut into segments
            and compare is None
            and is_long(place, info)
        ):
            from tapetum.realtime.segments.film import Film
            from tapetum.realtime.segments.film_job import FilmJob

            film = Film(
                Path(source.path),
                output_path,
                model,
                strength,
                aim,
                denoise,
                start_s,
                duration_s,
                deinterlace,
                encoder,
            )
            job = FilmJob(film, source, sink)
            stack.callback(job.sink.discard)
        total = info.frame_count if job is None else job.frames_left(info.frame_count)
        meter = Meter(total, on_progress)
        enhancer = loaded or video.load_enhancer(
            model, strength=strength, aim=aim, denoise=denoise, on_build=on_build
        )
        where = (*chosen, *video.notices, *output.notices, *hdr_notices)
        if job is not None:
            where += job.notices
        if on_start is not None:
            on_start(
                Started.of(
                    f"{place_name(place)} {_format_text(info)} -> {output_path.name}",
                    enhancer.description,
                    sink.description,
                    total_frames=total,
                    notices=(*where, *source.notices, *sink.notices),
                )
            )
        stage: FrameStage = enhancer
        if compare is not None:
            from tapetum.realtime.compare import Comparison

            stage = Comparison(enhancer, compare, display_matrix=info.display_matrix)
        if needs_finishing(strength, compare):
            stage = video.finished(stage)
        left_lit(enhancer, strength)  # forget the file before
        if job is None:
            run(video.frames, stage, output.frames, on_frame=meter)
        else:
            run(video.frames, job.sink.handed(stage), job.sink, on_frame=job.new_frames(meter))
    frames_before, media_before_s = (
        (0, 0.0) if job is None else (job.frames_before, job.media_before_s)
    )
    damage = source if job is None else job.sink.damage
    return EnhanceResult(
        input_path=place,
        output_path=output_path,
        model=str(model),
        enhancer=enhancer.description,
        encoder=sink.description,
        width=width,
        height=height,
        frames=meter.frames + frames_before,
        media_s=meter.media_s + media_before_s,
        elapsed_s=meter.elapsed_s,
        size_bytes=output_path.stat().st_size,
        notices=(*where, *source.notices, *sink.notices, *left_lit(enhancer, strength)),
        truncated=damage.truncated,
        corrupt_packets=damage.corrupt_packets + sink.damaged_packets,
        damaged_frames=damage.damaged_frames,
        frames_before=frames_before,
        media_before_s=media_before_s,
    )


def _on_chosen(
    video: OpenedVideo,
    choose: Callable[[VideoInfo], Device] | None,
    open_video: Callable[..., OpenedVideo],
) -> OpenedVideo:
    """A video that is open, on the device that is chosen for such a one."""
    if choose is None or not is_cuda(device := choose(video.info)):
        return video
    video.close()
    return open_video(device=device)


def _output_size(info: VideoInfo, compare: Layout | None) -> tuple[int, int]:
    if compare is None:
        return info.width, info.height
    from tapetum.realtime.compare import output_size

    return output_size(info, compare)


def _open_video(
    place: InputPlace,
    *,
    device: Device,
    start_s: float,
    duration_s: float | None,
    rate: Fraction | None,
    deinterlace: bool,
) -> OpenedVideo:
    if is_cuda(device):
        if deinterlace:
            raise DeviceError("deinterlacing is done on the CPU alone; use --device cpu")
        from tapetum.realtime.cuda.cuda_video import open_on_cuda

        return open_on_cuda(place, device, start_s=start_s, duration_s=duration_s, rate=rate)
    return CpuVideo(
        place, start_s=start_s, duration_s=duration_s, rate=rate, deinterlace=deinterlace
    )


def needs_finishing(strength: float, compare: Layout | None) -> bool:
    """Whether frames may leave the stage before they are done.

    An enhancer gives back frames that are; a comparison's array operations are only queued, and at
    strength 0 a frame is as the decoder left it.
    """
    return compare is not None or strength == 0


def _format_text(info: VideoInfo) -> str:
    rate = f" {float(info.average_rate):.5g} fps" if info.average_rate else ""
    return f"{info.width}x{info.height} {info.format_name}{rate}"
