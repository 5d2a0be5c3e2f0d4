"""`ClusterCrew`: workers on the machines of a Ray cluster."""

from __future__ import annotations

import importlib
import itertools
import logging
import os
import re
import secrets
import signal
import socket
import time
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from tapetum.gan.whole_file import whole_file
from tapetum.realtime.batch.cluster_worker import (
    ClusterWorker,
    Done,
    Given,
    Missing,
    content_of,
)
from tapetum.realtime.batch.crew import Answered, Event, Lost, Pulse, Ready
from tapetum.realtime.batch.file_maker import FileOptions
from tapetum.realtime.batch.worker import (
    Answer,
    Failure,
    FileWork,
    MadeSegment,
    SegmentWork,
    Work,
    fingerprint,
)
from tapetum.realtime.enhancer import is_cuda
from tapetum.realtime.errors import TapetumError
from tapetum.realtime.segments.job_folder import unfinished_path
from tapetum.realtime.segments.segment import memory_path, write_through

_PULSE_S = 1.0
_LOOK_S = 5.0
"""Between two looks at how large the cluster is, and whether its head is there."""
_HEAD_GONE_S = 15.0
_KNOCK_S = 2.0
_PART_BYTES = 32 << 20
_KEPT_INPUTS = 4
"""Inputs beside those at work whose bytes stay in the object store."""
_FINISH_S = 3.0
_MOST_FALSE_STARTS = 3
"""So many workers for each core may fail to be made."""
_COLOUR = re.compile(r"\x1b\[[\d;]*m")


@dataclass(slots=True)
class _Hand:
    """An actor, and what it was asked."""

    actor: Any
    ready: Any
    place: str = "a worker"
    work: Work | None = None
    answer: Any = None
    pulse: Any = None
    pulse_s: float = 0.0
    is_refused: bool = False


@dataclass(slots=True)
class _Inputs:
    """The bytes of inputs in the object store."""

    parts: OrderedDict[Path, list[Any]] = field(default_factory=OrderedDict)

    def put(self, path: Path, most: int) -> list[Any]:
        """References to the parts of a file; those that were asked for long ago are let go."""
        ray = _ray()
        if path not in self.parts:
            with path.open("rb") as file:
                read = iter(lambda: file.read(_PART_BYTES), b"")
                self.parts[path] = [ray.put(part) for part in read]
        self.parts.move_to_end(path)
        while len(self.parts) > most:
            self.parts.popitem(last=False)
        return self.parts[path]


class ClusterCrew:
    """Workers on the machines of a Ray cluster: one for each of its cores, or shares of GPUs.

    Machines may come and go. A worker that has another version or other weights, or none, keeps its
    core and does nothing.

    Args:
        address: of the cluster, as "10.0.0.1:6379"; "auto" is RAY_ADDRESS, or that of this machine.
        options: for every file, as for `enhance_file`.
        folder: for the outputs; None for a file by itself.
        streams_per_gpu: workers that share a GPU, where the device is one.

    Raises:
        TapetumError: Ray is not installed, or the cluster is not there, or has another version.
    """

    def __init__(
        self,
        address: str,
        options: FileOptions,
        *,
        folder: Path | None,
        streams_per_gpu: int = 1,
    ) -> None:
        model = Path(options.get("model", "grid"))
        self._options = options.copy()
        if model.is_file():
            self._options["model"] = model.absolute()
        self._own = fingerprint(options)
        self._needs = _needs(options, streams_per_gpu)
        self._numbers = itertools.count()
        self._hands: dict[int, _Hand] = {}
        self._lost: list[Lost] = []
        self._inputs = _Inputs()
        self._refusals: set[str] = set()
        self._false_starts = 0
        self._looked_s = 0.0
        self._head = _connect(address)
        self._heard_head_s = time.monotonic()
        self._token: tuple[Path, str] | None = None
        try:
            self._token = _put_token(folder)
            self._look()
        except BaseException:
            self.close()
            raise

    @property
    def size(self) -> int:
        """Workers that there are, or are about to be."""
        return sum(not hand.is_refused for hand in self._hands.values())

    def give(self, worker: int, work: Work) -> None:
        """Give work to a worker that has none."""
        self._hands[worker].work = work
        self._send(worker, {})

    def events(self, timeout_s: float) -> Sequence[Event]:
        """What has happened; waits for something to happen at most so long.

        Raises:
            TapetumError: the cluster is gone, or no machine of it can work.
        """
        ray = _ray()
        self._look()
        self._ask_pulses()
        asked = {
            reference: (worker, name)
            for worker, hand in self._hands.items()
            for name in ("ready", "answer", "pulse")
            if (reference := getattr(hand, name)) is not None
        }
        if asked:
            ready, _ = ray.wait([*asked], num_returns=len(asked), timeout=0)
            if not ready:
                ready, _ = ray.wait([*asked], num_returns=1, timeout=timeout_s)
        else:
            time.sleep(timeout_s)
            ready = []
        events = [
            event for reference in ready for event in self._heard(reference, *asked[reference])
        ]
        lost, self._lost = self._lost, []
        return [*events, *lost]

    def replace(self, worker: int, reason: str) -> None:
        """End a worker that does not answer; `Lost` is heard of it, and another one begins."""
        self._end(worker, reason)

    def close(self) -> None:
        """End all of them at once; what they were at is lost."""
        ray = _ray()
        if self._token is not None:
            self._token[0].unlink(missing_ok=True)
        with suppress(Exception):  # the cluster may be gone
            ending = [hand.actor.finish.remote() for hand in self._hands.values()]
            ray.wait(ending, num_returns=len(ending), timeout=_FINISH_S)
            for hand in self._hands.values():
                ray.kill(hand.actor)
        self._hands = {}
        with _signals_kept():
            ray.shutdown()

    # Machines --------------------------------------------------------------------------------

    def _look(self) -> None:
        """Have a worker on each core that there is; see whether the head is there."""
        ray = _ray()
        now_s = time.monotonic()
        if now_s - self._looked_s < _LOOK_S:
            return
        self._looked_s = now_s
        if _answers(self._head):
            self._heard_head_s = now_s
        elif now_s - self._heard_head_s > _HEAD_GONE_S:
            raise TapetumError(
                f"the Ray cluster at {self._head} is gone; what is finished stays: give the command"
                " again when it is back, or without --cluster"
            )
        else:
            return
        name, share = next(iter(self._needs.items()))
        resource = {"num_cpus": "CPU", "num_gpus": "GPU"}[name]
        room = int(ray.cluster_resources().get(resource, 0) / share + 1e-6)
        for _ in range(room - len(self._hands)):
            self._begin()
        if not room:
            raise TapetumError(f"the Ray cluster at {self._head} has no {resource} for workers")

    def _begin(self) -> None:
        ray = _ray()
        needs = {"num_cpus": 0, **self._needs}
        actor = ray.remote(ClusterWorker).options(max_concurrency=2, **needs).remote(self._options)
        self._hands[next(self._numbers)] = _Hand(actor, actor.ready.remote())

    def _end(self, worker: int, reason: str) -> None:
        ray = _ray()
        hand = self._hands.pop(worker)
        with suppress(Exception):  # it may be gone
            ray.kill(hand.actor)
        self._lost.append(Lost(worker, reason))
        self._looked_s = 0.0

    # Work ------------------------------------------------------------------------------------

    def _send(self, worker: int, parts: Mapping[Path, Sequence[Any]]) -> None:
        hand = self._hands[worker]
        work = hand.work
        assert work is not None
        try:
            contents = {path: content_of(path) for path in _sources(work)}
        except OSError as error:
            self._lost.append(Lost(worker, f"an input cannot be read: {error}"))
            return
        hand.answer = hand.actor.do.remote(Given(work, contents, parts, Path.cwd(), self._token))

    def _ask_pulses(self) -> None:
        now_s = time.monotonic()
        for hand in self._hands.values():
            if hand.answer is not None and hand.pulse is None and now_s - hand.pulse_s > _PULSE_S:
                hand.pulse, hand.pulse_s = hand.actor.pulse.remote(), now_s

    def _heard(self, reference: Any, worker: int, name: str) -> Iterator[Event]:  # noqa: ANN401
        ray = _ray()
        hand = self._hands.get(worker)
        if hand is None:
            return
        setattr(hand, name, None)
        try:
            said = ray.get(reference)
        except ray.exceptions.RayTaskError as error:
            yield from self._failed(worker, name, error)
            return
        except ray.exceptions.RayError as error:
            if getattr(error, "actor_init_failed", False):
                yield from self._lose_unmade(worker, str(error))
            else:
                self._end(worker, _first_line(error))
            return
        if name == "pulse":
            yield Pulse(worker, *said)
        elif name == "ready":
            yield from self._welcome(worker, *said)
        elif isinstance(said, Missing):
            most = _KEPT_INPUTS + len(self._hands)
            self._send(worker, {path: self._inputs.put(path, most) for path in said.paths})
        else:
            yield from self._taken(worker, said)

    def _failed(self, worker: int, name: str, error: Exception) -> Iterator[Event]:
        """An error in a worker that is no answer: its module is missing, or there is a bug."""
        if name == "answer":
            yield Answered(worker, Failure(f"a bug in Tapetum: {_first_line(error)}"))
        elif name == "ready":
            self._end(worker, _first_line(error))

    def _welcome(
        self, worker: int, place: str, versions: Mapping[str, str], refusal: str
    ) -> Iterator[Event]:
        hand = self._hands[worker]
        hand.place = place
        differences = [
            f"{name}: {versions[name]} there, {own} here"
            for name, own in self._own.items()
            if versions and versions.get(name) != own
        ]
        why = refusal or "; ".join(differences)
        if not why:
            yield Ready(worker, place)
            return
        yield from self._refuse(worker, f"{place} is not used: {why}")

    def _refuse(self, worker: int, line: str) -> Iterator[Event]:
        """Have a worker keep its core and do nothing."""
        self._hands[worker].is_refused = True
        if all(other.is_refused for other in self._hands.values()):
            raise TapetumError(f"no machine of the Ray cluster can work; {line}")
        yield Lost(worker, line, was_refused=True)

    def _lose_unmade(self, worker: int, said: str) -> Iterator[Event]:
        """A worker that could not even be made, as where a machine has no Tapetum.

        Its core is free then, and the next one may be made elsewhere; but not for ever.
        """
        line = f"{_place_in(said)} is not used: {_last_line(said)}"
        self._false_starts += 1
        if self._false_starts >= _MOST_FALSE_STARTS * len(self._hands):
            yield from self._refuse(worker, line)
            return
        self._hands.pop(worker)
        if line not in self._refusals:
            self._refusals.add(line)
            yield Lost(worker, line, was_refused=True)

    def _taken(self, worker: int, done: Done) -> Iterator[Event]:
        """Write what came back where it belongs."""
        hand = self._hands[worker]
        work, hand.work = hand.work, None
        answer: Answer = done.answer
        try:
            for path, content in done.files.items():
                with whole_file(path) as unfinished:
                    unfinished.write_bytes(content)
            if done.packets is not None and isinstance(work, SegmentWork):
                path = unfinished_path(work.folder, work.number)
                write_through(path, done.packets)
                if done.memory:
                    write_through(memory_path(path), done.memory)
                if isinstance(answer, MadeSegment):
                    answer = replace(answer, path=path)
        except OSError as error:
            answer = Failure(f"cannot write: {error.strerror}")
        yield Answered(worker, answer)


def _ray() -> Any:  # noqa: ANN401 - it is optional, and its types with it
    """Ray.

    Raises:
        ImportError: it is not installed.
    """
    return importlib.import_module("ray")


def _needs(options: FileOptions, streams_per_gpu: int) -> dict[str, float]:
    if is_cuda(options.get("device", "auto")):
        return {"num_gpus": 1 / streams_per_gpu}
    return {"num_cpus": 1}


def _sources(work: Work) -> list[Path]:
    if isinstance(work, FileWork):
        return [task.source for task in work.tasks]
    return [work.film.source]


def _put_token(folder: Path | None) -> tuple[Path, str] | None:
    """A file by which a worker sees whether it sees the folder of the outputs."""
    if folder is None:
        return None
    token, text = folder.absolute() / f".tapetum-cluster-{os.getpid()}", secrets.token_hex(16)
    try:
        token.write_text(text)
    except OSError as error:
        raise TapetumError(f"output folder {folder} cannot be written: {error.strerror}") from error
    return token, text


def _place_in(said: str) -> str:
    """The machine that an error of Ray's names."""
    found = re.search(r"\bip=([\w.:]+)", said)
    return f"the machine {found[1]}" if found else "a machine"


def _last_line(said: str) -> str:
    return (_lines(said) or ["it does not say why"])[-1]


def _first_line(error: Exception) -> str:
    return (_lines(str(error)) or [type(error).__name__])[0]


def _lines(said: str) -> list[str]:
    """What Ray says, without its colours and empty lines."""
    return [line.strip() for line in _COLOUR.sub("", said).splitlines() if line.strip()]


# The cluster -----------------------------------------------------------------------------------


def _connect(address: str) -> str:
    """Join a cluster as its driver.

    Returns:
        The address of its head.
    """
    try:
        ray = _ray()
    except ImportError:
        raise TapetumError(
            "Ray is not installed; --cluster, or RAY_ADDRESS, needs it:"
            ' pip install "tapetum[cluster]"'
        ) from None
    if address == "auto":
        address = os.environ.get("RAY_ADDRESS", address)
    if address != "auto":
        _check_address(address)
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    try:
        with _signals_kept():
            ray.init(address=address, log_to_driver=False, logging_level=logging.CRITICAL)
    except (ConnectionError, RuntimeError, ValueError, OSError) as error:
        found = " ".join(str(error).split())
        raise TapetumError(f"the Ray cluster at {address} cannot be joined: {found}") from error
    return str(ray.get_runtime_context().gcs_address)


def _check_address(address: str) -> None:
    named = f"{address} (RAY_ADDRESS)" if os.environ.get("RAY_ADDRESS") == address else address
    if "://" in address or ":" not in address:
        raise TapetumError(
            f"{named} is no address of a Ray cluster; give HOST:PORT of its head, as `ray start`"
            " says it, on a machine that has joined it"
        )
    if not _answers(address):
        raise TapetumError(
            f"no Ray cluster answers at {named}; start one: ray start --head --port 6379"
        )


def _answers(address: str) -> bool:
    """Whether somebody listens at an address."""
    host, _, port = address.rpartition(":")
    try:
        with socket.create_connection((host, int(port)), timeout=_KNOCK_S):
            return True
    except (OSError, ValueError):
        return False


class _signals_kept:  # noqa: N801 - it is used as a function
    """Keep the handlers of signals, which Ray takes for itself."""

    def __enter__(self) -> None:
        self._before = {
            number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)
        }

    def __exit__(self, *_exception: object) -> None:
        for number, handler in self._before.items():
            with suppress(ValueError):  # not in the main thread
                signal.signal(number, handler)
