"""`enhance_file` on a GPU: NVDEC or an upload, the enhancer, a download to the encoder."""

from __future__ import annotations

from dataclasses import replace

from tapetum.realtime.cuda.cuda_enhancer import make_cuda_enhancer
from tapetum.realtime.cuda.device import CudaDevice
from tapetum.realtime.cuda.engine_choice import choose_engine
from tapetum.realtime.cuda.nvdec_source import open_on_device
from tapetum.realtime.cuda.transfer import DownloadSink, device_format
from tapetum.realtime.enhance_job import Job
from tapetum.realtime.errors import DeviceError
from tapetum.realtime.opened_video import OpenedVideo
from tapetum.trt_build.gpu import device_index


def open_on_cuda(job: Job) -> OpenedVideo:
    """Open a job's video on the GPU that its options name.

    Raises:
        DeviceError: the GPU or what it needs is missing, or a comparison is asked for.
        MediaError: the file cannot be read, or is neither 4:2:0 nor of 8 or 10 bits.
    """
    options = job.options
    if options.compare is not None:
        raise DeviceError("before/after videos are made on the CPU; use --device cpu")
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
        sink_for=lambda sink: DownloadSink(sink, device),
        notices=(f"decoding on {device.name}: {opened.decoder}", *choice.notices),
    )
