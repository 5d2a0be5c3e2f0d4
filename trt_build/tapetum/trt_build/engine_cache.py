"""Keeps built engines: one file and one manifest each, whole or not there at all."""

from __future__ import annotations

import hashlib
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from tapetum.gan.build_cache import cache_folder
from tapetum.gan.errors import EngineError
from tapetum.gan.whole_file import write_whole
from tapetum.trt_build.manifest import EngineIdentity, Manifest

_log = logging.getLogger(__name__)

_KEY_DIGITS = 16


class StaleEngineError(EngineError):
    """A kept engine that cannot be used here: it has to be built anew."""


@dataclass(frozen=True, slots=True)
class EngineFile:
    """A built engine.

    Attributes:
        path: the serialised engine.
        manifest: what it is.
        reused: whether an earlier build made it.
    """

    path: Path
    manifest: Manifest
    reused: bool


def manifest_path(engine: Path) -> Path:
    """Where the manifest of an engine lies: beside it, `.json` added."""
    return engine.with_name(f"{engine.name}.json")


def kept_kernels(engine: EngineFile) -> bytes:
    """What `keep_kernels` has kept for an engine; empty where that is nothing."""
    return _content(_kernels_path(engine.path))


def keep_kernels(engine: EngineFile, kernels: bytes) -> None:
    """Keep what TensorRT-RTX compiled when it ran an engine, beside the engine.

    Raises:
        EngineError: it cannot be written.
    """
    if kernels and kernels != kept_kernels(engine):
        write_whole(_kernels_path(engine.path), kernels, error=EngineError)


def _content(path: Path) -> bytes:
    """A file that only saves time, and so may be missing or unreadable."""
    with suppress(OSError):
        return path.read_bytes()
    return b""


def _kernels_path(engine: Path) -> Path:
    return engine.with_name(f"{engine.name}.kernels")


def _remove(path: Path) -> None:
    """Remove a file, if it is there.

    Raises:
        EngineError: it is there to stay.
    """
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise EngineError(f"cannot remove {path} ({error.strerror}); check its owner") from error


def check_writable(folder: Path) -> None:
    """Refuse a folder in which no engine can be written.

    Raises:
        EngineError: it is missing or read-only.
    """
    if not folder.is_dir():
        raise EngineError(f"folder {folder} does not exist; make it first")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise EngineError(f"folder {folder} is read-only; choose another")


def check_output(path: Path) -> None:
    """Refuse a place in which no engine can be written.

    Raises:
        EngineError: it is a folder, or its folder is missing or read-only.
    """
    if path.is_dir():
        raise EngineError(f"{path} is a folder; name a file in it")
    check_writable(path.parent)


def write_engine(path: Path, plan: bytes, manifest: Manifest) -> None:
    """Write an engine and its manifest, which comes last and so vouches for the engine.

    Raises:
        EngineError: they cannot be written.
    """
    _remove(manifest_path(path))
    write_whole(path, plan, error=EngineError)
    write_whole(manifest_path(path), manifest.to_json().encode(), error=EngineError)


def read_engine(path: Path) -> EngineFile:
    """Read what an engine is.

    Raises:
        StaleEngineError: engine or manifest is missing, unreadable or changed.
    """
    try:
        manifest = Manifest.from_json(manifest_path(path).read_text())
        found = hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise StaleEngineError(f"{error.filename} cannot be read ({error.strerror})") from error
    except ValueError as error:
        raise StaleEngineError(f"{manifest_path(path)} is not a whole manifest") from error
    if found != manifest.engine_sha256:
        raise StaleEngineError(f"{path} was cut or changed after it was built")
    return EngineFile(path, manifest, reused=True)


class EngineCache:
    """A folder of engines, used by several processes at once."""

    def __init__(self, folder: Path | None = None) -> None:
        """Open or make the folder.

        Raises:
            EngineError: it cannot be made.
        """
        self.folder = folder or cache_folder()
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise EngineError(
                f"cannot make the engine cache {self.folder} ({error.strerror}); "
                "name another folder in TAPETUM_CACHE"
            ) from error
        check_writable(self.folder)

    def path(self, identity: EngineIdentity) -> Path:
        """Where the engine of an identity lies, built or not."""
        return self.folder / f"{identity.key[:_KEY_DIGITS]}.engine"

    def find(self, identity: EngineIdentity) -> EngineFile | None:
        """The engine of an identity; None where there is none.

        Raises:
            StaleEngineError: it is broken, or its manifest is another's.
        """
        path = self.path(identity)
        if not path.exists() and not manifest_path(path).exists():
            return None
        found = read_engine(path)
        if found.manifest.identity != identity:
            raise StaleEngineError(f"{manifest_path(path)} is of another engine")
        return found

    def difference(self, identity: EngineIdentity) -> str | None:
        """Why the last engine for the same purpose is not that of an identity; None: no such."""
        kept = [engine.manifest for _, engine in self.engines() if isinstance(engine, EngineFile)]
        last_first = sorted(kept, key=lambda manifest: manifest.built_at, reverse=True)
        reasons = (identity.difference(manifest.identity) for manifest in last_first)
        return next(filter(None, reasons), None)

    @contextmanager
    def lock(self, identity: EngineIdentity) -> Iterator[None]:
        """Let one process at a time build an engine; others wait here.

        Raises:
            EngineError: the lock's file cannot be opened, or the file system has no locks.
        """
        path = self.path(identity).with_suffix(".lock")
        with _locked(path):
            yield

    def timings(self, identity: EngineIdentity) -> bytes:
        """The timing cache of a runtime and GPU; empty where there is none."""
        return _content(self._timing_path(identity))

    def keep_timings(self, identity: EngineIdentity, timings: bytes) -> None:
        """Keep a timing cache for the next build."""
        if timings:
            write_whole(self._timing_path(identity), timings, error=EngineError)

    def engines(self) -> list[tuple[Path, EngineFile | StaleEngineError]]:
        """All engine files, each with what it is, or what is wrong with it."""
        return [(path, _read_or_error(path)) for path in sorted(self.folder.glob("*.engine"))]

    def prune(self, current: set[tuple[str, str]]) -> list[Path]:
        """Remove engines that nothing here can use.

        Args:
            current: name and version of each runtime that is installed.

        Returns:
            The engine files removed: broken ones, and those of other versions.

        Raises:
            EngineError: one cannot be removed.
        """
        removed = []
        for path, engine in self.engines():
            if isinstance(engine, StaleEngineError) or _runtime(engine) not in current:
                for file in (manifest_path(path), _kernels_path(path), path):
                    _remove(file)
                removed.append(path)
        return removed

    def _timing_path(self, identity: EngineIdentity) -> Path:
        built_on = f"{identity.runtime}-{identity.runtime_version}-{identity.gpu}-{identity.target}"
        digest = hashlib.sha256(built_on.encode()).hexdigest()[:_KEY_DIGITS]
        return self.folder / f"{digest}.timings"


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Wait until no one else has locked a file, and lock it."""
    lock = FileLock(path, fallback_to_soft=False)
    try:
        try:
            lock.acquire(timeout=0)
        except Timeout:
            _log.warning("another process builds this engine; waiting for it")
            lock.acquire()
    except (OSError, NotImplementedError) as error:  # some shared file systems have none
        why = error.strerror if isinstance(error, OSError) else error
        raise EngineError(
            f"{path} cannot be locked ({why}); name a folder on a local disk in TAPETUM_CACHE"
        ) from error
    try:
        yield
    finally:
        lock.release()


def _read_or_error(path: Path) -> EngineFile | StaleEngineError:
    try:
        return read_engine(path)
    except StaleEngineError as error:
        return error


def _runtime(engine: EngineFile) -> tuple[str, str]:
    return engine.manifest.identity.runtime, engine.manifest.identity.runtime_version
