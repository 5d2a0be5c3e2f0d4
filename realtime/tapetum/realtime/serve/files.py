"""Files that a page sends to be enhanced: received, enhanced one after the other, and thrown away.

Names on disk are ours: a number. The page keeps the name that the user knows.
"""

from __future__ import annotations

import asyncio
import secrets
import shutil
import threading
import time
from collections.abc import AsyncIterator, Callable
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from tapetum.realtime.background import PatientWorker
from tapetum.realtime.choices import Device
from tapetum.realtime.enhance_media import enhance_file
from tapetum.realtime.enhancer import is_cuda
from tapetum.realtime.errors import DeviceError, EngineError, ServeError, TapetumError
from tapetum.realtime.progress import EnhanceResult, Progress
from tapetum.realtime.serve.enhancement import Enhancement
from tapetum.realtime.serve.limits import Limits
from tapetum.realtime.serve.uploaded_kind import UploadedKind, uploaded_kind

_TELL_EVERY_S = 0.2

State = Literal["waiting", "working", "done", "failed"]


class _CancelledError(TapetumError):
    """Nobody wants the result any more."""


@dataclass(frozen=True, slots=True)
class FileStatus:
    """How far a file is.

    Attributes:
        file: its secret name in this session.
        state: waiting for its turn, in work, done, or failed.
        frames: frames done; 0 while what makes them is prepared.
        total_frames: frames in all, or None where the file does not say.
        eta_s: seconds that are left, or None while nobody knows.
        message: what went wrong, or what should be known about the result.
        suffix: what the name of the result ends in, when it is done.
    """

    file: str
    state: State
    frames: int = 0
    total_frames: int | None = None
    eta_s: float | None = None
    message: str = ""
    suffix: str = ""


@dataclass(frozen=True, slots=True)
class Result:
    """A file that is ready: where it lies, and what it is."""

    path: Path
    media_type: str


class Files:
    """The files of one session, in a folder of their own."""

    def __init__(
        self,
        folder: Path,
        limits: Limits,
        worker: PatientWorker,
        on_status: Callable[[FileStatus], None],
    ) -> None:
        """Make the folder.

        Args:
            folder: does not exist yet; it is removed at the end.
            limits: for sizes and numbers.
            worker: enhances one file after the other; sessions share it.
            on_status: called in the event loop when something about a file is new.
        """
        folder.mkdir(mode=0o700)
        self._folder = folder
        self._limits = limits
        self._worker = worker
        self._on_status = on_status
        self._closed = False
        self._works: dict[str, _Work | None] = {}  # None while a file is received
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._results: dict[str, Result] = {}

    async def receive(
        self, chunks: AsyncIterator[bytes], enhancement: Enhancement, announced_bytes: int | None
    ) -> str:
        """Store a file as its bytes come, and have it enhanced.

        Args:
            chunks: the file.
            enhancement: how.
            announced_bytes: how large it says that it is.

        Returns:
            Its secret name in this session.

        Raises:
            ServeError: it is too large, one too many, or no video or photo.
        """
        if self._closed:
            raise ServeError("this session has ended")
        if len(self._works) >= self._limits.files:
            raise ServeError(f"{self._limits.files} files are the most; remove one first")
        self._limits.check_upload(announced_bytes or 0)
        name = secrets.token_urlsafe(12)
        self._works[name] = None
        try:
            upload = await self._store(chunks, self._folder / name)
            kind = await asyncio.to_thread(uploaded_kind, upload, self._limits)
            work = self._works[name] = _Work(upload, kind, enhancement, self._teller(name))
        except BaseException:
            self._forget(name)
            raise
        self._tasks[name] = asyncio.create_task(self._enhance(name, work))
        return name

    def result(self, name: str) -> Result:
        """The enhanced file.

        Raises:
            ServeError: there is no such file, or it is not ready.
        """
        if name not in self._results:
            raise ServeError("there is no such file, or it is not ready")
        return self._results[name]

    async def remove(self, name: str) -> None:
        """Give a file up, or throw it away; one that is not there any more is no error."""
        work, task = self._works.get(name), self._tasks.get(name)
        if work is not None and task is not None:
            work.cancel()
            await asyncio.wait([task])
            self._forget(name)

    def give_up(self) -> None:
        """Stop all work, without waiting, and take no more."""
        self._closed = True
        for work in filter(None, self._works.values()):
            work.cancel()

    async def close(self) -> None:
        """Give everything up, wait for its end, and remove the folder."""
        self.give_up()
        for name in list(self._tasks):
            await self.remove(name)
        await asyncio.to_thread(shutil.rmtree, self._folder, ignore_errors=True)

    def _forget(self, name: str) -> None:
        self._works.pop(name, None)
        self._tasks.pop(name, None)
        self._results.pop(name, None)
        shutil.rmtree(self._folder / name, ignore_errors=True)

    async def _store(self, chunks: AsyncIterator[bytes], folder: Path) -> Path:
        path = folder / "input"
        size_bytes = 0
        try:
            folder.mkdir()
            with path.open("xb") as target:
                async for chunk in chunks:
                    size_bytes += len(chunk)
                    self._limits.check_upload(size_bytes)
                    await asyncio.to_thread(target.write, chunk)
        except ConnectionError:
            raise
        except OSError as error:
            raise ServeError(f"the server cannot store the file: {error.strerror}") from error
        return path

    async def _enhance(self, name: str, work: _Work) -> None:
        self._on_status(FileStatus(name, "waiting"))
        try:
            message = await asyncio.wrap_future(work.begin(self._worker))
        except (asyncio.CancelledError, _CancelledError):
            return
        except TapetumError as error:
            self._on_status(FileStatus(name, "failed", message=work.without_paths(str(error))))
            return
        self._results[name] = Result(work.output, work.kind.media_type)
        done = FileStatus(name, "done", message=message, suffix=work.output.suffix)
        self._on_status(done)

    def _teller(self, name: str) -> Callable[[Progress], None]:
        """What tells the page of progress that is made in another thread."""
        loop = asyncio.get_running_loop()

        def tell(progress: Progress) -> None:
            figures = (progress.frames, progress.total_frames, progress.eta_s)
            loop.call_soon_threadsafe(self._on_status, FileStatus(name, "working", *figures))

        return tell


class _Work:
    """Enhances one file, in the worker's thread."""

    def __init__(
        self,
        upload: Path,
        kind: UploadedKind,
        enhancement: Enhancement,
        tell: Callable[[Progress], None],
    ) -> None:
        self.kind = kind
        self.output = upload.with_name(f"output{kind.result_suffix}")
        self._input = upload.rename(upload.with_name(f"input{kind.suffix}"))
        self._enhancement = enhancement
        self._tell = tell
        self._told_s = 0.0
        self._cancelled = threading.Event()
        self._future: Future[str] | None = None

    def begin(self, worker: PatientWorker) -> Future[str]:
        """Have it done; what comes of it is what should be known about the result."""
        self._future = worker.submit(self._enhance)
        return self._future

    def cancel(self) -> None:
        """Stop before the next frame, or do not even begin."""
        self._cancelled.set()
        if self._future is not None:
            self._future.cancel()

    def without_paths(self, text: str) -> str:
        """A message without the names that files have here, which nobody else knows."""
        for path in (self._input, self.output):
            text = text.replace(str(path), "the file").replace(path.name, "the file")
        return text

    def _enhance(self) -> str:
        self._tell(Progress(0, None, 0.0, 0.0))  # its turn has come: the first frame takes longest
        try:
            result, why = self._made()
        finally:
            self._input.unlink(missing_ok=True)
        damage = () if result.intact else ("the file is damaged; what it holds was enhanced",)
        return self.without_paths("; ".join((*damage, *why, *result.notices)))

    def _made(self) -> tuple[EnhanceResult, tuple[str, ...]]:
        """What was done, with why it was not done where it should have been."""
        wanted = self._enhancement
        if not is_cuda(wanted.device):
            return self._made_on(wanted.device), ()
        try:
            return self._made_on(wanted.device), ()
        except (DeviceError, EngineError) as error:  # who sent it has no other device to choose
            wanted.on_notice(f"a file is enhanced on the CPU: {error}")
            return self._made_on("cpu"), (f"enhanced on the CPU: {error}",)

    def _made_on(self, device: Device) -> EnhanceResult:
        wanted = self._enhancement
        return enhance_file(
            self._input,
            self.output,
            model=wanted.model,
            strength=wanted.strength,
            when_dark=wanted.aim.when_dark,
            brightness=wanted.aim.brightness,
            device=device,
            denoise=wanted.denoise,
            on_progress=self._progress,
        )

    def _progress(self, progress: Progress) -> None:
        if self._cancelled.is_set():
            raise _CancelledError("nobody wants this file any more")
        now_s = time.monotonic()
        if now_s - self._told_s >= _TELL_EVERY_S:
            self._told_s = now_s
            self._tell(progress)
