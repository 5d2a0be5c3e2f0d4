"""Engines that cannot be used again: they are built anew, and the reason is said."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from support.rtx_builds import SM89, needs_tensorrt_rtx
from support.this_gpu import tensorrt_here

from tapetum.trt_build import EngineCache, EngineFile, EngineIdentity, EngineRequest, build_engine
from tapetum.trt_build.engine import BuildStart
from tapetum.trt_build.engine_cache import manifest_path, read_engine, write_engine
from tapetum.trt_build.manifest import Manifest
from tapetum.trt_build.profile import Profile

pytestmark = pytest.mark.slow

SIZES = Profile(*[(16, 16)] * 3)
IDENTITY = EngineIdentity("0" * 64, "tensorrt", "11.0", "NVIDIA L4", "sm_89", SIZES)


def flip_a_byte(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def lose(path: Path) -> None:
    path.unlink()


def forget_manifest(path: Path) -> None:
    manifest_path(path).unlink()


def break_manifest(path: Path) -> None:
    manifest_path(path).write_text(manifest_path(path).read_text()[:-9])


def age_manifest(path: Path) -> None:
    fields = json.loads(manifest_path(path).read_text())
    fields["identity"]["recipe"] = 0
    manifest_path(path).write_text(json.dumps(fields))


@needs_tensorrt_rtx
@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (flip_a_byte, "{engine} was cut or changed after it was built"),
        (cut, "{engine} was cut or changed after it was built"),
        (lose, "{engine} cannot be read (No such file or directory)"),
        (forget_manifest, "{engine}.json cannot be read (No such file or directory)"),
        (break_manifest, "{engine}.json is not a whole manifest"),
        (age_manifest, "{engine}.json is of another engine"),
    ],
)
def test_a_broken_or_stale_engine_is_built_anew_and_the_reason_said(
    damage: Callable[[Path], None], reason: str, grid_engine: EngineFile, engine_cache: EngineCache
) -> None:
    damage(grid_engine.path)
    started: list[BuildStart] = []
    again = build_engine("grid", SM89, cache=engine_cache, on_start=started.append)
    assert not again.reused
    assert [start.reason for start in started] == [reason.format(engine=grid_engine.path)]
    assert read_engine(again.path).manifest == again.manifest
    assert build_engine("grid", SM89, cache=engine_cache).reused


@pytest.mark.parametrize(
    ("kept", "reason"),
    [
        ({"runtime_version": "10.16"}, "the one kept is of tensorrt 10.16"),
        ({"gpu": "NVIDIA A100", "target": "sm_80"}, "the one kept is for NVIDIA A100, sm_80"),
        ({"recipe": 0}, "the one kept was made in another way"),
        ({"runtime": "tensorrt-rtx"}, None),
        ({"gpu": None}, None),
        ({"model_sha256": "1" * 64}, None),
        ({"profile": Profile((16, 16), (16, 16), (32, 32))}, None),
    ],
    ids=str,
)
def test_an_engine_of_another_version_or_gpu_is_the_reason_for_a_build(
    kept: dict[str, object], reason: str | None, engine_cache: EngineCache
) -> None:
    other = replace(IDENTITY, **kept)  # type: ignore[arg-type]
    plan = b"engine"
    digest = hashlib.sha256(plan).hexdigest()
    manifest = Manifest(other, "unet", "unet", (), digest, 6, "2026-01-01", None, 45.0)
    write_engine(engine_cache.path(other), plan, manifest)
    assert engine_cache.find(IDENTITY) is None
    assert engine_cache.difference(IDENTITY) == reason


def test_targets_that_are_named_are_no_reasons_for_each_other() -> None:
    named = replace(IDENTITY, gpu=None)
    assert named.difference(replace(named, target="sm_86")) is None
    older = replace(named, runtime_version="10.16")
    assert named.difference(older) == "the one kept is of tensorrt 10.16"


def test_the_reason_is_a_part_of_the_line() -> None:
    line = str(BuildStart("unet", IDENTITY, "it was cut"))
    assert line == "unet 16x16 for NVIDIA L4, sm_89 with tensorrt 11.0 fp16, anew: it was cut"


@pytest.mark.needs_cuda
def test_an_engine_that_does_not_load_is_built_anew(engine_cache: EngineCache) -> None:
    """What its manifest says of it is right, but TensorRT refuses it."""
    request = EngineRequest(runtime=tensorrt_here().name)
    engine = build_engine("grid", request, cache=engine_cache)
    plan = engine.path.read_bytes()[:-1000]
    digest = hashlib.sha256(plan).hexdigest()
    write_engine(engine.path, plan, replace(engine.manifest, engine_sha256=digest))
    started: list[BuildStart] = []
    again = build_engine("grid", request, cache=engine_cache, on_start=started.append)
    assert not again.reused
    assert "does not load the engine: " in str(started[0].reason)
    assert build_engine("grid", request, cache=engine_cache).reused
