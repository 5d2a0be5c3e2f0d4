"""What `tapetum doctor` says of GPUs: with no driver, and with a stand-in for one."""

from __future__ import annotations

import json
import re

import pytest
import torch
from support.command_line import ROOT, tapetum
from support.rtx_builds import needs_tensorrt_rtx
from support.this_gpu import has_driver

pytestmark = pytest.mark.slow

Findings = dict[str, dict[str, str]]


def gpu_section(**variables: str) -> Findings:
    answer = tapetum("doctor", "--json", **variables)
    assert answer.returncode == 0, "a machine that lacks a GPU only is healthy"
    sections = json.loads(answer.stdout)["sections"]
    (found,) = (section["findings"] for section in sections if section["title"] == "GPU")
    return {finding["name"]: finding for finding in found}


@pytest.mark.skipif(has_driver(), reason="tells what happens without an NVIDIA driver")
def test_without_a_driver_nothing_of_it_is_a_problem() -> None:
    found = gpu_section()
    assert list(found) == [
        "nvidia driver",
        "cupy",
        "tensorrt",
        "tensorrt-rtx",
        "torch-tensorrt",
        "pytorch",
        "nvdec",
        "nvenc",
    ]
    assert {finding["state"] for finding in found.values()} == {"absent"}
    assert found["nvidia driver"]["value"] == "no NVIDIA driver here; the CPU is used"
    assert found["nvenc"]["value"] == "not here; video is encoded on the CPU"


@needs_tensorrt_rtx
def test_gpus_and_what_supports_them_are_listed(driver: dict[str, str]) -> None:
    found = gpu_section(**driver, FAKE_GPUS="2")
    assert found["nvidia driver"] == {
        "name": "nvidia driver",
        "value": "for CUDA 13.0",
        "state": "ok",
        "remedy": "",
    }
    assert found["cuda:1"]["value"] == "Fake GPU 1, sm_89"
    assert found["tensorrt-rtx"]["state"] == "ok"
    assert found["tensorrt-rtx"]["value"].endswith("; cuda:0, cuda:1")
    assert found["nvdec"]["remedy"].startswith("install the driver's video libraries")
    if not torch.cuda.is_available():
        assert found["pytorch"]["value"].endswith("cannot use cuda:0; install one with CUDA")


@needs_tensorrt_rtx
def test_a_gpu_that_tensorrt_rtx_does_not_support_is_said(driver: dict[str, str]) -> None:
    found = gpu_section(**driver, FAKE_CAPABILITY="90")["tensorrt-rtx"]
    assert found["state"] == "absent"
    assert "does not build for sm_90, only for sm_75" in found["value"]


def test_a_driver_that_is_too_old_is_said(driver: dict[str, str]) -> None:
    found = gpu_section(**driver, FAKE_CUDA="12040")
    assert found["nvidia driver"]["value"] == "for CUDA 12.4"
    assert found["nvidia driver"]["remedy"] == "install an NVIDIA driver for CUDA 13 or newer"


@pytest.mark.needs_cuda
def test_this_gpu_is_listed() -> None:
    found = gpu_section()
    assert found["nvidia driver"]["state"] == "ok"
    assert found["cuda:0"]["value"].partition(", ")[2].startswith("sm_")
    assert found["cupy"]["state"] == "ok"
    assert found["pytorch"]["state"] == "ok"


def test_the_guide_explains_every_line(driver: dict[str, str]) -> None:
    guide = (ROOT / "docs" / "gpu.md").read_text()
    _, _, after = guide.partition("## How to read `tapetum doctor`")
    explained = re.findall(r"`([^`]+)`", "".join(re.findall(r"^\| (.*?) \|", after, re.MULTILINE)))
    assert set(gpu_section(**driver)) <= set(explained)
