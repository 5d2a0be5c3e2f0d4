"""`tapetum doctor`: looks at the machine and says what works, what does not, what to do."""

from __future__ import annotations

import dataclasses
import os
import platform
import sys
import time
from collections.abc import Callable, Iterable
from typing import Annotated, Literal

import typer

from tapetum.gan.machine import cpu_features, cpu_name, memory_mb, usable_cores
from tapetum.realtime.command.finding import Diagnosis, Finding, Section, State, show
from tapetum.realtime.command.options import FAILED
from tapetum.realtime.command.program_output import program_output
from tapetum.realtime.command.requirements import (
    Requirement,
    one_for_each_package,
    requirements,
)
from tapetum.realtime.errors import TapetumError


def doctor(
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object on stdout instead.")
    ] = False,
) -> None:
    """Say what works on this machine, what does not, and what to do about it.

    `ok` works, `--` is not there and `tapetum enhance` does without, `!!` must be mended. Exit
    status: 0 if `tapetum enhance` works on this machine, else 1.
    """
    with program_output(is_wanted=as_json) as write_json:
        diagnosis = examine()
        if write_json is not None:
            write_json(dataclasses.asdict(diagnosis) | {"healthy": diagnosis.healthy})
    if not as_json:
        show(diagnosis)
    if not diagnosis.healthy:
        raise typer.Exit(FAILED)


def examine() -> Diagnosis:
    """Look at everything; takes a second or two, because the models are run once."""
    sections: tuple[tuple[str, Callable[[], Iterable[Finding]]], ...] = (
        ("Software", _software),
        ("Machine", _machine),
        ("Compute", _compute),
        ("GPU", _gpu),
        ("Models", _models),
        ("Video", _video),
        ("Cameras", _cameras),
    )
    return Diagnosis(tuple(Section(title, tuple(find())) for title, find in sections))


def _software() -> Iterable[Finding]:
    yield Finding("python", f"{platform.python_version()} at {sys.executable}")
    needed = requirements()
    if not needed:
        remedy = "install the package: pip install . in its folder"
        yield Finding("tapetum", "not installed as a package", "problem", remedy)
    yield from (_required(requirement) for requirement in needed if requirement.extra is None)
    yield from (_optional(requirement) for requirement in one_for_each_package(needed))


def _required(requirement: Requirement) -> Finding:
    name, installed, wanted = requirement.name, requirement.installed, requirement.wanted
    if requirement.met:
        return Finding(name, str(installed))
    remedy = f"pip install '{name}{wanted}'"
    return Finding(name, f"{installed or 'missing'}; needed {wanted}", "problem", remedy)


def _optional(requirement: Requirement) -> Finding:
    name, installed, wanted = requirement.name, requirement.installed, requirement.wanted
    remedy = f"pip install 'tapetum[{requirement.extra}]'"
    if installed is None:
        return Finding(name, f"not installed, for [{requirement.extra}]", "absent", remedy)
    if not requirement.met:
        return Finding(name, f"{installed}; [{requirement.extra}] needs {wanted}", "absent", remedy)
    return Finding(name, installed)


_CPU_FEATURES = ("avx2", "avx512f", "avx512_bf16", "avx512_vnni", "amx_bf16", "asimd")


def _machine() -> Iterable[Finding]:
    yield Finding("system", platform.platform())
    yield Finding("cpu", cpu_name())
    yield Finding("cores", f"{usable_cores()} usable of {os.cpu_count()}")
    flags = cpu_features()
    features = [feature for feature in _CPU_FEATURES if feature in flags]
    yield Finding("cpu features", " ".join(features) or "none of those that help")
    yield _memory()


_ENOUGH_MEMORY_MB = 600


def _memory() -> Finding:
    free_mb, total_mb = memory_mb()
    value = f"{free_mb} MB free of {total_mb} MB"
    if free_mb >= _ENOUGH_MEMORY_MB:
        return Finding("memory", value)
    return Finding("memory", value, "absent", f"1080p video takes {_ENOUGH_MEMORY_MB} MB")


def _compute() -> Iterable[Finding]:
    from tapetum.gan.cpu_runtime import cpu_runtime

    yield _openvino() if cpu_runtime() == "openvino" else _onnxruntime()


def _onnxruntime() -> Finding:
    """Where OpenVINO has no package."""
    try:
        from tapetum.gan.onnxruntime_runtime import onnxruntime

        found = onnxruntime().get_available_providers()
    except ImportError as error:
        remedy = "pip install --force-reinstall onnxruntime"
        return Finding("onnxruntime devices", str(error), "problem", remedy)
    return Finding("onnxruntime devices", ", ".join(found))


def _openvino() -> Finding:
    try:
        from tapetum.gan.openvino_runtime import core

        devices = core().available_devices
    except (ImportError, RuntimeError) as error:
        remedy = "pip install --force-reinstall openvino"
        return Finding("openvino devices", str(error), "problem", remedy)
    state: State = "ok" if "CPU" in devices else "problem"
    return Finding("openvino devices", ", ".join(devices), state)


def _gpu() -> Iterable[Finding]:
    from tapetum.realtime.command.doctor_gpu import gpu_findings  # brings NumPy

    return gpu_findings()


def _models() -> Iterable[Finding]:
    from tapetum.gan.model_kinds import KINDS

    yield from (_model(name) for name in KINDS)
    yield _compiled_kernels()


def _model(name: str) -> Finding:
    from tapetum.realtime.enhancer import check_model, make_enhancer
    from tapetum.realtime.synthetic_source import SyntheticSource

    missing: State = "problem" if name == "grid" else "absent"
    try:
        check_model(name)
        enhancer = make_enhancer(name)
        frame, again = SyntheticSource(640, 360, frames=2)
        enhancer(frame)
        start_s = time.perf_counter()
        enhancer(again)
    except TapetumError as error:
        return Finding(name, str(error), missing)
    latency_ms = 1000 * (time.perf_counter() - start_s)
    return Finding(name, f"{enhancer.description}; {latency_ms:.1f} ms a frame at 640x360")


def _compiled_kernels() -> Finding:
    from tapetum.realtime.cpu.compiled import is_cached

    if is_cached():
        return Finding("compiled kernels", "kept on disk")
    remedy = "set NUMBA_CACHE_DIR to a folder that can be written, or each start compiles anew"
    return Finding("compiled kernels", "not kept on disk", "absent", remedy)


_ENCODERS = ("libx264", "libx265", "libsvtav1", "libvpx-vp9", "prores_ks", "aac", "libopus")
_GPU_ENCODERS = ("h264_nvenc", "hevc_nvenc", "av1_nvenc")
_DECODERS = ("h264", "hevc", "av1", "vp9", "prores", "mjpeg", "aac", "opus")
_NEEDED = ("libx264", "h264")


def _video() -> Iterable[Finding]:
    import av

    yield Finding("ffmpeg", f"{av.ffmpeg_version_info} in PyAV {av.__version__}")
    yield _codecs("encoders", (*_ENCODERS, *_GPU_ENCODERS), "w")
    yield _codecs("decoders", _DECODERS, "r")


def _codecs(title: str, names: tuple[str, ...], mode: Literal["r", "w"]) -> Finding:
    missing = [name for name in names if not _has_codec(name, mode)]
    present = " ".join(name for name in names if name not in missing)
    if not missing:
        return Finding(title, present)
    state: State = "problem" if set(missing) & set(_NEEDED) else "absent"
    return Finding(title, f"{present}; without {' '.join(missing)}", state, "pip install av")


def _has_codec(name: str, mode: Literal["r", "w"]) -> bool:
    import av

    try:
        av.Codec(name, mode)
    except av.codec.codec.UnknownCodecError:
        return False
    return True


def _cameras() -> Iterable[Finding]:
    from tapetum.realtime.live.cameras import list_cameras

    cameras = list_cameras()
    if not cameras:
        yield Finding("cameras", "none found", "absent")
    for camera in cameras:
        if camera.usable:
            yield Finding(camera.device, camera.name)
        else:
            remedy = "add yourself to the group video: sudo usermod -aG video $USER"
            yield Finding(camera.device, f"{camera.name}; no permission", "absent", remedy)
