"""A Ray cluster of two nodes on this machine: the same films, whoever is killed."""

from __future__ import annotations

import importlib.util
import json
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from support.command_line import environment, tapetum
from support.live_parts import wait_until
from support.media import Clip, make_clip

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


def start(*arguments: str) -> subprocess.Popen[bytes]:
    """A node that ends with its process, and is ready when this returns."""
    return subprocess.Popen(
        [*RAY, "start", "--block", *FEW, *arguments],
        env=environment() | {"RAY_USAGE_STATS_ENABLED": "0"},
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


@pytest.fixture
def cluster() -> Iterator[tuple[str, list[subprocess.Popen[bytes]]]]:
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


def test_films_are_the_same_whoever_is_killed(
    cluster: tuple[str, list[subprocess.Popen[bytes]]], tmp_path: Path, gain_model: Path
) -> None:
    """The other node first, and then the head; the same command goes on without a cluster."""
    address, (head, other) = cluster
    films, one, two = (tmp_path / name for name in ("films", "one", "two"))
    films.mkdir()
    for number in range(5):
        make_clip(films / f"short{number}.mp4", Clip(frames=4 + number))
    make_clip(films / "long.mp4", Clip(frames=900, rate=5, options={"g": "20"}))
    options = ("--model", gain_model, "--always", "--json")
    assert tapetum("enhance", films, one, *options, "--workers", "1").returncode == 0
    driver = subprocess.Popen(
        [*TAPETUM, *map(str, ("enhance", films, two, *options, "--cluster", address))],
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )

    def segments_done(least: int) -> bool:
        return driver.poll() is not None or (
            sum(job.frames for job in unfinished_jobs(two)) >= 150 * least
        )

    wait_until(lambda: segments_done(1))
    kill(other)
    wait_until(lambda: segments_done(3))
    kill(head)
    said, errors = driver.communicate(timeout=100)
    assert driver.returncode != 0, errors
    events = [json.loads(line) for line in said.splitlines()]
    assert {event["event"] for event in events} >= {"progress"}
    again = tapetum("enhance", films, two, *options, "--workers", "1")
    assert again.returncode == 0, again.stderr
    assert {path.name: path.read_bytes() for path in two.glob("*.mp4")} == {
        path.name: path.read_bytes() for path in one.glob("*.mp4")
    }
    result = next(
        event
        for event in map(json.loads, again.stdout.splitlines())
        if event.get("input", "").endswith("long.mp4")
    )
    assert any("continued" in notice for notice in result["notices"])


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
