"""From a float16 ONNX network to a serialised engine, with TensorRT or TensorRT-RTX."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

from tapetum.gan.errors import DeviceError, EngineError
from tapetum.trt_build.build_progress import BuildPhase, OnPhase, progress_monitor
from tapetum.trt_build.flavour import Flavour
from tapetum.trt_build.gpu import Gpu
from tapetum.trt_build.profile import Profile
from tapetum.trt_build.tensorrt_log import collecting_logger, explained, started


@dataclass(frozen=True, slots=True)
class BuiltEngine:
    """What a build gives.

    Attributes:
        plan: the serialised engine.
        timing_cache: what TensorRT learned of its kernels' speed, for the next build; empty where
            the flavour keeps none.
    """

    plan: bytes
    timing_cache: bytes


def build_tensorrt(
    network: bytes,
    profile: Profile,
    gpu: Gpu,
    flavour: Flavour,
    *,
    timing_cache: bytes = b"",
    on_phase: OnPhase | None = None,
    on_layers: Callable[[str], None] | None = None,
) -> BuiltEngine:
    """Build an engine.

    The build runs on a thread of its own, so that an exception that a signal raises in the
    caller (Ctrl-C) cancels it at its next step and then goes on.

    Args:
        network: a serialised ONNX model; its types are the engine's types.
        profile: sizes of its one picture input; a static network needs none but checks it.
        gpu: what to build for: the present GPU, or with TensorRT-RTX any named target.
        flavour: the TensorRT to build with.
        timing_cache: that of an earlier build, or empty.
        on_phase: called from TensorRT's threads; must not raise.
        on_layers: gets TensorRT's "Engine Layer Information"; likewise.

    Raises:
        DeviceError: the flavour cannot build for this GPU.
        EngineError: TensorRT refuses the network or runs out of memory.
    """
    stop = threading.Event()
    job = _Job(flavour, gpu, on_phase or _ignore, stop, on_layers)
    with ThreadPoolExecutor(1, "engine-build") as pool:
        built = pool.submit(job.build, network, profile, timing_cache)
        try:
            return built.result()
        except BaseException:
            stop.set()
            raise


def check_target(gpu: Gpu, flavour: Flavour) -> None:
    """Refuse a target that a flavour cannot build for.

    Raises:
        DeviceError: it cannot.
    """
    if gpu.name is None and flavour.name == "tensorrt":
        raise DeviceError(
            "tensorrt builds only for the GPU in this machine; for another target use "
            "--runtime tensorrt-rtx (pip install 'tapetum[tensorrt-rtx]')"
        )
    if flavour.name == "tensorrt-rtx" and _capability(gpu, flavour) is None:
        known = [name for name in dir(flavour.trt.ComputeCapability) if name.startswith("SM")]
        listed = ", ".join(sorted((f"sm_{name[2:]}" for name in known), key=_number))
        raise DeviceError(
            f"tensorrt-rtx {flavour.version} does not build for {gpu.target}, only for {listed}"
        )


def _number(target: str) -> int:
    return int(target.removeprefix("sm_"))


def _capability(gpu: Gpu, flavour: Flavour) -> Any:  # noqa: ANN401 - TensorRT's enum
    return getattr(flavour.trt.ComputeCapability, gpu.target.replace("sm_", "SM"), None)


def _ignore(_phase: BuildPhase) -> None:
    """Report nothing."""


def _on(gpu: Gpu) -> AbstractContextManager[None]:
    """Let this thread work on the GPU to build for, where that is here."""
    if gpu.index is None:
        return nullcontext()
    from tapetum.trt_build.cuda_driver import CudaDriver

    return CudaDriver().on_device(gpu.index)


class _Job:
    """One build and what it needs of TensorRT."""

    def __init__(
        self,
        flavour: Flavour,
        gpu: Gpu,
        on_phase: OnPhase,
        stop: threading.Event,
        on_layers: Callable[[str], None] | None,
    ) -> None:
        check_target(gpu, flavour)
        self._flavour, self._gpu, self._on_phase, self._stop = flavour, gpu, on_phase, stop
        self._trt = flavour.trt
        self._errors: list[str] = []
        self._on_layers = on_layers
        self._logger = collecting_logger(self._trt, self._errors, self._take_layers)

    def _take_layers(self, message: str) -> None:
        if self._on_layers is not None and "LayerType: " in message:
            self._on_layers(message)

    def build(self, network: bytes, profile: Profile, timing_cache: bytes) -> BuiltEngine:
        with _on(self._gpu):
            return self._build(network, profile, timing_cache)

    def _build(self, network: bytes, profile: Profile, timing_cache: bytes) -> BuiltEngine:
        builder = started(self._trt.Builder, self._logger, self._errors)
        parsed = self._parse(builder, network)
        config = builder.create_builder_config()
        config.clear_flag(self._trt.BuilderFlag.TF32)  # what stays float32 is computed in it
        config.max_aux_streams = 0  # each layer waits for the one before; captures stay simple
        config.progress_monitor = progress_monitor(self._trt, self._on_phase, self._stop)
        if self._on_layers is not None:
            config.profiling_verbosity = self._trt.ProfilingVerbosity.DETAILED
        self._set_target(config)
        timings = self._timing_cache(config, timing_cache)
        self._add_profile(builder, parsed, config, profile)
        plan = builder.build_serialized_network(parsed, config)
        if plan is None:
            raise EngineError(f"{self._flavour.name} built no engine: {self._reason()}")
        return BuiltEngine(bytes(plan), b"" if timings is None else bytes(timings.serialize()))

    def _parse(self, builder: Any, network: bytes) -> Any:  # noqa: ANN401 - TensorRT's objects
        flags = 1 << int(self._trt.NetworkDefinitionCreationFlag.STRONGLY_TYPED)
        definition = builder.create_network(flags)
        parser = self._trt.OnnxParser(definition, self._logger)
        if not parser.parse(network):
            found = [parser.get_error(index).desc() for index in range(parser.num_errors)]
            raise EngineError(f"{self._flavour.name} cannot read the network: {'; '.join(found)}")
        if not definition.num_layers:  # some bytes that are no model parse as an empty one
            raise EngineError(f"{self._flavour.name} finds nothing in the network")
        return definition

    def _set_target(self, config: Any) -> None:  # noqa: ANN401
        """Name the target; with none named, TensorRT builds for the present GPU."""
        if self._flavour.name == "tensorrt-rtx" and self._gpu.name is None:
            config.num_compute_capabilities = 1
            if not config.set_compute_capability(_capability(self._gpu, self._flavour), 0):
                raise EngineError(
                    f"{self._flavour.name} does not build for {self._gpu.target}: {self._reason()}"
                )

    def _timing_cache(self, config: Any, serialized: bytes) -> Any:  # noqa: ANN401
        """Give the build what an earlier one measured; None with TensorRT-RTX, which keeps none.

        A cache of another GPU or version is refused by TensorRT, and the build starts a new one.
        """
        if self._flavour.name == "tensorrt-rtx":
            return None
        cache = config.create_timing_cache(serialized)
        if not config.set_timing_cache(cache, False):
            cache = config.create_timing_cache(b"")
            config.set_timing_cache(cache, False)
        return cache

    def _add_profile(
        self,
        builder: Any,  # noqa: ANN401
        network: Any,  # noqa: ANN401
        config: Any,  # noqa: ANN401
        profile: Profile,
    ) -> None:
        picture = network.get_input(0)
        if -1 not in tuple(picture.shape):
            return
        shapes = ((1, 3, *size) for size in (profile.smallest, profile.best, profile.largest))
        sizes = builder.create_optimization_profile()
        sizes.set_shape(picture.name, *shapes)
        config.add_optimization_profile(sizes)

    def _reason(self) -> str:
        if self._stop.is_set():
            return "the build was stopped"
        return explained(self._errors)
