"""Stages of first contact on a simulated GPU for which its networks are slow: with tiny pictures.

The others are in `test_first_contact`. Their figures are of main memory and g++, and mean nothing.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from support.command_line import ROOT, environment
from support.fake_driver import fake_driver

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def driver() -> dict[str, str]:
    """The environment of a process that finds stand-ins for NVIDIA's libraries."""
    return fake_driver(codecs=True)


def stage(driver: dict[str, str], *arguments: object) -> str:
    """What a stage's process writes."""
    paths = os.pathsep.join([str(ROOT / "tests"), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        [sys.executable, "-m", "support.simulated_stage", "-m", *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        timeout=280,
        env=environment() | driver | {"PYTHONPATH": paths},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_networks_are_measured_in_eager_and_as_graphs(
    driver: dict[str, str], tmp_path: Path
) -> None:
    backends = "pytorch-eager", "pytorch-cuda-graph"
    given = [word for name in backends for word in ("--backend", name)]
    parts = "ceilings", "networks"
    measure = ("tapetum.benchmarks", "gpu", "measure", *parts, "--size", "32x32", *given)
    stage(driver, *measure, "--results", tmp_path)
    (path,) = tmp_path.iterdir()
    rows: list[dict[str, Any]] = json.loads(path.read_text())["parts"]["networks"]["figures"]
    assert [(row["network"], row["backend"]) for row in rows] == [
        (network, backend) for network in ("unet", "grid") for backend in backends
    ]
    for row in rows:
        assert "error" not in row
        assert row["psnr_db"] > 40
        assert row["p50_ms"] > 0


def test_live_video_comes_from_the_gpu(driver: dict[str, str]) -> None:
    """As in `first_contact`, but small and in no hurry; `unet` would be late all the same."""
    camera = ("--source", "lavfi:testsrc2=size=96x64:rate=60", "--sink", "null")
    patient = ("--latency-budget", "10s", "--duration", "20s")
    options = ("--model", "grid", "--device", "cuda", *patient, "--json")
    said = json.loads(stage(driver, "tapetum.realtime", "live", *camera, *options))
    assert said["modes"]["grid on cuda"] > 0
