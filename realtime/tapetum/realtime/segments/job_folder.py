"""`JobFolder`: what is kept of an unfinished film, in a hidden folder beside its output.

`job.json` says what the job is. A segment is two files: `000003.packets`, the encoded pictures one
after the other, and `000003.json`, which says where each lies and when it is shown, and which is
written last: where it is, the segment is whole, after a power cut too. `000003.memory` is what the
enhancer remembered at its end, as long as somebody may have to go on there. What is being written
has a name of its own, `000003.1234-1.part`: two that make the same segment are not in each other's
way.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import os
import platform
import shutil
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from tapetum.gan.whole_file import sync_folder
from tapetum.realtime.errors import MediaError
from tapetum.realtime.media.media_errors import media_errors
from tapetum.realtime.segments.handover import Handover
from tapetum.realtime.segments.segment import (
    NOT_A_SEGMENT,
    EncodedPicture,
    Ending,
    Segment,
    memory_path,
)

SUFFIX = ".tapetum-job"
_MANIFEST = "job.json"
_LOCK = "lock"
_LONGEST_NAME_BYTES = 255
_HASHED_BYTES = 1 << 16
_UNFINISHED = ".part"


class WrongPacketsError(MediaError):
    """The packets of a segment are not what whoever made them says they are."""


class JobFolder:
    """The folder of one unfinished film; one process at a time has it.

    Args:
        output: the film's final name.
        source: the input.
        identity: all else that decides what the film becomes: options, weights, versions.

    Attributes:
        path: the folder.
        notices: a line where what was there was of another job, or broken, and is removed.

    Raises:
        MediaError: another process is at work on the same output, the folder cannot be written, or
            the input not be read.
    """

    def __init__(self, output: Path, source: Path, identity: Mapping[str, object]) -> None:
        with media_errors("cannot open", source):
            identity = {**input_identity(source), **identity, "output": output.name}
        self.output = output
        self.path = job_folder_path(output)
        self.notices: list[str] = []
        self._identity = json.loads(json.dumps(identity, default=str))
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

    def segments(self) -> dict[int, Segment]:
        """The segments that are whole, by their numbers, without pictures; others are removed.

        Raises:
            MediaError: the folder cannot be read or written.
        """
        found: dict[int, Segment] = {}
        with media_errors("cannot read", self.path):
            for file in self._files():
                number = _number(file)
                if number not in found and (segment := self._whole(number)) is not None:
                    found[number] = segment
                if number not in found or file.suffix == _UNFINISHED:
                    file.unlink(missing_ok=True)
        return found

    def segment(self, number: int) -> Segment:
        """A whole segment, with its pictures.

        Raises:
            MediaError: its note is not as it was written.
        """
        path = self._note_path(number)
        with media_errors("cannot read", path):
            text = path.read_text()
        try:
            return Segment.from_json(text, pictures=True)
        except NOT_A_SEGMENT:
            raise _changed(path) from None

    def packets_path(self, number: int) -> Path:
        """Where the packets of a whole segment lie."""
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
            raise _changed(path)

    def add(self, number: int, segment: Segment, unfinished: Path) -> None:
        """Take a segment whose files are on the disk, under names of `unfinished_path`.

        Raises:
            MediaError: the packets are not what they are said to be, or the disk is full.
        """
        with media_errors("cannot write", self.path):
            memory = memory_path(unfinished)
            if not _is_as_said(segment, unfinished, memory):
                unfinished.unlink()
                memory.unlink(missing_ok=True)
                raise WrongPacketsError(f"segment {number} of {self.output} came out damaged")
            unfinished.replace(self.packets_path(number))
            if segment.memory_sha256:
                memory.replace(self._memory_path(number))
            _write_safely(self._note_path(number), segment.to_json())

    def handover(self, number: int, segment: Segment) -> Handover | None:
        """What is needed to go on behind a whole segment; None where it is not there."""
        if segment.last is None or segment.seen is None or not segment.memory_sha256:
            return None
        try:
            memory = self._memory_path(number).read_bytes()
        except OSError:
            return None
        if hashlib.sha256(memory).hexdigest() != segment.memory_sha256:
            return None
        return Handover(segment.last, Ending(segment.seen, memory, segment.ends))

    def forget_memory(self, number: int) -> None:
        """Remove what the enhancer remembered: somebody has gone on behind that segment."""
        with suppress(OSError):  # it goes with the folder
            self._memory_path(number).unlink(missing_ok=True)

    def begin_anew(self) -> None:
        """Remove what is finished; the job goes on without."""
        with media_errors("cannot write", self.path):
            for file in self._files():
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

    def _files(self) -> list[Path]:
        """Files of segments, finished or not."""
        files = sorted(self.path.glob("[0-9]*.*"))
        return [file for file in files if file.name.partition(".")[0].isdecimal()]

    def _note_path(self, number: int) -> Path:
        return self.path / f"{number:06d}.json"

    def _memory_path(self, number: int) -> Path:
        return self.path / f"{number:06d}.memory"

    def _whole(self, number: int) -> Segment | None:
        """A segment; None where it is not there, or not whole."""
        try:
            segment = Segment.from_json(self._note_path(number).read_text(), pictures=False)
            checksum = _sha256(self.packets_path(number))
        except (OSError, *NOT_A_SEGMENT):
            return None
        return segment if checksum == segment.sha256 else None


_counter = itertools.count()


def unfinished_path(folder: Path, number: int) -> Path:
    """Where to write the packets of a segment: a name that nobody else takes."""
    return folder / f"{number:06d}.{platform.node()}-{os.getpid()}-{next(_counter)}{_UNFINISHED}"


def _number(file: Path) -> int:
    return int(file.name.partition(".")[0])


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _is_as_said(segment: Segment, packets: Path, memory: Path) -> bool:
    if segment.memory_sha256 and _sha256(memory) != segment.memory_sha256:
        return False
    return _sha256(packets) == segment.sha256


def _changed(path: Path) -> MediaError:
    return MediaError(f"{path} has changed since it was written; run the command again")


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
            sum(map(_size, files)),
            _is_locked(path / _LOCK),
        )


def _size(file: Path) -> int:
    """The bytes of a file; none of one that whoever is at work has renamed meanwhile."""
    try:
        return file.stat().st_size
    except FileNotFoundError:
        return 0


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
    sync_folder(path.parent)
