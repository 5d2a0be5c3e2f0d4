"""`enhance_file` for videos."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace
from functools import partial

from tapetum.realtime.compare import output_size
from tapetum.realtime.enhance_job import EnhanceResult, Job, Meter
from tapetum.realtime.enhancer import is_cuda
from tapetum.realtime.media.file_source import FileSource
from tapetum.realtime.media.video_info import VideoInfo
from tapetum.realtime.opened_video import OpenedOutput, OpenedVideo
from tapetum.realtime.pipeline import run


def enhance_video(job: Job) -> EnhanceResult:
    """Enhance a video; see `enhance_file`."""
    options = job.options
    with ExitStack() as stack:
        video = _open_video(job)
        source, info = video.file, video.info
        stack.callback(source.close)
        width, height = output_size(info, options.compare)
        sink, frames_sink, encoding = video.open_output(replace(info, width=width, height=height))
        stack.callback(sink.discard)
        meter = Meter(info.frame_count, job.on_progress)
        enhancer = video.load()
        runs = (enhancer.description, sink.description)
        where = (*video.notices, *encoding)
        job.started(
            _format_text(info), info.frame_count, runs, [*where, *source.notices, *sink.notices]
        )
        stage = video.stage_on(job.stage(enhancer, info.display_matrix))
        run(video.frames, stage, frames_sink, on_frame=meter)
    return EnhanceResult(
        input_path=job.input_path,
        output_path=job.output_path,
        model=str(options.model),
        enhancer=enhancer.description,
        encoder=sink.description,
        width=width,
        height=height,
        frames=meter.frames,
        media_s=meter.media_s,
        elapsed_s=meter.elapsed_s,
        size_bytes=job.output_path.stat().st_size,
        notices=(*where, *source.notices, *sink.notices),
        truncated=source.truncated,
        corrupt_packets=source.corrupt_packets,
        damaged_frames=source.damaged_frames,
    )


def _open_video(job: Job) -> OpenedVideo:
    if is_cuda(job.options.device):
        from tapetum.realtime.cuda.cuda_video import open_on_cuda

        return open_on_cuda(job)
    options = job.options
    file = FileSource(job.input_path, start_s=options.start_s, duration_s=options.duration_s)
    return OpenedVideo(
        file=file,
        info=file.info,
        frames=file,
        load=job.load,
        open_output=partial(_open_output, job),
        stage_on=lambda stage: stage,
    )


def _open_output(job: Job, info: VideoInfo) -> OpenedOutput:
    sink = job.open_sink(info, codec=job.options.codec)
    return OpenedOutput(sink, sink)


def _format_text(info: VideoInfo) -> str:
    rate = f" {float(info.average_rate):.5g} fps" if info.average_rate else ""
    return f"{info.width}x{info.height} {info.format_name}{rate}"
