"""`ClusterWorker`: a `BatchWorker` on another machine, which may not see the files of the job."""

from __future__ import annotations

import hashlib
import importlib
import os
import platform
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tapetum.gan.machine import limit_threads
from tapetum.realtime.batch.file_maker import FileOptions
from tapetum.realtime.batch.tree import Task
from tapetum.realtime.batch.worker import (
    Answer,
    BatchWorker,
    Failure,
    FileAnswer,
    FileWork,
    LongFilm,
    MadeSegment,
    SegmentWork,
    Work,
    fingerprint,
)
from tapetum.realtime.errors import TapetumError
from tapetum.realtime.progress import EnhanceResult
from tapetum.realtime.segments.job_folder import input_identity
from tapetum.realtime.segments.segment import memory_path

_Identity = Mapping[str, object]


def content_of(path: Path) -> _Identity:
    """What tells the content of a file, wherever it lies: size, and hash of its head and tail.

    Raises:
        OSError: it cannot be read.
    """
    found = input_identity(path)
    return {key: found[key] for key in ("input size", "input content")}


@dataclass(frozen=True, slots=True)
class Given:
    """Work, and what is needed of its files.

    Attributes:
        work: what is to be done, with the names that the files have where the job is.
        contents: what tells the content of each input.
        parts: the bytes of inputs that the worker does not see: references to objects of Ray.
        base: the folder that names are relative to.
        token: a file in the folder of the outputs, and what is in it: who sees it writes there.
    """

    work: Work
    contents: Mapping[Path, _Identity]
    parts: Mapping[Path, Sequence[Any]]
    base: Path
    token: tuple[Path, str] | None


@dataclass(frozen=True, slots=True)
class Missing:
    """Inputs of which a worker needs the bytes."""

    paths: tuple[Path, ...]


@dataclass(frozen=True, slots=True)
class Done:
    """An answer, with the bytes that the worker could not write where they belong.

    Attributes:
        answer: with the names that the files have where the job is.
        files: outputs that are to be written there.
        packets: of a segment.
        memory: of the enhancer at the end of a segment; empty where it has none to be kept.
    """

    answer: Answer
    files: Mapping[Path, bytes]
    packets: bytes | None = None
    memory: bytes = b""


class ClusterWorker:
    """Does parts of a job; an actor of Ray, whose `do` and `pulse` are called by two threads.

    Args:
        options: for every file, as for `enhance_file`.
    """

    def __init__(self, options: FileOptions) -> None:
        limit_threads(1)
        self._worker: BatchWorker | None = None
        self._refusal = ""
        self._fingerprint: dict[str, str] = {}
        self._copies = Path(tempfile.mkdtemp(prefix="tapetum-cluster-"))
        try:
            self._fingerprint = fingerprint(options)
            self._worker = BatchWorker(options)
        except (TapetumError, ValueError) as error:
            self._refusal = str(error)

    def ready(self) -> tuple[str, dict[str, str], str]:
        """Where it is; its versions and weights; why it cannot work, or nothing."""
        return f"{platform.node()}, process {os.getpid()}", self._fingerprint, self._refusal

    def pulse(self) -> tuple[int, int]:
        """Frames so far, and a number that rises as long as the work goes on."""
        worker = self._worker
        return (0, 0) if worker is None else (worker.frames, worker.moves)

    def finish(self) -> None:
        """Remove all copies; nothing is done afterwards."""
        if self._worker is not None:
            self._worker.close()
        shutil.rmtree(self._copies, ignore_errors=True)

    def do(self, given: Given) -> Done | Missing:
        """Do some work, or say which inputs are not seen here."""
        work = given.work
        sources = [task.source for task in work.tasks] if isinstance(work, FileWork) else []
        if isinstance(work, SegmentWork):
            sources = [work.film.source]
        here = {path: self._place(path, given, sources) for path in sources}
        missing = tuple(path for path, place in here.items() if place is None)
        if missing:
            return Missing(missing)
        places = {path: place for path, place in here.items() if place is not None}
        is_shared = given.token is not None and _is_seen(*given.token)
        if isinstance(work, FileWork):
            return self._files(work, places, given.base if is_shared else None)
        return self._segment(work, places[work.film.source], given.base if is_shared else None)

    def _files(self, work: FileWork, places: Mapping[Path, Path], base: Path | None) -> Done:
        """Make files, below `base` where they belong, or here if that is None."""
        answers: list[FileAnswer] = []
        files: dict[Path, bytes] = {}
        for task, overwrite in zip(work.tasks, work.overwrite, strict=True):
            source = places[task.source]
            output = self._output(task.output) if base is None else base / task.output
            may = overwrite or base is None
            answer = self._do(FileWork((Task(source, output),), (may,)))
            assert isinstance(answer, tuple)
            answers.append(_named(answer[0], task, source, output))
            if isinstance(answer[0], EnhanceResult) and base is None:
                files[task.output] = output.read_bytes()
                output.unlink()
        return Done(tuple(answers), files)

    def _segment(self, work: SegmentWork, source: Path, base: Path | None) -> Done:
        film = work.film
        if base is not None:
            there = replace(film, source=source, output=base / film.output)
            answer = self._do(replace(work, film=there, folder=base / work.folder))
            return Done(_said(answer, source, film.source), {})
        local = replace(film, source=source, output=self._output(film.output))
        answer = self._do(replace(work, film=local, folder=self._copies))
        if not isinstance(answer, MadeSegment):
            return Done(_said(answer, source, film.source), {})
        packets, memory = answer.path.read_bytes(), b""
        answer.path.unlink()
        if answer.segment.memory_sha256:
            memory = memory_path(answer.path).read_bytes()
            memory_path(answer.path).unlink()
        return Done(answer, {}, packets, memory)

    def _do(self, work: Work) -> Answer:
        assert self._worker is not None, self._refusal
        return self._worker.do(work)

    def _place(self, path: Path, given: Given, sources: Sequence[Path]) -> Path | None:
        """Where an input is here: where the job has it, or a copy; None for nowhere."""
        content = given.contents[path]
        copy = self._copy(path)
        for place in (given.base / path, copy):
            try:
                if content_of(place) == content:
                    return place
            except OSError:
                continue
        parts = given.parts.get(path)
        if parts is None:
            return None
        self._forget_copies(sources)
        return self._fetched(copy, parts)

    def _fetched(self, copy: Path, parts: Sequence[Any]) -> Path:
        ray: Any = importlib.import_module("ray")
        with copy.open("wb") as file:
            for part in parts:
                file.write(ray.get(part))
        return copy

    def _copy(self, path: Path) -> Path:
        return self._copies / f"{_short(path)}{path.suffix}"

    def _forget_copies(self, kept: Sequence[Path]) -> None:
        """Remove the copies of other inputs than these: a worker has one film at a time."""
        if self._worker is not None:
            self._worker.close()
        names = {self._copy(path) for path in kept}
        for old in self._copies.iterdir():
            if old not in names:
                old.unlink()

    def _output(self, output: Path) -> Path:
        """A name for an output here, of the same kind."""
        return self._copies / f"{_short(output)}-out{output.suffix}"


def _short(path: Path) -> str:
    return hashlib.sha256(os.fsencode(path)).hexdigest()[:16]


def _is_seen(token: Path, text: str) -> bool:
    try:
        return token.read_text() == text
    except (OSError, ValueError):
        return False


def _named(answer: FileAnswer, task: Task, source: Path, output: Path) -> FileAnswer:
    """An answer with the names that the files have where the job is."""
    if isinstance(answer, Failure):
        reason = answer.reason.replace(str(output), str(task.output))
        return Failure(reason.replace(str(source), str(task.source)))
    if isinstance(answer, LongFilm):
        return replace(answer, film=replace(answer.film, source=task.source, output=task.output))
    return replace(answer, input_path=task.source, output_path=task.output)


def _said(answer: Answer, source: Path, named: Path) -> Answer:
    if isinstance(answer, Failure):
        return Failure(answer.reason.replace(str(source), str(named)))
    return answer
