"""`NvdecSource`: a file's frames decoded on the GPU, without a copy to main memory.

FFmpeg copies each picture once, within the GPU's memory and on the null stream, out of the few
surfaces of NVDEC into memory of its own, which grows as frames are held (`nvdec_retrieve_data` in
libavcodec/nvdec.c, without `unsafe_output`). The copies are seen as CuPy arrays by DLPack. The
stream of `CudaDevice` waits for the null stream.

From where NVDEC fails on, the CPU decodes the file: what that does not decode either is damage.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

import av
from av.container import InputContainer
from av.error import FFmpegError
from av.video.codeccontext import VideoCodecContext
from av.video.stream import VideoStream

from tapetum.realtime.counted import counted
from tapetum.realtime.cuda.device import CudaDevice
from tapetum.realtime.cuda.ffmpeg_device import hwaccel
from tapetum.realtime.cuda.kernel_arguments import DeviceArray, DevicePlanes
from tapetum.realtime.cuda.transfer import UploadSource, planar_format, uploaded
from tapetum.realtime.errors import DeviceError, MediaError
from tapetum.realtime.frame import Frame
from tapetum.realtime.media.av_frame import FULL_RANGE, color_info, color_range, from_av
from tapetum.realtime.media.captions import captions_of
from tapetum.realtime.media.cropping import file_crop
from tapetum.realtime.media.file_source import FileReport, FileSource, VideoFile, open_on_cpu
from tapetum.realtime.media.frame_conversion import PictureConverter
from tapetum.realtime.media.media_input import (
    TEXT_OPTIONS,
    InputPlace,
    best_video_stream,
    decoder_of_alpha,
    input_place,
    open_input,
)
from tapetum.realtime.media.picture_reader import PictureReader, VideoInput
from tapetum.realtime.protocols import FrameSource

_FORMATS = ("nv12", "p010le")


class NvdecError(DeviceError):
    """NVDEC cannot decode a file, or not to its end; the CPU may."""


_NATIVE_DECODERS = {"libdav1d": "av1"}
"""Decoders on the CPU that PyAV takes first, and FFmpeg's own, which has NVDEC behind it."""
_NO_DECODER_S = "rgb24"
"""What no such decoder gives: where PyAV has said CUDA's format, as it does by itself, FFmpeg's
decoder of AV1 takes that for agreed upon, never opens NVDEC, and fails at every packet."""


class NvdecSource(VideoFile):
    """A file's frames and times as `FileSource` has them, as NV12 or P010 in GPU memory.

    Args:
        path: the file.
        device: where the frames lie.
        start_s: as for `FileSource`.
        duration_s: as for `FileSource`.

    Raises:
        DeviceError: NVDEC is missing, or does not decode this file; `FileSource` may.
        MediaError: the file is missing, unreadable, has no video, or nothing in it decodes.
    """

    def __init__(
        self,
        path: str | Path,
        device: CudaDevice,
        *,
        start_s: float = 0.0,
        duration_s: float | None = None,
    ) -> None:
        self._device = device
        place = input_place(path)
        reader = PictureReader(
            partial(self._open, place),
            start_s=start_s,
            duration_s=duration_s,
            on_failures=self._doubt,
            most_failures=0,
        )
        super().__init__(FileReport(place, reader))
        try:
            first = self._report.first_picture()
            name = self._format_name(first)
        except BaseException:
            self._reader.close()
            raise
        self._kind = _kind_of(first, name)
        self._is_full_range = color_range(first) == FULL_RANGE
        self._report.note_changes(first)
        info = self._report.describe(first, raw=first)
        self.info = replace(info, format_name=name, source_format_name=name)
        self._report.note_stream(self.info)

    def __iter__(self) -> Iterator[Frame]:
        """Yield the frames; the CPU decodes them where NVDEC stops, and a notice says so.

        Raises:
            DeviceLostError: the GPU is lost.
            MediaError: the file cannot be read any more, or a picture not be converted.
        """
        frames, end_pts = 0, 0
        try:
            for picture in self._reader:
                frame = self._frame(picture)
                frames, end_pts = frames + 1, (frame.pts or 0) + 1
                yield frame
        except NvdecError as error:
            self._report.note(f"decoded on the CPU after {counted(frames, 'frame')}: {error}")
        else:
            self._report.finish()
            return
        self._reader.resume_at(end_pts, partial(open_on_cpu, self.path))
        for frame in self._decoded_on_cpu():
            frames += 1
            yield uploaded(frame, self._device)
        self._report.finish(frames)

    def _decoded_on_cpu(self) -> Iterator[Frame]:
        """What is left, in main memory, of the size and format that NVDEC's frames have."""
        info, planar = self.info, planar_format(self.info.format_name)
        convert = PictureConverter(planar, info.width, info.height, full_range=self._is_full_range)
        for picture in self._reader:
            self._report.note_changes(picture)
            yield from_av(
                convert(picture),
                pts=self._reader.output_pts(picture),
                time_base=self._reader.time_base,
                duration=picture.duration,
                codec=info.codec_name,
                captions=captions_of(picture),
            )

    def _open(self, place: InputPlace) -> VideoInput:
        with self._device.context():
            container = open_with_nvdec(place, self._device.index)
            try:
                stream = best_video_stream(container, place)
                decoder = self._decoder(stream)
            except BaseException:
                container.close()
                raise
        return VideoInput(container, stream, decoder)

    def _doubt(self, error: FFmpegError) -> None:
        doubt_nvdec(self._device, self.path, error)

    def _decoder(self, stream: VideoStream) -> VideoCodecContext:
        if stream.codec_context.name in _NATIVE_DECODERS:
            return native_decoder(stream, self._device.index)
        stream.codec_context.thread_count = 1  # NVDEC does the work; more are not measured
        return stream.codec_context

    def _frame(self, picture: av.VideoFrame) -> Frame:
        format_name = self._format_name(picture)  # first: PyAV shows planes of these alone
        kind = _kind_of(picture, format_name)
        if kind != self._kind:
            raise NvdecError(f"what follows is {kind}, and not {self._kind} any more")
        self._report.note_changes(picture)
        planes: Any = surface_planes(picture, self._device)
        return Frame(
            planes=planes,
            format_name=format_name,
            pts=self._reader.output_pts(picture),
            time_base=self._reader.time_base,
            color=color_info(picture, self.info.codec_name),
            duration=picture.duration,
            captions=captions_of(picture),
        )

    def _format_name(self, picture: av.VideoFrame) -> str:
        return surface_format(picture, self.path)


def _kind_of(picture: av.VideoFrame, format_name: str) -> str:
    """What must stay from picture to picture, in words."""
    levels = "full" if color_range(picture) == FULL_RANGE else "limited"
    return f"{picture.width}x{picture.height} {format_name} of {levels} range"


def surface_planes(picture: av.VideoFrame, device: CudaDevice) -> DevicePlanes:
    """The planes of a picture that NVDEC gave; FFmpeg may still be copying them."""
    luma, chroma = (_surface_plane(picture, index, device) for index in range(2))
    return luma, chroma


def _surface_plane(picture: av.VideoFrame, index: int, device: CudaDevice) -> DeviceArray:
    # A capsule, and not the plane: CuPy would ask that for a stream, which PyAV refuses.
    plane: Any = device.from_dlpack(picture.planes[index].__dlpack__())
    rows: DeviceArray = plane.reshape(plane.shape[0], -1)  # U and V come as pairs
    return rows


def surface_format(picture: av.VideoFrame, path: InputPlace) -> str:
    """The format of a picture that NVDEC gave.

    Raises:
        NvdecError: it is none that the GPU's path takes.
    """
    layout = picture.sw_format
    name = "no device format" if layout is None else layout.name
    if name not in _FORMATS or picture.width % 2 or picture.height % 2:
        raise NvdecError(
            f"NVDEC gives {name} of {picture.width}x{picture.height} for {path}; the GPU"
            f" takes {' and '.join(_FORMATS)} of even sizes"
        )
    return name


def open_with_nvdec(path: InputPlace, index: int) -> InputContainer:
    """Open a file for decoding on a GPU, with frames that stay in the current CUDA context.

    A file for `native_decoder` is opened as for the CPU.

    Raises:
        DeviceError: the GPU, its driver or NVDEC is missing, or has no decoder for the file.
        MediaError: the file cannot be opened at all.
    """
    with open_input(path) as container:  # what is wrong with the file itself is said as ever
        stream = best_video_stream(container, path)
        codec = stream.codec_context.name
        if not isinstance(path, Path) or file_crop(path, stream, stream.width, stream.height):
            raise DeviceError(f"{path} is no plain file, or is cropped, which NVDEC does not do")
        if decoder_of_alpha(stream) is not None:
            raise DeviceError(f"{path} has an alpha channel, which NVDEC does not decode")
    if codec in _NATIVE_DECODERS:
        return open_input(path)
    try:
        opened: InputContainer = av.open(f"file:{path}", hwaccel=hwaccel(index), **TEXT_OPTIONS)
    except RuntimeError as error:  # PyAV's word for "no stream that this hardware decodes"
        raise DeviceError(f"NVDEC on cuda:{index} has no decoder for {path}") from error
    except FFmpegError as error:
        raise _not_opened(index) from error
    return opened


def check_nvdec(index: int) -> None:
    """Check that FFmpeg can open a GPU, in the current CUDA context, without opening an input.

    Raises:
        DeviceError: it cannot.
    """
    try:
        av.CodecContext.create("h264", "r", hwaccel=hwaccel(index))
    except FFmpegError as error:
        raise _not_opened(index) from error


def is_for_native_decoder(stream: VideoStream) -> bool:
    """Whether PyAV chose a decoder that knows no hardware, where FFmpeg has one that does."""
    return stream.codec_context.name in _NATIVE_DECODERS


def native_decoder(stream: VideoStream, index: int) -> VideoCodecContext:
    """FFmpeg's own decoder of a stream, on a GPU, in place of the one that PyAV chose.

    Raises:
        DeviceError: the GPU, its driver or NVDEC is missing.
    """
    name = _NATIVE_DECODERS[stream.codec_context.name]
    try:
        decoder = av.CodecContext.create(name, "r", hwaccel=hwaccel(index))
    except FFmpegError as error:
        raise _not_opened(index) from error
    if not isinstance(decoder, VideoCodecContext) or not decoder.is_hwaccel:
        raise DeviceError(f"FFmpeg's {name} decoder knows no NVDEC")
    decoder.extradata = stream.codec_context.extradata
    decoder.thread_count = 1
    decoder.pix_fmt = _NO_DECODER_S
    return decoder


def _not_opened(index: int) -> DeviceError:
    return DeviceError(
        f"NVDEC on cuda:{index} cannot be opened: it needs the NVIDIA driver and its libnvcuvid"
    )


def doubt_nvdec(device: CudaDevice, name: InputPlace, error: FFmpegError) -> NoReturn:
    """Say that packets which fail are for the CPU, which knows what is damaged, or a GPU is lost.

    Raises:
        DeviceLostError: the GPU cannot be used any more.
        NvdecError: it can.
    """
    device.wait_for_decoder()
    raise NvdecError(f"NVDEC on {device.name} fails at {name} ({error})") from error


class OpenedFile(NamedTuple):
    """A file that is read onto a device.

    Attributes:
        file: knows the stream, and after reading what was wrong with it.
        frames: yields its frames in GPU memory.
        decoder: what decodes, for the line at the start: "NVDEC", or why it does not.
    """

    file: VideoFile
    frames: FrameSource
    decoder: str


def open_on_device(
    path: str | Path,
    device: CudaDevice,
    *,
    start_s: float = 0.0,
    duration_s: float | None = None,
    rate: Fraction | None = None,
) -> OpenedFile:
    """Open a file with NVDEC, or decode it on the CPU and upload it where NVDEC cannot.

    Raises:
        MediaError: the file cannot be read.
    """
    try:
        nvdec = NvdecSource(path, device, start_s=start_s, duration_s=duration_s)
    except (DeviceError, MediaError) as error:
        why = str(error)
    else:
        return OpenedFile(nvdec, nvdec, "NVDEC")
    file = FileSource(path, start_s=start_s, duration_s=duration_s, rate=rate)
    return OpenedFile(file, UploadSource(file, device), f"decoded on the CPU: {why}")
