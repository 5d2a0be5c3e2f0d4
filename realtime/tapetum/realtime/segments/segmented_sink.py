"""`SegmentedSink`: frames into segments on the disk, and these into the film when all are there.

Each segment has an encoder of its own and begins with a key frame. A job that goes on begins some
seconds before the first frame that is missing: these frames warm up what the enhancer remembers
(smoothing, bars), and are not encoded again. The last of them is held against samples of the same
frame that the job before has kept. Where they differ, the enhancer does not do what it would have
done without the stop, and the film is begun anew: a seam is never seen.
"""

from __future__ import annotations

import hashlib
import os
import zlib
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import numpy as np
import numpy.typing as npt
from av.packet import Packet
from av.stream import Stream

from tapetum.realtime.errors import MediaError
from tapetum.realtime.frame import Frame
from tapetum.realtime.media.file_sink import FileSink
from tapetum.realtime.media.media_errors import media_errors
from tapetum.realtime.media.video_encoder import VideoEncoder
from tapetum.realtime.segments.job_folder import EncodedPicture, JobFolder, Segment

SEGMENT_S = 30
"""Play time of a segment, which is what a kill costs at most. Each begins with a key frame more,
which costs size; encoders make one every ten seconds or so by themselves."""
WARM_UP_S = 5
"""Play time before a segment that a job that goes on enhances once more: the smoothing forgets in
a third of a second, and bars are in doubt for seconds."""

_PROBE_STEP = 8
"""Of each so many rows and columns a sample is kept."""
_SAME_LEVELS = 1
_SAME_SHARE = 0.999
"""A seam is not seen where this share of samples differs by no more than these levels."""

Damage = Callable[[], tuple[int, int]]
"""Packets of the input so far that could not be decoded, and frames that were damaged in part."""


class SeamError(MediaError):
    """A job that goes on does not make of a frame what the job before it did."""


class SegmentedSink:
    """Takes the frames of a film; what is finished stays when the job is killed.

    Args:
        film: the output, opened, to which no frame is written.
        folder: of the job.
        time_base: seconds per unit of the frames' `pts`.
        damage: how damaged the input was so far.

    Attributes:
        done: the segment that the job before this one finished last; None for none.
        frames_before: frames that jobs before this one have finished.

    Raises:
        MediaError: the folder cannot be read.
    """

    def __init__(
        self, film: FileSink, folder: JobFolder, *, time_base: Fraction, damage: Damage
    ) -> None:
        self._film = film
        self._folder = folder
        self._time_base = time_base
        self._damage = damage
        self._segments = folder.segments()
        self._open: _OpenSegment | None = None
        self._finished = False
        self.done = self._segments[-1] if self._segments else None
        self.frames_before = sum(segment.frames for segment in self._segments)
        self._is_at_seam = self.done is None
        """Whether what is done goes on as it did."""

    @property
    def begin_pts(self) -> int | None:
        """Where the source must begin; None for its beginning."""
        if self.done is None:
            return None
        return self.done.last_pts - round(WARM_UP_S / self._time_base)

    @property
    def damage_before(self) -> tuple[int, int]:
        """Packets and frames that jobs before this one found damaged."""
        done = self.done
        return (0, 0) if done is None else (done.corrupt_packets, done.damaged_frames)

    def has(self, frame: Frame) -> bool:
        """Whether a frame was encoded by a job before this one."""
        return self.done is not None and (frame.pts or 0) <= self.done.last_pts

    def write(self, frame: Frame) -> None:
        """Encode one frame, or hold it against what is done.

        Raises:
            SeamError: the film does not go on as it was begun; what was done is removed.
            MediaError: the frame is not as it should be, or the disk is full.
        """
        self._film.check(frame)
        if self.done is not None and self.has(frame):
            if frame.pts == self.done.last_pts:
                self._is_at_seam = _is_same(self.done.probe, frame)
            return
        if not self._is_at_seam:
            self._folder.begin_anew()
            raise SeamError("the unfinished job before could not be continued unseen; begun anew")
        self._encode(frame)

    def close(self) -> None:
        """Finish the last segment, join all, and give the film its name.

        Raises:
            MediaError: it cannot be written; the segments stay.
        """
        if self._finished:
            return
        try:
            self._finish_segment()
            self._join()
            self._film.close()
        except BaseException:
            self.discard()
            raise
        self._finished = True
        self._folder.remove()

    def discard(self) -> None:
        """Give up for now: segments that are finished stay."""
        if self._finished:
            return
        self._finished = True
        if self._open is not None:
            self._open.discard()
        self._film.discard()
        self._folder.release()

    def _encode(self, frame: Frame) -> None:
        slot = int((frame.pts or 0) * self._time_base // SEGMENT_S)
        if self._open is not None and slot != self._open.slot:
            self._finish_segment()
        if self._open is None:
            path = self._folder.packets_path(len(self._segments))
            self._open = _OpenSegment(slot, path, self._film.another_encoder())
        self._open.encode(frame)

    def _finish_segment(self) -> None:
        if self._open is None:
            return
        packets, frames = (a + b for a, b in zip(self._damage(), self.damage_before, strict=True))
        segment = self._open.finish(corrupt_packets=packets, damaged_frames=frames)
        self._open = None
        self._folder.add(len(self._segments), segment)
        self._segments.append(segment)

    def _join(self) -> None:
        if len({segment.setup_sha256 for segment in self._segments}) > 1:
            self._folder.begin_anew()
            raise MediaError("the encoder gave no two segments alike; run the command again")
        last_dts: int | None = None
        for number, segment in enumerate(self._segments):
            for picture, content in self._folder.packets(number, segment):
                packet: Packet[Stream] = Packet(content)
                # An encoder decodes its first pictures ahead of their time: across the seam.
                packet.dts = picture.dts if last_dts is None else max(picture.dts, last_dts + 1)
                packet.pts, packet.duration = picture.pts, picture.duration
                packet.is_keyframe = picture.is_key
                last_dts = packet.dts
                self._film.write_encoded(packet)


class _OpenSegment:
    """A segment that is being encoded.

    Attributes:
        slot: which part of the film's time it has.
    """

    def __init__(self, slot: int, path: Path, encoder: VideoEncoder) -> None:
        self.slot = slot
        self._path = path
        self._encoder = encoder
        self._pictures: list[EncodedPicture] = []
        self._checksum = hashlib.sha256()
        self._frames = 0
        self._last: Frame | None = None
        with media_errors("cannot write", path):
            self._file = path.open("wb")

    def encode(self, frame: Frame) -> None:
        """Encode a frame, and write what the encoder gives."""
        with media_errors("cannot write", self._path):
            self._keep(self._encoder.encode(frame))
        self._frames += 1
        self._last = frame

    def finish(self, *, corrupt_packets: int, damaged_frames: int) -> Segment:
        """Have all of it on the disk."""
        last = self._last
        if last is None:
            raise MediaError(f"{self._path} has no frames")
        with media_errors("cannot write", self._path), self._file:
            self._keep(self._encoder.finish())
            self._file.flush()
            os.fsync(self._file.fileno())
        setup = self._encoder.stream.codec_context.extradata or b""
        return Segment(
            pictures=tuple(self._pictures),
            frames=self._frames,
            last_pts=last.pts or 0,
            end_pts=(last.pts or 0) + last.duration,
            probe=zlib.compress(_samples(last).tobytes()),
            setup_sha256=hashlib.sha256(setup).hexdigest(),
            corrupt_packets=corrupt_packets,
            damaged_frames=damaged_frames,
            sha256=self._checksum.hexdigest(),
        )

    def discard(self) -> None:
        """Remove it."""
        self._file.close()
        self._path.unlink(missing_ok=True)

    def _keep(self, packets: list[Packet[Stream]]) -> None:
        for packet in packets:
            content = bytes(packet)
            self._file.write(content)
            self._checksum.update(content)
            pts, dts = packet.pts or 0, packet.dts or 0
            duration = packet.duration or 0
            self._pictures.append(
                EncodedPicture(pts, dts, duration, len(content), packet.is_keyframe)
            )


def _samples(frame: Frame) -> npt.NDArray[np.generic]:
    planes = [plane[::_PROBE_STEP, ::_PROBE_STEP].ravel() for plane in frame.planes]
    return np.concatenate(planes)


def _is_same(probe: bytes, frame: Frame) -> bool:
    """Whether a frame is the one of which the samples were kept, as far as anyone sees."""
    now = _samples(frame)
    before = np.frombuffer(zlib.decompress(probe), now.dtype)
    if before.shape != now.shape:
        return False
    apart = np.abs(before.astype(np.int32) - now.astype(np.int32))
    return bool((apart <= _SAME_LEVELS).mean() >= _SAME_SHARE)
