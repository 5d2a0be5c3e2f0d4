"""`enhance_file` on a GPU: NVDEC or an upload, the enhancer, NVENC or a download."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from tapetum.realtime.cuda.cuda_enhancer import make_cuda_enhancer
from tapetum.realtime.cuda.device import CudaDevice
from tapetum.realtime.cuda.engine_choice import choose_engine
from tapetum.realtime.cuda.nvdec_source import open_on_device
from tapetum.realtime.cuda.nvenc import nvenc_name, nvenc_pictures
from tapetum.realtime.cuda.transfer import DownloadSink, device_format
from tapetum.realtime.enhance_job import EnhanceOptions, Job
from tapetum.realtime.errors import EncoderError
from tapetum.realtime.frame import Frame
from tapetum.realtime.media.containers import container_for
from tapetum.realtime.media.encoder import is_nvenc
from tapetum.realtime.media.video_info import VideoInfo
from tapetum.realtime.opened_video import OpenedOutput, OpenedVideo
from tapetum.realtime.pipeline import FrameStage
from tapetum.realtime.pixel_format import pixel_format
from tapetum.trt_build.gpu import device_index


def open_on_cuda(job: Job) -> OpenedVideo:
    """Open a job's video on the GPU that its options name.

    Raises:
        DeviceError: the GPU or what it needs is missing.
        MediaError: the file cannot be read, or is neither 4:2:0 nor of 8 or 10 bits.
    """
    options = job.options
    device = CudaDevice(device_index(options.device))
    choice = choose_engine(device.index)
    opened = open_on_device(
        job.input_path, device, start_s=options.start_s, duration_s=options.duration_s
    )
    info = opened.file.info
    return OpenedVideo(
        file=opened.file,
        info=replace(info, format_name=device_format(info.format_name)),
        frames=opened.frames,
        load=lambda: make_cuda_enhancer(
            options.model,
            device,
            strength=options.strength,
            flavour=choice.flavour,
            size=(info.height, info.width),
            on_build=job.on_build,
        ),
        open_output=partial(open_output, job, device),
        stage_on=partial(_finished, device) if needs_finishing(options) else lambda stage: stage,
        notices=(f"decoding on {device.name}: {opened.decoder}", *choice.notices),
    )


def open_output(job: Job, device: CudaDevice, info: VideoInfo) -> OpenedOutput:
    """Open a job's output with NVENC, or encode on the CPU where NVENC cannot.

    An encoder that the user names is taken as it is, on the GPU ("hevc_nvenc") or the CPU
    ("libx265").

    Raises:
        EncoderError: the NVENC encoder that the user named cannot be opened.
        MediaError: the output cannot or must not be written.
    """
    codec = job.options.codec
    try:
        name = _nvenc_for(job, info)
        with device.context():
            file = job.open_sink(info, codec=name, pictures=nvenc_pictures(device))
    except EncoderError as error:
        if codec is not None and is_nvenc(codec):
            raise
        why = str(error)
    else:
        return OpenedOutput(file, file, (f"encoding on {device.name}: NVENC",))
    file = job.open_sink(info, codec=codec)
    return OpenedOutput(file, DownloadSink(file, device), (f"encoding on the CPU: {why}",))


def _nvenc_for(job: Job, info: VideoInfo) -> str:
    """The NVENC encoder for a job.

    Raises:
        EncoderError: there is none that does what was asked for.
    """
    codec, container = job.options.codec, container_for(job.output_path)
    name = nvenc_name(codec, container, pixel_format(info.format_name).depth)
    if name is None:
        raise EncoderError(f"{codec or container.video_encoder} has no twin on the GPU")
    if info.width % 2 or info.height % 2:
        raise EncoderError(
            f"NVENC takes even sizes from GPU memory, not {info.width}x{info.height}"
        )
    return name


def needs_finishing(options: EnhanceOptions) -> bool:
    """Whether frames may leave the stage before they are done.

    An enhancer gives back frames that are; a comparison's array operations are only queued, and at
    strength 0 a frame is as NVDEC left it.
    """
    return options.compare is not None or options.strength == 0


def _finished(device: CudaDevice, stage: FrameStage) -> FrameStage:
    """A stage whose frames are done when it returns, and its array operations on the device."""

    def finished(frame: Frame) -> Frame:
        with device.array_work():
            return stage(frame)

    return finished
