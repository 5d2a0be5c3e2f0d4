"""A Ray cluster of two nodes on this machine: the same films, whoever is killed."""

from __future__ import annotations

import importlib
import importlib.util
import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import psutil
import pytest
from support.command_line import environment, tapetum
from support.live_parts import wait_until
from support.media import Clip, make_clip
from support.small_clips import write_noisy_clip

from tapetum.realtime.batch.cluster import ClusterCrew
from tapetum.realtime.errors import TapetumError
from tapetum.realtime.segments.job_folder import unfinished_jobs

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        importlib.util.find_spec("ray") is None, reason="needs Ray: pip install 'tapetum[cluster]'"
    ),
]

TAPETUM = (sys.executable, "-m", "tapetum.realtime")
RAY = (sys.executable, "-m", "ray.scripts.scripts")
FEW = ("--num-cpus", "1", "--object-store-memory", "80000000", "--disable-usage-stats")


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def start(*arguments: str, **variables: str) -> subprocess.Popen[bytes]:
    """A node that ends with its process, and is ready when this returns."""
    return subprocess.Popen(
        [*RAY, "start", "--block", *FEW, *arguments],
        env=environment() | {"RAY_USAGE_STATS_ENABLED": "0"} | variables,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def kill(node: subprocess.Popen[bytes]) -> None:
    """End a node and all of its processes, as a power cut would."""
    try:
        there = psutil.Process(node.pid)
        for process in [*there.children(recursive=True), there]:
            process.kill()
    except psutil.NoSuchProcess:
        pass
    node.wait()


Nodes = tuple[str, list[subprocess.Popen[bytes]]]


@pytest.fixture
def cluster() -> Iterator[Nodes]:
    address = f"127.0.0.1:{free_port()}"
    nodes = [start("--head", "--port", address.rpartition(":")[2], "--include-dashboard=false")]
    wait_until(lambda: answers(address))
    nodes.append(start("--address", address))
    yield address, nodes
    for node in reversed(nodes):
        kill(node)


def answers(address: str) -> bool:
    host, port = address.split(":")
    with socket.socket() as client:
        return client.connect_ex((host, int(port))) == 0


def nodes_of(address: str) -> int:
    """How many machines a cluster has, as it says itself."""
    code = (
        f"import ray; ray.init({address!r}, log_to_driver=False)\n"
        "print('nodes', sum(node['Alive'] for node in ray.nodes()))"
    )
    said = subprocess.run(
        [sys.executable, "-c", code],
        env=environment() | {"RAY_USAGE_STATS_ENABLED": "0"},
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    ).stdout
    return int(said.split()[-1])


@dataclass(frozen=True)
class Films:
    """Six films, one of which has five segments, and what one worker makes of them."""

    folder: Path
    options: tuple[str | Path, ...]
    undisturbed: dict[str, bytes]

    def command(self, output: Path, *more: str) -> list[str | Path]:
        return ["enhance", self.folder, output, *self.options, *more]


@pytest.fixture(scope="module")
def films(tmp_path_factory: pytest.TempPathFactory, gain_model: Path) -> Films:
    """The long one is noisy: its parts must follow each other, wherever they are made."""
    folder, one = tmp_path_factory.mktemp("films"), tmp_path_factory.mktemp("one")
    for number in range(5):
        make_clip(folder / f"short{number}.mp4", Clip(frames=4 + number))
    write_noisy_clip(folder / "long.mp4", frames=620, rate=5, width=96, height=64)
    options = ("--model", gain_model, "--always", "--json")
    assert tapetum("enhance", folder, one, *options, "--workers", "1").returncode == 0
    return Films(folder, options, contents(one))


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.glob("*.mp4")}


class Driver:
    """The command, at work."""

    def __init__(
        self, words: list[str | Path], output: Path, cwd: Path | None = None, **variables: str
    ) -> None:
        self._output = output
        self.process = subprocess.Popen(
            [*TAPETUM, *map(str, words)],
            env=environment() | variables,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=cwd,
        )

    def wait_for_segments(self, least: int) -> None:
        """Wait until so many of the long film are on the disk."""
        wait_until(
            lambda: (
                self.process.poll() is not None
                or sum(job.frames for job in unfinished_jobs(self._output)) >= 150 * least
            ),
            seconds=120,
        )

    def finish(self) -> tuple[list[dict[str, Any]], str]:
        """Its events, and what it said to a person."""
        said, errors = self.process.communicate(timeout=200)
        return [json.loads(line) for line in said.splitlines()], errors


def test_films_are_the_same_whoever_is_killed(cluster: Nodes, films: Films, tmp_path: Path) -> None:
    """The other node first, and then the head; the same command goes on without a cluster."""
    address, (head, other) = cluster
    driver = Driver(films.command(tmp_path, "--cluster", address), tmp_path)
    driver.wait_for_segments(1)
    kill(other)
    driver.wait_for_segments(2)
    kill(head)
    events, errors = driver.finish()
    assert driver.process.returncode != 0, errors
    assert {event["event"] for event in events} >= {"progress"}
    again = tapetum(*films.command(tmp_path, "--workers", "1"))
    assert again.returncode == 0, again.stderr
    assert contents(tmp_path) == films.undisturbed
    result = next(
        event
        for event in map(json.loads, again.stdout.splitlines())
        if event.get("input", "").endswith("long.mp4")
    )
    assert any("continued" in notice for notice in result["notices"])


def test_a_lost_node_costs_what_it_was_at(cluster: Nodes, films: Films, tmp_path: Path) -> None:
    """And RAY_ADDRESS does what --cluster does."""
    address, (_, other) = cluster
    driver = Driver(films.command(tmp_path), tmp_path, RAY_ADDRESS=address)
    driver.wait_for_segments(1)
    kill(other)
    events, errors = driver.finish()
    assert driver.process.returncode == 0, errors
    assert events[-1]["done"] == 6
    assert contents(tmp_path) == films.undisturbed


@pytest.mark.skipif(not Path("/proc/self/cwd").exists(), reason="needs names of one's own")
def test_no_folder_need_be_shared(cluster: Nodes, films: Films, tmp_path: Path) -> None:
    """Where the driver is, the workers are not: of names below that, they see nothing."""
    address, _ = cluster
    own = Path("/proc/self/cwd")
    (tmp_path / "films").symlink_to(films.folder)
    words = ["enhance", own / "films", own / "out", *films.options, "--cluster", address]
    driver = Driver(words, tmp_path / "out", cwd=tmp_path)
    events, errors = driver.finish()
    assert driver.process.returncode == 0, errors
    assert events[-1]["done"] == 6
    assert contents(tmp_path / "out") == films.undisturbed


def test_another_version_is_not_used(films: Films, tmp_path: Path) -> None:
    """One node says that it has other versions of PyAV and Tapetum; the other one does it all."""
    other_version = tmp_path / "packages"
    for name in ("av", "tapetum"):
        package = other_version / f"{name}-99.0.dist-info"
        package.mkdir(parents=True)
        (package / "METADATA").write_text(f"Name: {name}\nVersion: 99.0\n")
    address = f"127.0.0.1:{free_port()}"
    nodes = [start("--head", "--port", address.rpartition(":")[2], "--include-dashboard=false")]
    try:
        wait_until(lambda: answers(address))
        packages = f"{other_version}{os.pathsep}{environment()['PYTHONPATH']}"
        nodes.append(start("--address", address, PYTHONPATH=packages))
        wait_until(lambda: nodes_of(address) == 2)
        output = tmp_path / "out"
        driver = Driver(films.command(output, "--cluster", address), output)
        events, errors = driver.finish()
        assert driver.process.returncode == 0, errors
        assert contents(output) == films.undisturbed
        notes = [event["note"] for event in events if event["event"] == "note"]
        for name in ("av", "tapetum"):
            words = f"version of {name}: 99.0 there, {version(name)} here"
            assert any(words in note for note in notes), errors
        kill(nodes.pop(0))
    finally:
        for node in reversed(nodes):
            kill(node)


def test_a_machine_without_tapetum_is_refused_and_not_tried_for_ever(
    films: Films, tmp_path: Path
) -> None:
    nothing = tmp_path / "packages" / "tapetum"
    nothing.mkdir(parents=True)
    (nothing / "__init__.py").write_text("raise ImportError('no Tapetum here')")
    address = f"127.0.0.1:{free_port()}"
    packages = f"{nothing.parent}{os.pathsep}{environment()['PYTHONPATH']}"
    head = ("--head", "--port", address.rpartition(":")[2], "--include-dashboard=false")
    node = start(*head, PYTHONPATH=packages)
    try:
        wait_until(lambda: answers(address))
        answer = tapetum(*films.command(tmp_path / "out", "--cluster", address))
    finally:
        kill(node)
    assert answer.returncode == 1
    *_, line = answer.stderr.splitlines()
    assert "no machine of the Ray cluster can work; the machine " in line
    assert line.endswith(" is not used: ImportError: no Tapetum here")
    assert answer.stderr.count("ImportError") <= 2


def test_another_ray_is_refused_in_one_line(
    cluster: Nodes, monkeypatch: pytest.MonkeyPatch
) -> None:
    address, _ = cluster
    monkeypatch.setattr(importlib.import_module("ray"), "__version__", "9.9.9")
    with pytest.raises(TapetumError, match=r"cannot be joined: .*9\.9\.9") as caught:
        ClusterCrew(address, {}, folder=None)
    assert "\n" not in str(caught.value)


def test_a_cluster_without_gpus_is_one_line(cluster: Nodes, films: Films, tmp_path: Path) -> None:
    address, _ = cluster
    gpus = ("--cluster", address, "--device", "cuda", "--streams-per-gpu", "2")
    answer = tapetum("enhance", films.folder, tmp_path, *gpus)
    assert answer.returncode == 1
    (line,) = answer.stderr.splitlines()
    assert f":{address.rpartition(':')[2]} has no GPU for workers" in line
    assert not [path for path in tmp_path.iterdir() if "cluster" in path.name]


def test_workers_win_over_a_cluster_of_the_environment(films: Films, tmp_path: Path) -> None:
    source, output = films.folder / "short0.mp4", tmp_path / "a.mp4"
    nobody = {"RAY_ADDRESS": "127.0.0.1:1"}
    answer = tapetum("enhance", source, output, **nobody)
    assert (answer.returncode, answer.stderr.count("\n")) == (1, 1)
    assert "no Ray cluster answers at 127.0.0.1:1 (RAY_ADDRESS)" in answer.stderr
    assert tapetum("enhance", source, output, "--workers", "1", **nobody).returncode == 0
    part = tapetum("enhance", source, tmp_path / "b.mp4", "--start", "0.04", **nobody)
    assert part.returncode == 0, part.stderr


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("127.0.0.1:1", "no Ray cluster answers at 127.0.0.1:1"),
        ("nowhere", "no address of a Ray cluster"),
    ],
)
def test_a_cluster_that_is_not_there_is_one_line(
    address: str, words: str, short_clip: Path, tmp_path: Path
) -> None:
    answer = tapetum("enhance", short_clip, tmp_path / "a.mp4", "--cluster", address)
    assert answer.returncode == 1
    (line,) = answer.stderr.splitlines()
    assert words in line
