"""`SegmentEncoder`: a part of a film encoded by itself, and what is known of it afterwards.

A film is cut by its play time, whoever makes which part: segment 3 is what is shown from 90 s to
120 s, and may be empty. Each has an encoder of its own and begins with a key frame.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import zlib
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple, Self

import numpy as np
from av.packet import Packet
from av.stream import Stream

from tapetum.realtime.frame import Frame
from tapetum.realtime.media.file_source import FileSource
from tapetum.realtime.media.media_errors import media_errors
from tapetum.realtime.media.video_encoder import VideoEncoder
from tapetum.realtime.segments import SEGMENT_S

WARM_UP_S = 5
"""Play time before a segment that is enhanced once more where the segment before it was made
elsewhere: the smoothing forgets in a third of a second, and bars are in doubt for seconds."""

_PROBE_STEP = 8
"""Of each so many rows and columns a sample is kept."""
_SAME_LEVELS = 1
_SAME_SHARE = 0.999
"""A seam is not seen where this share of samples differs by no more than these levels."""


NOT_A_SEGMENT = (ValueError, KeyError, TypeError, AttributeError, RecursionError)
"""What reading a note raises that is no segment's."""
_PROBES = ("before", "last", "seen")
_DTYPES = ("|u1", "<u2", ">u2", "=u2")


@dataclass(frozen=True, slots=True)
class EncodedPicture:
    """One packet of the encoder; times are in units of the video's time base."""

    pts: int
    dts: int
    duration: int
    size: int
    is_key: bool


@dataclass(frozen=True, slots=True)
class Probe:
    """Some samples of an enhanced frame, by which is seen whether another job makes the same of it.

    Attributes:
        pts: when the frame is shown.
        samples: compressed.
        dtype: of the samples, as NumPy names it.
    """

    pts: int
    samples: bytes
    dtype: str

    @classmethod
    def of(cls, frame: Frame) -> Self:
        """Take the samples of a frame."""
        planes = [plane[::_PROBE_STEP, ::_PROBE_STEP].ravel() for plane in frame.planes]
        samples = np.concatenate(planes)
        return cls(frame.pts or 0, zlib.compress(samples.tobytes()), samples.dtype.str)

    def is_same(self, other: Probe) -> bool:
        """Whether another is of the same frame, and of a picture that looks the same."""
        try:
            one, two = (
                np.frombuffer(zlib.decompress(probe.samples), probe.dtype)
                for probe in (self, other)
            )
        except (zlib.error, ValueError):  # the note of one is damaged
            return False
        if self.pts != other.pts or one.shape != two.shape:
            return False
        apart = np.abs(one.astype(np.int32) - two.astype(np.int32))
        return bool((apart <= _SAME_LEVELS).mean() >= _SAME_SHARE)


@dataclass(frozen=True, slots=True)
class Ending:
    """How a segment ends, for who goes on.

    Attributes:
        seen: samples of its last frame as it was read.
        memory: of the enhancer after that frame; empty where it has none to be kept.
        lasting: what of that does not fade.
    """

    seen: Probe
    memory: bytes
    lasting: str


class Damage(NamedTuple):
    """How damaged an input is, as far as it was read.

    Attributes:
        corrupt_packets: packets that could not be decoded.
        damaged_frames: frames that were decoded in part.
        truncated: whether its end is missing.
    """

    corrupt_packets: int = 0
    damaged_frames: int = 0
    truncated: bool = False

    @classmethod
    def until(cls, frame: Frame | None, source: FileSource) -> Self:
        """What a source has met until it gave a frame; None for its end.

        It belongs to what is before the frame, also where another job has begun before that.
        """
        if frame is None:
            return cls(source.corrupt_packets, source.damaged_frames, source.truncated)
        return cls(*source.damage_at(frame.pts or 0))

    def since(self, before: Damage) -> Damage:
        """What was met after `before`."""
        return Damage(
            self.corrupt_packets - before.corrupt_packets,
            self.damaged_frames - before.damaged_frames,
            self.truncated,
        )


@dataclass(frozen=True, slots=True)
class Segment:
    """A part of a film that is encoded and on the disk.

    Attributes:
        pictures: its packets, in the order of decoding; none where only the rest was asked for.
        frames: pictures that are shown; 0 where nothing of the film is shown in its time.
        first_pts: when the first of them is shown; 0 for none.
        end_pts: when the last of them ends; 0 for none.
        before: of the frame before its first; None where there is none.
        last: of its last frame; None for none.
        seen: of its last frame as it was read; None where nobody can go on exactly.
        next: the number of the segment in which the next frame is shown; None: the film ends here.
        setup_sha256: hash of what the encoder says once for all pictures; empty for no frame.
        corrupt_packets: of its part of the input, could not be decoded.
        damaged_frames: of its part of the input, were decoded in part.
        truncated: whether the film ends here because the end of the input is missing.
        sha256: hash of the packets.
        memory_sha256: hash of what the enhancer remembered at its end; empty: that is not kept.
        begins: what the enhancer remembered for good before it, in words.
        ends: the same at its end; empty where nobody goes on.
    """

    pictures: tuple[EncodedPicture, ...]
    frames: int
    first_pts: int
    end_pts: int
    before: Probe | None
    last: Probe | None
    seen: Probe | None
    next: int | None
    setup_sha256: str
    corrupt_packets: int
    damaged_frames: int
    truncated: bool
    sha256: str
    memory_sha256: str
    begins: str
    ends: str

    def to_json(self) -> str:
        """As a file keeps it."""
        fields = asdict(self)
        for name in _PROBES:
            if fields[name] is not None:
                fields[name]["samples"] = fields[name]["samples"].hex()
        fields["pictures"] = [list(asdict(picture).values()) for picture in self.pictures]
        return json.dumps(fields)

    @classmethod
    def from_json(cls, text: str, *, pictures: bool) -> Self:
        """What `to_json` gave, with or without its pictures.

        Raises:
            NOT_A_SEGMENT: it is something else.
        """
        fields: dict[str, Any] = json.loads(text)
        for name in _PROBES:
            found = fields[name]
            if found is not None:
                samples = bytes.fromhex(found["samples"])
                fields[name] = Probe(int(found["pts"]), samples, str(found["dtype"]))
        fields["pictures"] = tuple(EncodedPicture(*row) for row in fields["pictures"])
        segment = cls(**fields)
        segment._check()
        return segment if pictures else replace(segment, pictures=())

    def _check(self) -> None:
        """Refuse what no job writes.

        Raises:
            ValueError, TypeError: it is that.
        """
        counts = [self.frames, self.corrupt_packets, self.damaged_frames, self.next or 0]
        counts += [picture.size for picture in self.pictures]
        times = [self.first_pts, self.end_pts]
        for picture in self.pictures:
            times += [picture.pts, picture.dts, picture.duration]
        if not all(type(number) is int for number in counts + times) or min(counts) < 0:
            raise ValueError("a segment's numbers are none")
        texts = (self.sha256, self.setup_sha256, self.memory_sha256, self.begins, self.ends)
        if not all(isinstance(text, str) for text in texts):
            raise TypeError("a segment's hashes are none")
        probes = (self.before, self.last, self.seen)
        if any(probe.dtype not in _DTYPES for probe in probes if probe):
            raise ValueError("a segment's samples are none")


def segment_number(frame: Frame) -> int:
    """In which segment a frame is shown."""
    return max(0, int((frame.pts or 0) * frame.time_base // SEGMENT_S))


def likely_segments(duration_s: float | None) -> int:
    """How many segments a film of a duration has, if what its container says of that is right."""
    return max(1, math.ceil((duration_s or 0.0) / SEGMENT_S))


def chain(segments: Mapping[int, Segment]) -> list[int]:
    """The numbers of a film's segments from the first on, up to one that is missing.

    The film is whole where the `next` of the last of them is None.
    """
    found: list[int] = []
    number: int | None = 0
    while number is not None and number in segments:
        found.append(number)
        number = segments[number].next
    return found


def memory_path(unfinished: Path) -> Path:
    """Where the enhancer's memory goes, by where the packets of an unfinished segment do."""
    return unfinished.with_suffix(f".memory{unfinished.suffix}")


def write_through(path: Path, content: bytes) -> None:
    """Write a file, and have it on the disk when this returns.

    Raises:
        OSError: it cannot be written.
    """
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


class SegmentEncoder:
    """A segment on its way to the disk.

    Args:
        path: where its packets go.
        make_encoder: opens an encoder for it, when there is a frame.
        before: of the frame before its first; None for none.

    Attributes:
        path: where its packets go.

    Raises:
        MediaError: the file cannot be made.
    """

    def __init__(
        self, path: Path, make_encoder: Callable[[], VideoEncoder], before: Probe | None
    ) -> None:
        self.path = path
        self._make_encoder = make_encoder
        self._encoder: VideoEncoder | None = None
        self._before = before
        self._pictures: list[EncodedPicture] = []
        self._checksum = hashlib.sha256()
        self._frames = 0
        self._first_pts = 0
        self._last: Frame | None = None
        with media_errors("cannot write", path):
            self._file = path.open("wb")

    def encode(self, frame: Frame) -> None:
        """Encode a frame, and write what the encoder gives.

        Raises:
            MediaError: the disk is full, or the encoder fails.
        """
        if self._encoder is None:
            self._encoder = self._make_encoder()
            self._first_pts = frame.pts or 0
        with media_errors("cannot write", self.path):
            self._keep(self._encoder.encode(frame))
        self._frames += 1
        self._last = frame

    def finish(
        self,
        *,
        following: int | None,
        damage: Damage,
        begins: str = "",
        ending: Ending | None = None,
    ) -> Segment:
        """Have all of it on the disk.

        Args:
            following: in which segment the next frame is shown; None: there is none.
            damage: of its part of the input.
            begins: what the enhancer remembered for good before it.
            ending: for who goes on behind it, if anyone can.

        Raises:
            MediaError: the disk is full, or the encoder fails.
        """
        with media_errors("cannot write", self.path), self._file:
            setup = ""
            if self._encoder is not None:
                self._keep(self._encoder.finish())
                said = self._encoder.stream.codec_context.extradata or b""
                setup = hashlib.sha256(said).hexdigest()
            self._file.flush()
            os.fsync(self._file.fileno())
            memory = b"" if ending is None else ending.memory
            if memory:
                write_through(memory_path(self.path), memory)
        last = self._last
        return Segment(
            pictures=tuple(self._pictures),
            frames=self._frames,
            first_pts=self._first_pts,
            end_pts=0 if last is None else (last.pts or 0) + last.duration,
            before=self._before,
            last=None if last is None else Probe.of(last),
            seen=None if ending is None else ending.seen,
            next=following,
            setup_sha256=setup,
            **damage._asdict(),
            sha256=self._checksum.hexdigest(),
            memory_sha256=hashlib.sha256(memory).hexdigest() if memory else "",
            begins=begins,
            ends="" if ending is None else ending.lasting,
        )

    def discard(self) -> None:
        """Remove it."""
        self._file.close()
        self.path.unlink(missing_ok=True)
        memory_path(self.path).unlink(missing_ok=True)

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
