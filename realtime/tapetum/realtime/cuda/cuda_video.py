"""`CudaVideo`: NVDEC or an upload, the enhancer, NVENC or a download."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

from tapetum.gan.model import find_model
from tapetum.gan.model_kinds import Kind
from tapetum.realtime.aim import Aim
from tapetum.realtime.choices import Denoise
from tapetum.realtime.cuda.cuda_enhancer import EngineChoice, choose_engine, make_cuda_enhancer
from tapetum.realtime.cuda.device import CudaDevice
from tapetum.realtime.cuda.gpu_limits import HDR, left_undone
from tapetum.realtime.cuda.least_memory import FRAMES_OF_VIDEO, least_bytes
from tapetum.realtime.cuda.nvdec_source import OpenedFile, open_on_device
from tapetum.realtime.cuda.nvenc import nvenc_for, nvenc_pictures
from tapetum.realtime.cuda.nvenc_file import NvencFile
from tapetum.realtime.cuda.room import Room
from tapetum.realtime.cuda.transfer import DownloadSink, device_format, planar_format
from tapetum.realtime.errors import EncoderError
from tapetum.realtime.frame import Frame
from tapetum.realtime.media.containers import container_for
from tapetum.realtime.media.encoder import is_nvenc
from tapetum.realtime.media.file_sink import EncoderSettings, FileSink
from tapetum.realtime.media.video_encoder import Pictures
from tapetum.realtime.media.video_info import VideoInfo
from tapetum.realtime.opened_video import OpenedOutput
from tapetum.realtime.pipeline import FrameStage
from tapetum.realtime.pixel_format import PIXEL_FORMATS
from tapetum.realtime.progress import Building
from tapetum.realtime.protocols import FrameEnhancer, FrameSource
from tapetum.trt_build.gpu import device_index


def open_on_cuda(
    path: str | Path,
    device_name: str,
    *,
    start_s: float = 0.0,
    duration_s: float | None = None,
    rate: Fraction | None = None,
) -> CudaVideo:
    """Open a video on the GPU of a name such as "cuda:1".

    Raises:
        DeviceError: the GPU or what it needs is missing.
        MediaError: the file cannot be read.
    """
    device = CudaDevice(device_index(device_name))
    choice = choose_engine(device.index)
    opened = open_on_device(path, device, start_s=start_s, duration_s=duration_s, rate=rate)
    try:
        return CudaVideo(opened, device, choice, start_s=start_s, duration_s=duration_s)
    except BaseException:
        opened.file.close()
        raise


def _room_for(device: CudaDevice, info: VideoInfo, kind: Kind, *, restores: bool = False) -> Room:
    """Memory for a video and its model, beside those of others on the same GPU.

    Raises:
        DeviceError: there is not enough.
    """
    size = info.width, info.height
    needed = least_bytes(kind, info.format_name, *size, frames=FRAMES_OF_VIDEO, restores=restores)
    what = "a {}x{} video" if kind == "grid" else "unet at {}x{}"
    return device.room_for(needed, what.format(*size))


class CudaVideo:
    """A video whose frames stay in the memory of a GPU, in one of `DEVICE_FORMATS`."""

    def __init__(
        self,
        opened: OpenedFile,
        device: CudaDevice,
        choice: EngineChoice,
        *,
        start_s: float = 0.0,
        duration_s: float | None = None,
    ) -> None:
        """Take a file that is read onto a device.

        Args:
            opened: the file from `start_s` on, `duration_s` of it.
            device: where its frames are.
            choice: what runs networks there.
            start_s: as above, for the streams that are copied beside the video.
            duration_s: as above.

        Raises:
            DeviceError: there is not enough memory.
        """
        self._room = _room_for(device, opened.file.info, "grid")
        self.file, self.frames = opened.file, _RoomTakers(opened.frames, self._leave_room)
        info = opened.file.info
        self.info = replace(info, format_name=device_format(info.format_name))
        limits = (HDR,) if info.color.is_hdr else ()
        self.notices = (f"decoding on {device.name}: {opened.decoder}", *choice.notices, *limits)
        self._device = device
        self._choice = choice
        self._span = start_s, duration_s

    def load_enhancer(
        self,
        model: str | Path,
        *,
        strength: float = 1.0,
        aim: Aim = Aim(),  # noqa: B008 - it is immutable
        denoise: Denoise = "off",
        on_build: Callable[[Building], None] | None = None,
    ) -> FrameEnhancer:
        """Load a model on the device, if there is room for it; see `make_cuda_enhancer`."""
        description = find_model(model).description
        restores = description.has_grid and denoise != "off"
        self._leave_room()
        self._room = _room_for(self._device, self.info, description.kind, restores=restores)
        enhancer = make_cuda_enhancer(
            model,
            self._device,
            strength=strength,
            aim=aim,
            denoise=denoise,
            flavour=self._choice.flavour,
            size=(self.info.height, self.info.width),
            on_build=on_build,
        )
        self.notices += left_undone(description, denoise=denoise)
        return enhancer

    def open_output(
        self, path: Path, info: VideoInfo, *, encoder: EncoderSettings, overwrite: bool = False
    ) -> OpenedOutput:
        """Open an output with NVENC, or encode on the CPU where NVENC cannot; see `NvencFile`.

        An encoder that the user names is taken as it is, on the GPU ("hevc_nvenc") or the CPU
        ("libx265").

        Raises:
            EncoderError: the NVENC encoder that the user named cannot be opened.
            MediaError: the output cannot or must not be written.
        """
        start_s, duration_s = self._span

        def sink(
            settings: EncoderSettings, given: VideoInfo = info, pictures: Pictures | None = None
        ) -> FileSink:
            return FileSink(
                path,
                info=given,
                encoder=settings,
                copy_from=self.file.path,
                start_s=start_s,
                duration_s=duration_s,
                overwrite=overwrite,
                pictures=pictures,
            )

        def on_cpu() -> FileSink:
            if info.format_name in PIXEL_FORMATS and not info.alpha:
                return sink(encoder)
            return sink(encoder, replace(info, format_name=planar_format(info.format_name)))

        device = self._device
        named = encoder.codec is not None and is_nvenc(encoder.codec)
        try:
            name = nvenc_for(container_for(path), encoder.codec, info)
            with device.context():
                file = sink(replace(encoder, codec=name), info, nvenc_pictures(device))
        except EncoderError as error:
            if named:
                raise
            file = on_cpu()
            where = f"encoding on the CPU: {error}"
            return OpenedOutput(file, DownloadSink(file, device), (where,))
        output = file if named else NvencFile(file, device, on_cpu)
        return OpenedOutput(output, output, (f"encoding on {device.name}: NVENC",))

    def close(self) -> None:
        """See `OpenedVideo`."""
        self._leave_room()
        self.file.close()

    def _leave_room(self) -> None:
        self._room.release()

    def finished(self, stage: FrameStage) -> FrameStage:
        """A stage whose frames are done when it returns, its array operations on the device."""

        def finished(frame: Frame) -> Frame:
            with self._device.array_work():
                return stage(frame)

        return finished


class _RoomTakers:
    """Frames of a source, the first of which take the memory that was promised to all."""

    def __init__(self, frames: FrameSource, when_taken: Callable[[], None]) -> None:
        self._frames = frames
        self._when_taken = when_taken

    def __iter__(self) -> Iterator[Frame]:
        """Yield them; as many as there are at once, and then the others in their place."""
        for count, frame in enumerate(self._frames):
            if count == FRAMES_OF_VIDEO:
                self._when_taken()
            yield frame

    def close(self) -> None:
        """Close the source."""
        self._when_taken()
        self._frames.close()
