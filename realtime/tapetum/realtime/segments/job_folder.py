"""`JobFolder`: what is kept of an unfinished film, in a hidden folder beside its output.

`job.json` says what the job is. A segment is two files: `000003.packets`, the encoded pictures one
after the other, and `000003.json`, which says where each lies and when it is shown, and which is
written last: where it is, the segment is whole, after a power cut too.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

from filelock import FileLock, Timeout

from tapetum.realtime.errors import MediaError
from tapetum.realtime.media.media_errors import media_errors

SUFFIX = ".tapetum-job"
_MANIFEST = "job.json"
_LOCK = "lock"
_LONGEST_NAME_BYTES = 255
_HASHED_BYTES = 1 << 16


@dataclass(frozen=True, slots=True)
class EncodedPicture:
    """One packet of the encoder; times are in units of the video's time base."""

    pts: int
    dts: int
    duration: int
    size: int
    is_key: bool


@dataclass(frozen=True, slots=True)
class Segment:
    """A part of a film that is encoded and on the disk.

    Attributes:
        pictures: its packets, in the order of decoding.
        frames: pictures that are shown.
        last_pts: when the last of them is shown.
        end_pts: when that one ends.
        probe: some samples of the last frame before it was encoded, by which is seen whether a job
            that goes on makes the same of it; see `segmented_sink`.
        setup_sha256: hash of what the encoder says once for all pictures.
        corrupt_packets: of the input up to here, could not be decoded.
        damaged_frames: of the input up to here, were decoded in part.
        sha256: hash of the packets.
    """

    pictures: tuple[EncodedPicture, ...]
    frames: int
    last_pts: int
    end_pts: int
    probe: bytes
    setup_sha256: str
    corrupt_packets: int
    damaged_frames: int
    sha256: str

    def to_json(self) -> str:
        """As a file keeps it."""
        fields = asdict(self) | {"probe": self.probe.hex()}
        fields["pictures"] = [list(asdict(picture).values()) for picture in self.pictures]
        return json.dumps(fields)

    @classmethod
    def from_json(cls, text: str) -> Self:
        """What `to_json` gave.

        Raises:
            ValueError, KeyError, TypeError: it is something else.
        """
        fields: dict[str, Any] = json.loads(text)
        fields["probe"] = bytes.fromhex(fields["probe"])
        fields["pictures"] = tuple(EncodedPicture(*row) for row in fields["pictures"])
        segment = cls(**fields)
        segment._check()
        return segment

    def _check(self) -> None:
        """Refuse what no job writes.

        Raises:
            ValueError, TypeError: it is that.
        """
        counts = [self.frames, self.corrupt_packets, self.damaged_frames]
        counts += [picture.size for picture in self.pictures]
        times = [self.last_pts, self.end_pts]
        for picture in self.pictures:
            times += [picture.pts, picture.dts, picture.duration]
        if not all(type(number) is int for number in counts + times) or min(counts) < 0:
            raise ValueError("a segment's numbers are none")
        if not isinstance(self.sha256, str) or not isinstance(self.setup_sha256, str):
            raise TypeError("a segment's hashes are none")


class JobFolder:
    """The folder of one unfinished film; one process at a time has it.

    Args:
        output: the film's final name.
        identity: all that decides what the film becomes: input, options, weights, versions.

    Attributes:
        path: the folder.
        notices: a line where what was there was of another job, or broken, and is removed.

    Raises:
        MediaError: another process is at work on the same output, or the folder cannot be written.
    """

    def __init__(self, output: Path, identity: Mapping[str, object]) -> None:
        self.output = output
        self.path = job_folder_path(output)
        self.notices: list[str] = []
        self._identity = json.loads(json.dumps({**identity, "output": output.name}, default=str))
        self._held = ExitStack()
        with media_errors("cannot write", self.path):
            self.path.mkdir(exist_ok=True)
            self._take()
        try:
            with media_errors("cannot write", self.path):
                self._begin_or_go_on()
        except BaseException:
            self.release()
            raise

    def segments(self) -> list[Segment]:
        """The segments that are whole, from the first on; what is behind a broken one is removed.

        Raises:
            MediaError: the folder cannot be read.
        """
        found: list[Segment] = []
        with media_errors("cannot read", self.path):
            while (segment := self._read(len(found))) is not None:
                found.append(segment)
            for file in self._files_from(len(found)):
                file.unlink()
        return found

    def packets_path(self, number: int) -> Path:
        """Where the packets of a segment lie."""
        return self.path / f"{number:06d}.packets"

    def packets(self, number: int, segment: Segment) -> Iterator[tuple[EncodedPicture, bytes]]:
        """The packets of a segment.

        Raises:
            MediaError: they are not as they were written.
        """
        path, checksum = self.packets_path(number), hashlib.sha256()
        with media_errors("cannot read", path), path.open("rb") as file:
            for picture in segment.pictures:
                content = file.read(picture.size)
                checksum.update(content)
                yield picture, content
        if checksum.hexdigest() != segment.sha256:
            raise MediaError(f"{path} has changed since it was written; run the command again")

    def add(self, number: int, segment: Segment) -> None:
        """Note that a segment is whole; its packets are on the disk already."""
        path = self.path / f"{number:06d}.json"
        _write_safely(path, segment.to_json())

    def begin_anew(self) -> None:
        """Remove what is finished; the job goes on without."""
        with media_errors("cannot write", self.path):
            for file in self._files_from(0):
                file.unlink()

    def remove(self) -> None:
        """Remove it all: the film is done, or given up."""
        with suppress(OSError):  # the film is whole without
            shutil.rmtree(self.path)
        self.release()

    def release(self) -> None:
        """Let another process have it; where nothing is finished, nothing is left."""
        with suppress(OSError):
            if self.path.is_dir() and not any(self.path.glob("[0-9]*.json")):
                shutil.rmtree(self.path)
        self._held.close()

    def _take(self) -> None:
        try:
            self._held.enter_context(FileLock(self.path / _LOCK, timeout=0))
        except Timeout:
            raise MediaError(f"another process is making {self.output}; wait for it") from None

    def _begin_or_go_on(self) -> None:
        manifest = self.path / _MANIFEST
        before = _json_of(manifest)
        if before == self._identity:
            return
        self.begin_anew()
        if manifest.exists():
            other = ", ".join(_differences(before, self._identity)) or "its record is damaged"
            self.notices.append(
                f"the unfinished job of {self.output.name} does not fit ({other}); begun anew"
            )
        _write_safely(manifest, json.dumps(self._identity, indent=1))

    def _files_from(self, number: int) -> list[Path]:
        """Files of segments of this number and after it, finished or not."""
        files = self.path.glob("[0-9]*.*")
        numbered = ((file, file.name.split(".")[0]) for file in files)
        return [file for file, name in numbered if name.isdecimal() and int(name) >= number]

    def _read(self, number: int) -> Segment | None:
        """A segment; None where it is not there, or not whole."""
        try:
            segment = Segment.from_json((self.path / f"{number:06d}.json").read_text())
            with self.packets_path(number).open("rb") as file:
                checksum = hashlib.file_digest(file, "sha256")
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            return None
        return segment if checksum.hexdigest() == segment.sha256 else None


def job_folder_path(output: Path) -> Path:
    """The hidden folder beside an output; a name that would be too long is cut."""
    begin = os.fsencode(f".{output.name}")[: _LONGEST_NAME_BYTES - len(SUFFIX)]
    return output.with_name(os.fsdecode(begin) + SUFFIX)


def input_identity(path: Path) -> dict[str, object]:
    """What tells a file from another: size, time of change, and hash of its head and tail.

    Raises:
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        status = os.fstat(file.fileno())
        ends = file.read(_HASHED_BYTES)
        file.seek(max(0, status.st_size - _HASHED_BYTES))
        ends += file.read(_HASHED_BYTES)
    return {
        "input": str(path.resolve()),
        "input size": status.st_size,
        "input time": status.st_mtime_ns,
        "input content": hashlib.sha256(ends).hexdigest(),
    }


@dataclass(frozen=True, slots=True)
class UnfinishedJob:
    """What is known of a job folder that somebody left.

    Attributes:
        path: the folder.
        output: the film that it is of.
        input: what it is made of, as far as the record says.
        frames: that are done.
        size_bytes: on the disk.
        is_running: whether a process is at work on it.
    """

    path: Path
    output: Path
    input: str
    frames: int
    size_bytes: int
    is_running: bool


def unfinished_jobs(folder: Path) -> Iterator[UnfinishedJob]:
    """The jobs in a folder and its folders."""
    for path in sorted(folder.rglob(f".*{SUFFIX}")):
        if not path.is_dir():
            continue
        manifest = _json_of(path / _MANIFEST)
        files = list(path.iterdir())
        texts = [_json_of(file) for file in path.glob("[0-9]*.json")]
        name = str(manifest.get("output", path.name.removeprefix(".").removesuffix(SUFFIX)))
        yield UnfinishedJob(
            path,
            path.with_name(name),
            str(manifest.get("input", "unknown")),
            sum(_count(text.get("frames")) for text in texts),
            sum(file.stat().st_size for file in files),
            _is_locked(path / _LOCK),
        )


def remove_job(job: UnfinishedJob) -> None:
    """Remove the folder of a job that nobody is at work on.

    Raises:
        MediaError: it cannot be removed.
    """
    with media_errors("cannot remove", job.path):
        shutil.rmtree(job.path)


def _is_locked(lock: Path) -> bool:
    if not lock.exists():
        return False
    try:
        with FileLock(lock, timeout=0):
            return False
    except Timeout:
        return True
    except OSError:
        return False


def _json_of(path: Path) -> dict[str, Any]:
    """A file's JSON object; an empty one where there is none."""
    try:
        found = json.loads(path.read_text())
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _count(value: object) -> int:
    """A number of frames as a record has it; 0 for what is none."""
    return value if isinstance(value, int) and value > 0 else 0


def _differences(before: Mapping[str, object], now: Mapping[str, object]) -> list[str]:
    return sorted(key for key in before.keys() & now.keys() if before[key] != now[key])


def _write_safely(path: Path, text: str) -> None:
    """Write a file whole, and have it on the disk before this returns."""
    with path.with_suffix(".json.part").open("w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    path.with_suffix(".json.part").replace(path)
    with suppress(OSError):  # Windows and some network file systems have no such thing for folders
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
