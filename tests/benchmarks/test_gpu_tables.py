"""docs/gpu.md: its tables, made of files; and the targets, held against made-up figures."""

from __future__ import annotations

import json
import shutil
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from support.command_line import ROOT

from tapetum.benchmarks.documents.gpu import (
    TARGETS,
    beyond_engine_percent,
    floor_percent,
    tables,
    write_tables,
)
from tapetum.benchmarks.gpu.card import (
    SCHEMA,
    add_part,
    file_name,
    new_result,
    read_result,
)
from tapetum.benchmarks.measure.errors import BenchmarkError
from tapetum.benchmarks.measure.files import write_json
from tapetum.benchmarks.measure.machine import machine

GPU = {
    "name": "Made-up GPU",
    "compute_capability": "9.9",
    "memory_mb": 24576,
    "driver": "580.1",
    "driver_cuda": "13.0",
}
READING = dict.fromkeys(
    (
        "temperature_c",
        "power_w",
        "sm_clock_mhz",
        "memory_clock_mhz",
        "memory_used_mb",
        "throttle_reasons",
    )
)
FIGURES: dict[str, Any] = {
    "ceilings": {
        "copied_bytes": 1 << 31,
        "copy_bytes_per_s": 1e12,
        "matrix": 8192,
        "fp16_flops_per_s": 2e14,
    },
    "kernels": [
        {
            "kernel": kernel,
            "format": "nv12",
            "size": "3840x2160",
            "moved_bytes": 10**7,
            "inputs": 8,
            "steady": True,
            "p50_ms": 0.0125,
            "p99_ms": 0.013,
            "bytes_per_s": bytes_per_s,
        }
        for kernel, bytes_per_s in (("planes_to_rgb", 8e11), ("apply_grid", 9e11))
    ],
    "networks": [
        {
            "network": "unet",
            "size": "1920x1080",
            "backend": backend,
            "runs_on": f"cuda:0, {backend}",
            "psnr_db": 60.0,
            "steady": True,
            "p50_ms": p50_ms,
            "p99_ms": p50_ms + 1,
            "floor_ms": 5.0,
        }
        for backend, p50_ms in (("tensorrt", 14.0), ("tensorrt-rtx", 12.5), ("torch-compile", 25.0))
    ]
    + [
        {
            "network": "unet",
            "size": "3840x2160",
            "backend": "tensorrt",
            "error": "not enough memory",
        }
    ],
    "pipeline": [
        {
            "network": network,
            "size": size,
            "runs_on": f"{network} on cuda:0, tensorrt-rtx",
            "decoder": "NVDEC",
            "decode_ms": 1.0,
            "device_ms": 13.7,
            "frame_ms": 0.8,
            "fps": 70.0,
            "memory_mb": 1500,
        }
        for network, size in (("unet", "1920x1080"), ("grid", "3840x2160"))
    ],
    "codecs": [
        {
            "direction": "decode",
            "codec": "h264",
            "size": "1920x1080",
            "unit": "NVDEC",
            "fps": 900.0,
        },
        {
            "direction": "encode",
            "codec": "av1",
            "size": "1920x1080",
            "unit": "NVENC",
            "error": "has none",
        },
    ],
    "training": {
        "recipe": "enlightengan",
        "settings": {},
        "steps": 38,
        "step_s": 0.2,
        "photos_per_s": 160.0,
    },
}


@pytest.fixture
def card() -> dict[str, Any]:
    part = {
        "command": "python -m tapetum.benchmarks gpu measure",
        "measured": "2026-01-02T03:04:05+00:00",
        "gpu": GPU,
        "machine": machine(),
        "libraries": {"torch": "2.13.0"},
        "reading": {"before": READING, "after": READING},
    }
    made = new_result(GPU)
    made["parts"] = {name: part | {"figures": deepcopy(FIGURES[name])} for name in FIGURES}
    return made


def test_a_file_is_as_the_schema_says(card: dict[str, Any], tmp_path: Path) -> None:
    path = tmp_path / file_name(GPU["name"])  # type: ignore[arg-type]
    assert path.name == "gpu-made-up-gpu.json"
    write_json(card, path)
    Draft202012Validator(json.loads(SCHEMA.read_text())).validate(read_result(path))
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]


@pytest.mark.parametrize("text", ["", "[]", '{"schema_version": 0}'])
def test_what_is_no_file_of_this_version_is_one_line(text: str, tmp_path: Path) -> None:
    path = tmp_path / "gpu-x.json"
    path.write_text(text)
    with pytest.raises(BenchmarkError, match="measure again"):
        read_result(path)
    with pytest.raises(BenchmarkError, match="cannot be read"):
        read_result(tmp_path / "none.json")


def test_a_part_may_be_measured_in_several_commands(card: dict[str, Any]) -> None:
    before = deepcopy(card["parts"]["networks"])
    first, *others = before["figures"]
    again = before | {"command": "measure networks", "figures": [first | {"p50_ms": 1.0}]}
    add_part(card, "networks", again)
    part = card["parts"]["networks"]
    assert part["figures"] == [*others, first | {"p50_ms": 1.0}]
    assert part["command"] == f"{before['command']} && measure networks"
    Draft202012Validator(json.loads(SCHEMA.read_text())).validate(card)


def test_rows_of_another_driver_or_library_are_dropped(card: dict[str, Any]) -> None:
    before = deepcopy(card["parts"]["networks"])
    row = before["figures"][0]
    again = before | {"libraries": {"torch": "9.9"}, "figures": [row]}
    add_part(card, "networks", again)
    assert card["parts"]["networks"] == again
    assert len(before["figures"]) > 1
    newer = card["parts"]["ceilings"] | {"measured": "2030-01-01T00:00:00+00:00"}
    add_part(card, "ceilings", newer)
    assert card["parts"]["ceilings"] == newer


def test_targets_are_held_against_the_figures(card: dict[str, Any]) -> None:
    values = [target.figure(card) for target in TARGETS]
    assert values == pytest.approx([80, 2.5, 0.5, 9.6, 1250, 1500])
    assert [target.cell(card) for target in TARGETS] == [
        "80, met",
        "2.5, met",
        "0.5, met",
        "9.6, met",
        "1250, met",
        "1500, met",
    ]
    card["parts"]["ceilings"]["figures"]["copy_bytes_per_s"] = 1.001e12
    card["parts"]["pipeline"]["figures"][0]["memory_mb"] = 2049
    assert TARGETS[0].cell(card) == "79.92, missed"
    assert TARGETS[5].cell(card) == "2049, missed"


def test_a_kernel_s_floor_is_its_bytes_or_its_instructions() -> None:
    kernel = {"moved_bytes": 10**7, "instructions": 5 * 10**8, "p50_ms": 0.02}
    assert floor_percent(kernel, {"copy_bytes_per_s": 1e12}) == pytest.approx(50)
    slow = {"copy_bytes_per_s": 1e12, "fp32_flops_per_s": 6.25e13}
    assert floor_percent(kernel, slow) == pytest.approx(80)
    quick = {"copy_bytes_per_s": 1e12, "fp32_flops_per_s": 2e14}
    assert floor_percent(kernel, quick) == pytest.approx(50)


def test_what_a_target_takes_may_be_missing(card: dict[str, Any]) -> None:
    for part in ("ceilings", "networks", "pipeline"):
        del card["parts"][part]
    assert {target.figure(card) for target in TARGETS} == {None}


def test_time_beyond_the_engine_needs_the_same_engine(card: dict[str, Any]) -> None:
    unet, grid = card["parts"]["pipeline"]["figures"]
    assert beyond_engine_percent(card, unet) == pytest.approx(9.6)
    assert beyond_engine_percent(card, grid) is None
    unet["runs_on"] = "unet on cuda:0, another"
    assert beyond_engine_percent(card, unet) is None


def test_tables_have_a_column_for_each_card(card: dict[str, Any], tmp_path: Path) -> None:
    write_json(card, tmp_path / "gpu-a.json")
    card["gpu"] = GPU | {"name": "Another"}
    card["parts"] = {}
    write_json(card, tmp_path / "gpu-b.json")
    lines = tables(tmp_path).splitlines()
    for line in (
        "| what | Made-up GPU | Another |",
        "| memory | 24 GiB | 24 GiB |",
        "| `planes_to_rgb`, nv12, 3840x2160 | 12.5 us, 80 % | not measured |",
        "| `unet`, 1920x1080, tensorrt | 14 ms, 15 ms, 2.8x | not measured |",
        "| `unet`, 3840x2160, tensorrt | no figure: not enough memory | not measured |",
        "| encode av1, 1920x1080, NVENC | no figure: has none | not measured |",
        "| decode h264, 1920x1080, NVDEC | 900 | not measured |",
        "| `unet`, batch 32, crops of 320, bf16, compiled | 160 photos/s, 0.2 s a step |"
        " not measured |",
    ):
        assert line in lines
    assert any("70 fps; decoding 1 ms, enhancing 13.7 ms, 10 % of it beyond" in x for x in lines)


def test_without_a_card_nothing_is_measured(tmp_path: Path) -> None:
    rows = [line for line in tables(tmp_path).splitlines() if line.startswith("| ")]
    rows = [line for line in rows if not line.startswith(("| what", "| ---"))]
    assert len(rows) > 80
    assert all(line.endswith("| not measured |") for line in rows)


def test_the_document_is_in_step_with_the_results(tmp_path: Path) -> None:
    document = ROOT / "docs" / "gpu.md"
    copy = Path(shutil.copy(document, tmp_path))
    write_tables(ROOT / "benchmarks" / "results", copy)
    assert copy.read_text() == document.read_text(), "run python -m tapetum.benchmarks gpu document"
    copy.write_text("no marks")
    with pytest.raises(BenchmarkError, match=r"gpu\.md has no"):
        write_tables(tmp_path, copy)
