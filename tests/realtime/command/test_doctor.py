"""What `tapetum doctor` finds, and how versions are held against requirements."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest
from support.command_line import environment, tapetum

from tapetum.gan.machine import usable_cores
from tapetum.realtime.command.finding import Diagnosis, Finding, Section
from tapetum.realtime.command.requirements import (
    Requirement,
    fits,
    one_for_each_package,
    parsed,
)

pytestmark = pytest.mark.slow


def findings(shown: str) -> dict[str, dict[str, str]]:
    sections = json.loads(shown)["sections"]
    return {found["name"]: found for section in sections for found in section["findings"]}


def test_a_machine_that_passes_these_tests_is_healthy() -> None:
    answer = tapetum("doctor", "--json")
    assert answer.returncode == 0, answer.stdout
    assert json.loads(answer.stdout)["healthy"] is True
    found = findings(answer.stdout)
    for name in ("python", "av", "numpy", "openvino", "numba", "cpu", "memory", "ffmpeg"):
        assert found[name]["state"] == "ok", found[name]
    assert "CPU" in found["openvino devices"]["value"]
    assert "ms a frame" in found["grid"]["value"]
    assert "libx264" in found["encoders"]["value"]
    assert found["cores"]["value"].startswith(f"{usable_cores()} usable")


def test_the_text_says_the_same() -> None:
    answer = tapetum("doctor")
    assert answer.returncode == 0
    assert "tapetum enhance works on this machine" in answer.stdout
    assert "Software" in answer.stdout
    assert "grid" in answer.stdout


def test_a_wrong_version_is_named_with_its_remedy(tmp_path: Path) -> None:
    metadata = tmp_path / "numba-0.1.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: numba\nVersion: 0.1\n")
    paths = os.pathsep.join([str(tmp_path), environment()["PYTHONPATH"]])
    answer = tapetum("doctor", "--json", PYTHONPATH=paths)
    assert answer.returncode == 1
    numba = findings(answer.stdout)["numba"]
    assert numba["state"] == "problem"
    assert numba["value"].startswith("0.1; needed >=")
    assert numba["remedy"].startswith("pip install 'numba>=")


def test_only_problems_make_a_machine_unhealthy() -> None:
    absent = Finding("gpu", "none", "absent")
    assert Diagnosis((Section("a", (absent,)),)).healthy
    assert not Diagnosis((Section("a", (absent, Finding("x", "broken", "problem"))),)).healthy


@pytest.mark.parametrize(
    ("installed", "wanted", "expected"),
    [
        ("18.1.0", ">=18.1,<20", True),
        ("18.0.9", ">=18.1,<20", False),
        ("20.0.0", ">=18.1,<20", False),
        ("20", "<20.0", False),
        ("2.13.0+cpu", "==2.13.0", True),
        ("2.13.1", "!=2.13.0", True),
        ("1.4.9", "~=1.4.2", True),
        ("1.5.0", "~=1.4.2", False),
        ("3.0rc1", ">2.9", True),
        ("0.1", "<=0.1.0", True),
        ("5", "", True),
    ],
)
def test_versions_fit_clauses(installed: str, wanted: str, expected: bool) -> None:
    assert fits(installed, wanted) is expected


def test_a_package_is_filed_under_the_extra_that_a_person_would_install() -> None:
    train = [Requirement(name, "", "train") for name in ("torch", "safetensors")]
    others = [
        Requirement("numpy", "", None),
        *(Requirement(name, "", "torch-tensorrt") for name in ("torch", "safetensors", "trt")),
        *(Requirement(name, "", "dev") for name in ("torch", "pytest")),
    ]
    for needed in (train + others, others + train):
        found = {each.name: each.extra for each in one_for_each_package(needed)}
        assert found == {"torch": "train", "safetensors": "train", "trt": "torch-tensorrt"}


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("numpy>=1.26", [("numpy", ">=1.26", None)]),
        ("av<20,>=18.1", [("av", "<20,>=18.1", None)]),
        (f"here>=1; sys_platform == '{sys.platform}'", [("here", ">=1", None)]),
        ("elsewhere; sys_platform == 'none'", []),
        ("torch>=2.11; extra == 'train'", [("torch", ">=2.11", "train")]),
        ("cv[gpu]; extra == 'live' or extra == 'train'", [("cv", "", "live"), ("cv", "", "train")]),
    ],
)
def test_a_requirement_counts_where_its_marker_says_so(
    line: str, expected: list[tuple[str, str, str | None]]
) -> None:
    found = parsed(line, ["live", "train"])
    assert [(each.name, each.wanted, each.extra) for each in found] == expected


def test_a_package_that_is_not_there_is_not_met() -> None:
    missing = Requirement("no-such-package-of-anyone", ">=1", None)
    assert missing.installed is None
    assert not missing.met
