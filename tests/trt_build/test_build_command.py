"""`tapetum build`, as a person and a program use it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path

import pytest
from support.command_line import environment, tapetum
from support.engine_networks import overflowing_network, trained_looking_unet
from support.rtx_builds import needs_tensorrt_rtx
from support.this_gpu import has_driver

from tapetum.gan import export_onnx, save_generator
from tapetum.trt_build.profile import parse_size, size_text, unet_profile

pytestmark = pytest.mark.slow

TARGET = ("--target", "sm_89")


@pytest.fixture
def cache(tmp_path: Path) -> str:
    return str(tmp_path / "engines")


@needs_tensorrt_rtx
def test_building_says_what_is_built_where_and_what_came_out(cache: str) -> None:
    first = tapetum("build", "grid", *TARGET, "--runtime", "tensorrt-rtx", TAPETUM_CACHE=cache)
    assert first.returncode == 0, first.stderr
    assert first.stderr.startswith("building grid 256x256 for sm_89 with tensorrt-rtx ")
    assert first.stdout.endswith("MB, not verified yet\n")
    again = tapetum("build", "grid", *TARGET, "--runtime", "tensorrt-rtx", TAPETUM_CACHE=cache)
    assert again.stderr == ""
    assert ".engine: built before, " in again.stdout
    listed = tapetum("build", "--list", TAPETUM_CACHE=cache).stdout
    assert "grid 256x256 fp16, any GPU of sm_89, tensorrt-rtx " in listed


@needs_tensorrt_rtx
@pytest.mark.parametrize(
    ("option", "profile"),
    [("--max-size", [[192, 320]] * 3), ("--min-size", [[192, 320], [1088, 1920], [1088, 1920]])],
)
def test_the_unet_that_ships_is_built(cache: str, option: str, profile: list[list[int]]) -> None:
    answer = tapetum("build", "unet", option, "320x180", *TARGET, "--json", TAPETUM_CACHE=cache)
    assert answer.returncode == 0, answer.stderr
    manifest = json.loads(answer.stdout)
    assert (manifest["model"], manifest["generator"]) == ("unet", "unet")
    assert list(manifest["identity"]["profile"].values()) == profile
    assert manifest["float32_layers"] == []


@needs_tensorrt_rtx
def test_json_is_the_manifest(cache: str, tmp_path: Path) -> None:
    output = tmp_path / "grid.engine"
    answer = tapetum("build", "grid", *TARGET, "--json", "-o", output, TAPETUM_CACHE=cache)
    assert json.loads(answer.stdout) == json.loads((tmp_path / "grid.engine.json").read_text())


@needs_tensorrt_rtx
def test_a_checkpoint_is_built_for_a_range_of_sizes(cache: str, tmp_path: Path) -> None:
    checkpoint = tmp_path / "unet.safetensors"
    save_generator(trained_looking_unet(), checkpoint)
    sizes = ("--min-size", "320x180", "--size", "640x360", "--max-size", "1280x720")
    answer = tapetum("build", checkpoint, *sizes, *TARGET, "--json", TAPETUM_CACHE=cache)
    manifest = json.loads(answer.stdout)
    assert manifest["generator"] == "unet"
    expected = {"smallest": [192, 320], "best": [368, 640], "largest": [720, 1280]}
    assert manifest["identity"]["profile"] == expected


@pytest.mark.parametrize("model", ["grid", "unet"])
def test_the_layers_of_what_ships_are_compared(model: str, cache: str) -> None:
    shown = tapetum("build", model, "--layers", TAPETUM_CACHE=cache)
    assert shown.returncode == 0, shown.stderr
    assert {line.split()[-1] for line in shown.stdout.splitlines()[1:]} == {"float16"}


def test_layers_are_compared_one_a_line(cache: str, tmp_path: Path) -> None:
    overflowing = tmp_path / "overflowing.onnx"
    overflowing.write_bytes(overflowing_network().SerializeToString())
    shown = tapetum("build", overflowing, "--layers", TAPETUM_CACHE=cache).stdout.splitlines()
    names, operators, *_, precisions = zip(*(line.split() for line in shown[1:]), strict=True)
    assert names == ("bright", "halved", "dim", "enhanced")
    assert operators == ("Mul", "Mul", "Mul", "Add")
    assert precisions == ("float32", "float32", "float32", "float16")
    assert "-inf" in shown[1]
    assert list(Path(cache).iterdir()) == []


@needs_tensorrt_rtx
def test_pruning_says_what_it_removed(tmp_path: Path) -> None:
    broken = tmp_path / "broken.engine"
    broken.touch()
    listed = tapetum("build", "--list", TAPETUM_CACHE=str(tmp_path))
    missing = f"{broken}.json cannot be read (No such file or directory)"
    assert listed.stdout == f"{broken}: will be built anew: {missing}\n"
    pruned = tapetum("build", "--prune", TAPETUM_CACHE=str(tmp_path))
    assert pruned.stderr == f"removed {broken}\n"
    assert list(tmp_path.iterdir()) == []


@needs_tensorrt_rtx
def test_two_processes_build_once(cache: str) -> None:
    command = [sys.executable, "-m", "tapetum.realtime", "build", "grid", *TARGET]
    variables = environment() | {"TAPETUM_CACHE": cache}
    both = [
        subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=variables
        )
        for _ in range(2)
    ]
    answers = [process.communicate(timeout=120) for process in both]
    assert [process.returncode for process in both] == [0, 0]
    assert sum("building grid" in errors for _, errors in answers) == 1
    assert sum("built before" in output for output, _ in answers) == 1


@needs_tensorrt_rtx
def test_ctrl_c_leaves_nothing(cache: str, tmp_path: Path) -> None:
    model = tmp_path / "unet.onnx"
    export_onnx(trained_looking_unet(), model)
    process = subprocess.Popen(
        [sys.executable, "-m", "tapetum.realtime", "build", model, *TARGET],
        stderr=subprocess.PIPE,
        text=True,
        env=environment() | {"TAPETUM_CACHE": cache},
    )
    assert process.stderr is not None
    assert process.stderr.readline().startswith("building ")
    time.sleep(0.3)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert errors.splitlines()[-1] == "error: stopped by SIGINT"
    assert [path.suffix for path in Path(cache).iterdir()] == [".lock"]


@needs_tensorrt_rtx
@pytest.mark.skipif(has_driver(), reason="tells what happens without an NVIDIA driver")
def test_no_driver_is_one_line(cache: str) -> None:
    answer = tapetum("build", "grid", TAPETUM_CACHE=cache)
    assert answer.returncode == 1
    assert answer.stderr == (
        "error: no NVIDIA driver here: install it, or name the GPU to build for, "
        "like --target sm_89\n"
    )


@pytest.mark.parametrize("runtime", ["tensorrt", "torch-tensorrt"])
def test_a_runtime_that_is_not_installed_is_one_line(runtime: str, cache: str) -> None:
    if find_spec(runtime.replace("-", "_")):
        pytest.skip(f"{runtime} is installed here")
    answer = tapetum("build", "grid", "--runtime", runtime, TAPETUM_CACHE=cache)
    assert answer.returncode == 1
    assert answer.stderr.startswith(f"error: {runtime} is not installed: pip install 'tapetum[")
    assert answer.stderr.count("\n") == 1


def without(folder: Path, *modules: str) -> str:
    """The PYTHONPATH of a process that does not find some modules."""
    lines = (f"sys.modules[{name!r}] = None" for name in modules)
    (folder / "sitecustomize.py").write_text("\n".join(["import sys", *lines]))
    return os.pathsep.join([str(folder), environment()["PYTHONPATH"]])


@needs_tensorrt_rtx
@pytest.mark.parametrize("options", [TARGET, ("--layers",)], ids=str)
def test_no_onnx_is_one_line(options: tuple[str, ...], cache: str, tmp_path: Path) -> None:
    paths = without(tmp_path, "onnx")
    answer = tapetum("build", "grid", *options, TAPETUM_CACHE=cache, PYTHONPATH=paths)
    assert answer.returncode == 1
    last = answer.stderr.splitlines()[-1]
    assert last.startswith("error: ")
    assert last.endswith("grid.onnx: building it needs onnx: pip install onnx")
    assert "Traceback" not in answer.stderr


def test_no_tensorrt_at_all_is_one_line(cache: str, tmp_path: Path) -> None:
    paths = without(tmp_path, "tensorrt", "tensorrt_rtx")
    answer = tapetum("build", "grid", *TARGET, TAPETUM_CACHE=cache, PYTHONPATH=paths)
    assert answer.returncode == 1
    assert answer.stderr == (
        "error: no TensorRT is installed: pip install 'tapetum[tensorrt]', or "
        "'tapetum[tensorrt-rtx]' for GeForce and RTX cards\n"
    )


def test_nothing_to_do_is_wrong_usage(cache: str) -> None:
    answer = tapetum("build", TAPETUM_CACHE=cache)
    assert answer.returncode == 2
    assert "name a MODEL to build" in answer.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("grid --target sm_89 --device cuda", "leave out --device, which --target would ignore"),
        ("unet --layers --size 64x64 --json", "leave out --size, --json, which --layers would"),
        ("unet --layers -o x.engine", "leave out --output, which --layers would ignore"),
        ("grid --list", "leave out MODEL, which --list would ignore"),
        ("--list --json", "leave out --json, which --list would ignore"),
        ("--prune --runtime tensorrt", "leave out --runtime, which --prune would ignore"),
        ("--prune --list --layers", "leave out --layers, which --list would ignore"),
    ],
)
def test_what_would_be_ignored_is_refused(arguments: str, message: str, cache: str) -> None:
    answer = tapetum("build", *arguments.split(), TAPETUM_CACHE=cache)
    assert (answer.returncode, answer.stdout) == (2, "")
    assert message in answer.stderr
    assert not Path(cache).exists()


def test_an_empty_cache_is_pruned_and_listed(cache: str) -> None:
    answer = tapetum("build", "--prune", "--list", TAPETUM_CACHE=cache)
    assert (answer.returncode, answer.stdout, answer.stderr) == (0, "", "")


@pytest.mark.parametrize("size", ["1920", "1920x", "axb", "1920 x 1080", "0x0"])
def test_a_size_is_width_by_height(size: str, cache: str) -> None:
    answer = tapetum("build", "unet", "--size", size, *TARGET, TAPETUM_CACHE=cache)
    assert answer.returncode == 1
    assert "is not WIDTHxHEIGHT; write it like 1920x1080" in answer.stderr


def test_sizes_are_padded_as_the_network_needs() -> None:
    assert parse_size("1920x1080") == (1080, 1920)
    assert size_text((1080, 1920)) == "1920x1080"
    profile = unet_profile((1080, 1920), (17, 16))
    assert (profile.smallest, profile.best, profile.largest) == (
        (32, 16),
        (1088, 1920),
        (1088, 1920),
    )
    assert not profile.is_static
    assert str(unet_profile((720, 1280))) == "1280x720"
