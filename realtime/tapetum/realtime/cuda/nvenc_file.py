"""`NvencFile`: a file that NVENC encodes, and the CPU from the beginning where NVENC refuses."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tapetum.realtime.cuda.compute_device import ComputeDevice
from tapetum.realtime.cuda.gpu_faults import fault_of
from tapetum.realtime.cuda.transfer import DownloadSink
from tapetum.realtime.errors import DeviceError, EncoderError, MediaError
from tapetum.realtime.frame import Frame
from tapetum.realtime.media.file_sink import FileSink


class NvencFile:
    """A `FrameSink` of frames in a GPU's memory.

    NVENC can refuse when all is opened: at its first picture, of which it may have too many at
    work, and as long as it has given no packet. Until then the frames are kept, of which it holds
    all but the last itself; where it fails, the file is begun anew and the CPU encodes them all.
    """

    def __init__(
        self, file: FileSink, device: ComputeDevice, open_on_cpu: Callable[[], FileSink]
    ) -> None:
        """Take an output that is open for NVENC.

        Args:
            file: the output; nothing was written to it.
            device: where the frames are.
            open_on_cpu: opens it for an encoder on the CPU, when `file` was discarded.
        """
        self._file = file
        self._device = device
        self._open_on_cpu = open_on_cpu
        self._frames: FileSink | DownloadSink = file
        self._kept: list[Frame] | None = []
        self._why: tuple[str, ...] = ()

    @property
    def description(self) -> str:
        """Encoder, quality and speed."""
        return self._file.description

    @property
    def notices(self) -> list[str]:
        """What is changed or cannot be kept, and why it is not NVENC that encodes."""
        return [*self._why, *self._file.notices]

    @property
    def damaged_packets(self) -> int:
        """As of `FileSink`."""
        return self._file.damaged_packets

    def write(self, frame: Frame) -> None:
        """Encode one frame.

        Raises:
            DeviceError: the frame is not in GPU memory, or the GPU is lost, or NVENC is when it
                has given packets.
            MediaError: the file cannot be written.
        """
        if self._kept is None:
            with self._nvenc_alone():
                self._frames.write(frame)
            return
        self._kept.append(frame)
        try:
            self._file.write(frame)
        except MediaError as error:
            self._go_over(error)
        if self._file.has_begun:
            self._kept = None

    def close(self) -> None:
        """Finish the file; see `FileSink`."""
        try:
            with self._nvenc_alone():
                self._file.close()
        except MediaError as error:
            if not self._kept:
                raise
            self._go_over(error)
            self._file.close()

    def discard(self) -> None:
        """Give up: remove what was written."""
        self._file.discard()

    @contextmanager
    def _nvenc_alone(self) -> Iterator[None]:
        """Tell NVENC's failure, when frames are gone that only it had, from that of the file.

        Raises:
            DeviceError: it is NVENC, or the GPU; on the CPU the whole may be made anew.
        """
        try:
            yield
        except EncoderError as error:
            if self._kept or self._frames is not self._file:
                raise
            fault = fault_of(error, "NVENC", self._device)
            if isinstance(fault, DeviceError):
                raise fault from error
            raise DeviceError(f"NVENC on {self._device.name} fails: {error}") from error

    def _go_over(self, error: MediaError) -> None:
        """Have the CPU encode what there is; a full disk it meets again, and says so."""
        kept, self._kept = self._kept or [], None
        self._file.discard()
        self._file = self._open_on_cpu()
        self._frames = DownloadSink(self._file, self._device)
        self._why = (f"encoding on the CPU after all: {error}",)
        for frame in kept:
            self._frames.write(frame)
