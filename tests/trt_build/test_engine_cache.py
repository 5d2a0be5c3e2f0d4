"""Engines that are kept: what makes two the same, and what is done about broken ones."""

from __future__ import annotations

import errno
import fcntl
import threading
import time
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
from support.rtx_builds import SM89, needs_tensorrt_rtx
from support.this_gpu import tensorrt_here

from tapetum.gan.build_cache import cache_folder
from tapetum.gan.errors import DeviceError, EngineError, ModelError
from tapetum.gan.model import find_model
from tapetum.gan.weights import weights_path
from tapetum.gan.whole_file import write_whole
from tapetum.trt_build import EngineCache, EngineFile, EngineIdentity, EngineRequest, build_engine
from tapetum.trt_build.dark_frame import dark_frame
from tapetum.trt_build.engine import BuildStart
from tapetum.trt_build.engine_cache import (
    manifest_path,
    read_engine,
)
from tapetum.trt_build.manifest import Manifest
from tapetum.trt_build.network_source import read_network
from tapetum.trt_build.profile import Profile
from tapetum.trt_build.verification import lowest_psnr_db, reference_output, run_engine

pytestmark = pytest.mark.slow

IDENTITY = EngineIdentity("0" * 64, "tensorrt", "11.0", None, "sm_89", Profile(*[(16, 16)] * 3))


def names(folder: Path) -> list[str]:
    return sorted(path.suffix for path in folder.iterdir())


@pytest.mark.parametrize(
    "change",
    [
        {"model_sha256": "1" * 64},
        {"runtime": "tensorrt-rtx"},
        {"runtime_version": "11.1"},
        {"gpu": "NVIDIA L4"},
        {"target": "sm_86"},
        {"profile": Profile((16, 16), (16, 16), (32, 32))},
        {"precision": "fp32"},
        {"recipe": 0},
    ],
    ids=lambda change: next(iter(change)),
)
def test_whatever_decides_an_engine_changes_its_key(change: dict[str, object]) -> None:
    assert replace(IDENTITY, **change).key != IDENTITY.key  # type: ignore[arg-type]
    assert replace(IDENTITY).key == IDENTITY.key


def test_a_manifest_survives_its_file() -> None:
    manifest = Manifest(IDENTITY, "grid", "grid", ("exp",), "2" * 64, 7, "2026-01-01", 61.5, 45.0)
    assert Manifest.from_json(manifest.to_json()) == manifest


@pytest.mark.parametrize("text", ["", "{}", "[1]", '{"identity": {"profile": {}}}', "null"])
def test_what_is_no_manifest_is_a_value_error(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        Manifest.from_json(text)


def test_the_cache_lies_where_the_environment_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TAPETUM_CACHE", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", "/x")
    assert cache_folder() == Path("/x/tapetum/engines")
    monkeypatch.setenv("TAPETUM_CACHE", "/y")
    assert cache_folder() == Path("/y")


def test_a_user_without_a_home_is_told_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    def nowhere() -> Path:
        raise RuntimeError("Could not determine home directory.")

    for name in ("TAPETUM_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(Path, "home", nowhere)
    with pytest.raises(EngineError, match=r"no home folder .*; name a folder in TAPETUM_CACHE"):
        EngineCache()


def test_a_file_system_without_locks_is_one_line(
    engine_cache: EngineCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_file: object, _operation: int) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", refuse)
    with (
        pytest.raises(EngineError, match=r"\.lock cannot be locked \(No locks available\); name"),
        engine_cache.lock(IDENTITY),
    ):
        pytest.fail("it is not locked")


def test_threads_that_write_one_file_do_not_disturb_each_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second writes all of it between the first's writing and renaming."""
    replace_file, others = Path.replace, [b"second"]

    def interrupted(unfinished: Path, target: Path) -> Path:
        if others:
            write_whole(target, others.pop())
        return replace_file(unfinished, target)

    monkeypatch.setattr(Path, "replace", interrupted)
    write_whole(tmp_path / "x.kernels", b"first")
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [b"first"]


@pytest.mark.parametrize("name", ["stale.engine.json", "stale.engine"])
def test_what_cannot_be_removed_is_one_line(name: str, engine_cache: EngineCache) -> None:
    (engine_cache.folder / "stale.engine").touch()
    (engine_cache.folder / name).unlink(missing_ok=True)
    (engine_cache.folder / name).mkdir()  # not even root unlinks a folder
    with pytest.raises(EngineError, match=rf"cannot remove .*{name} \(.*\); check its owner"):
        engine_cache.prune(set())


def test_a_cache_that_cannot_be_made_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(EngineError, match=r"cannot make the engine cache .* TAPETUM_CACHE"):
        EngineCache(tmp_path / "file" / "engines")


def test_timings_are_kept_for_each_runtime_and_gpu(engine_cache: EngineCache) -> None:
    engine_cache.keep_timings(IDENTITY, b"timings")
    engine_cache.keep_timings(replace(IDENTITY, target="sm_90"), b"")
    other_model = replace(IDENTITY, model_sha256="1" * 64)
    assert engine_cache.timings(other_model) == b"timings"
    assert engine_cache.timings(replace(IDENTITY, gpu="NVIDIA L4")) == b""
    assert engine_cache.timings(replace(IDENTITY, target="sm_90")) == b""


@needs_tensorrt_rtx
def test_an_engine_says_what_it_is(grid_engine: EngineFile, engine_cache: EngineCache) -> None:
    manifest = grid_engine.manifest
    assert not grid_engine.reused
    assert grid_engine.path == engine_cache.path(manifest.identity)
    assert (manifest.model, manifest.generator, manifest.float32_layers) == ("grid", "grid", ())
    assert (manifest.identity.gpu, manifest.identity.target) == (None, "sm_89")
    assert manifest.size_bytes == grid_engine.path.stat().st_size
    assert manifest.psnr_db is None, "no one has run it"
    assert names(engine_cache.folder) == [".engine", ".json", ".lock"]


@needs_tensorrt_rtx
def test_a_second_build_finds_the_first(grid_engine: EngineFile, engine_cache: EngineCache) -> None:
    started: list[BuildStart] = []
    again = build_engine("grid", SM89, cache=engine_cache, on_start=started.append)
    assert again.reused
    assert again.manifest == grid_engine.manifest
    assert started == []


@needs_tensorrt_rtx
def test_another_target_or_model_is_another_engine(
    grid_engine: EngineFile, engine_cache: EngineCache, gain_model: Path
) -> None:
    for model, target in (("grid", "sm_86"), (str(gain_model), "sm_89")):
        other = build_engine(model, replace(SM89, target=target), cache=engine_cache)
        assert not other.reused
        assert other.path != grid_engine.path


@needs_tensorrt_rtx
def test_pruning_removes_what_nothing_here_can_use(
    grid_engine: EngineFile, engine_cache: EngineCache
) -> None:
    broken = engine_cache.folder / "without-manifest.engine"
    broken.write_bytes(b"?")
    (_, whole), (_, wrong) = engine_cache.engines()
    assert whole == read_engine(grid_engine.path)
    assert str(wrong).startswith(f"{broken}.json cannot be read")
    here = {("tensorrt-rtx", grid_engine.manifest.identity.runtime_version)}
    assert engine_cache.prune(here) == [broken]
    assert grid_engine.path.exists()
    assert engine_cache.prune({("tensorrt-rtx", "9.9")}) == [grid_engine.path]
    assert engine_cache.engines() == []
    assert not manifest_path(grid_engine.path).exists()


@needs_tensorrt_rtx
def test_an_output_is_the_engine_and_its_manifest(
    grid_engine: EngineFile, engine_cache: EngineCache, tmp_path: Path
) -> None:
    output = tmp_path / "grid_sm89.engine"
    written = build_engine("grid", SM89, cache=engine_cache, output=output)
    assert written.path == output
    assert output.read_bytes() == grid_engine.path.read_bytes()
    assert read_engine(output).manifest == grid_engine.manifest


def test_an_output_that_cannot_be_is_refused_before_the_build(engine_cache: EngineCache) -> None:
    with pytest.raises(EngineError, match=r"folder .*nowhere does not exist"):
        build_engine(
            "grid", SM89, cache=engine_cache, output=engine_cache.folder / "nowhere" / "x.engine"
        )
    with pytest.raises(EngineError, match=r"engines is a folder; name a file in it"):
        build_engine("grid", SM89, cache=engine_cache, output=engine_cache.folder)


@pytest.mark.parametrize(
    ("model", "message"),
    [
        ("nope", "unknown model nope: choose grid, unet"),
        ("model.txt", "unknown model model.txt: choose"),
        ("model.onnx", "model.onnx does not exist"),
    ],
)
def test_a_model_that_is_not_there(model: str, message: str, engine_cache: EngineCache) -> None:
    with pytest.raises(ModelError, match=message):
        build_engine(model, SM89, cache=engine_cache)


@needs_tensorrt_rtx
def test_a_file_that_is_no_network(engine_cache: EngineCache, tmp_path: Path) -> None:
    path = tmp_path / "broken.onnx"
    path.write_bytes(weights_path("grid").read_bytes()[:1000])
    with pytest.raises(ModelError, match=r"broken\.onnx is not an ONNX model"):
        build_engine(path, SM89, cache=engine_cache)
    assert engine_cache.engines() == []


@needs_tensorrt_rtx
@pytest.mark.parametrize("target", ["ada", "sm_", "89"])
def test_a_target_is_a_compute_capability(target: str, engine_cache: EngineCache) -> None:
    with pytest.raises(DeviceError, match="write it like sm_89"):
        build_engine("grid", replace(SM89, target=target), cache=engine_cache)


@needs_tensorrt_rtx
def test_a_grid_has_no_frame_size(engine_cache: EngineCache) -> None:
    with pytest.raises(ModelError, match="serves every video size"):
        build_engine("grid", replace(SM89, size=(720, 1280)), cache=engine_cache)


@pytest.mark.needs_cuda
def test_an_engine_for_this_gpu_is_verified(engine_cache: EngineCache) -> None:
    request = EngineRequest(runtime=tensorrt_here().name)
    manifest = build_engine("grid", request, cache=engine_cache).manifest
    assert manifest.identity.gpu is not None
    assert manifest.psnr_db is not None
    assert manifest.psnr_db >= manifest.psnr_floor_db


@pytest.mark.needs_cuda
def test_a_dynamic_engine_is_verified_at_every_size(engine_cache: EngineCache) -> None:
    flavour = tensorrt_here()
    request = EngineRequest((64, 96), (32, 32), (128, 128), runtime=flavour.name)
    engine = build_engine("unet", request, cache=engine_cache)
    sizes = engine.manifest.identity.profile.sizes
    assert len(sizes) == 3
    pictures = [dark_frame("unet", size) for size in sizes]
    outputs = run_engine(engine.path.read_bytes(), flavour, 0, pictures)
    network = read_network(find_model("unet"))
    lowest_db = lowest_psnr_db(pictures, outputs, partial(reference_output, network))
    assert engine.manifest.psnr_db == pytest.approx(lowest_db, abs=1)


def test_who_waits_for_another_build_says_so(
    engine_cache: EngineCache, caplog: pytest.LogCaptureFixture
) -> None:
    def wait() -> None:
        with engine_cache.lock(IDENTITY):
            pass

    second = threading.Thread(target=wait)
    with engine_cache.lock(IDENTITY):
        second.start()
        while not caplog.messages and second.is_alive():
            time.sleep(0.01)
    second.join()
    assert caplog.messages == ["another process builds this engine; waiting for it"]
