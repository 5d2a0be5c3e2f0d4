"""`build_engine`: from a model to a verified engine in the cache."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING

from tapetum.gan.errors import ModelError
from tapetum.gan.model import Model, find_model
from tapetum.gan.model_kinds import THUMBNAIL, ModelDescription, Size
from tapetum.trt_build.build_progress import OnPhase
from tapetum.trt_build.engine_cache import (
    EngineCache,
    EngineFile,
    StaleEngineError,
    check_output,
    write_engine,
)
from tapetum.trt_build.gpu import Gpu, named_target, present_gpu
from tapetum.trt_build.manifest import EngineIdentity, Manifest
from tapetum.trt_build.network_source import read_network
from tapetum.trt_build.profile import Profile, unet_profile
from tapetum.trt_build.toolkit import BuildOrder, RuntimeName, Toolkit, load_toolkit
from tapetum.trt_build.verification import PSNR_FLOOR_DB, check_loads_on, lowest_psnr_db, run_engine

if TYPE_CHECKING:
    import onnx

DEFAULT_SIZE: Size = (1080, 1920)


@dataclass(frozen=True, slots=True)
class EngineRequest:
    """What to build; the keyword arguments of `build_engine`.

    Attributes:
        size: (height, width) of the frames that a `unet` engine is best at, by default `largest`,
            or else what an ONNX file is made for, or else 1080p.
        smallest: the smallest frames, by default `size`.
        largest: the largest frames, by default `size`.
        target: a compute capability such as "sm_89", by default the present GPU's.
        runtime: by default `tensorrt`, or else `tensorrt-rtx`.
        gpu_index: the GPU in this machine to build on and for, where no target is named.
    """

    size: Size | None = None
    smallest: Size | None = None
    largest: Size | None = None
    target: str | None = None
    runtime: RuntimeName | None = None
    gpu_index: int = 0


@dataclass(frozen=True, slots=True)
class BuildStart:
    """What is about to be built; as text, a line for the user.

    Attributes:
        model: its name or file.
        identity: sizes, GPU and compiler.
        reason: why an engine that was kept is not used; None where none was.
    """

    model: str
    identity: EngineIdentity
    reason: str | None

    def __str__(self) -> str:
        again = "" if self.reason is None else f", anew: {self.reason}"
        return f"{self.model} {self.identity.description}{again}"


def build_engine(
    model: str | Path,
    request: EngineRequest | None = None,
    *,
    output: Path | None = None,
    cache: EngineCache | None = None,
    try_kept: Callable[[EngineFile], None] | None = None,
    on_start: Callable[[BuildStart], None] | None = None,
    on_phase: OnPhase | None = None,
) -> EngineFile:
    """Build a model's engine, or find the one that was built before and still loads.

    Args:
        model: "grid", "unet" or a model file (.onnx, .safetensors, .pth, .pt).
        request: sizes, target and runtime.
        output: a file to write the engine to as well, its manifest beside it.
        cache: where engines are kept, by default the user's cache.
        try_kept: called with the one that was built before; raises StaleEngineError where it has
            to be built anew. By default it is loaded on its GPU, where that is here, and unloaded.
        on_start: called with what is about to be built, unless it was built before.
        on_phase: called from TensorRT's threads with how far the build is; must not raise.

    Raises:
        ModelError: there is no such model, or it does not take these sizes.
        DeviceError: there is no GPU, or the target cannot be built for.
        EngineError: TensorRT is absent or fails, or the engine computes something else.
    """
    if output is not None:
        check_output(output)
    build = _Build(find_model(model), request or EngineRequest(), on_phase)
    cache = cache or EngineCache()
    identity = build.identity
    with cache.lock(identity):
        engine, reason = build.kept(cache, try_kept or build.try_loading)
        if engine is None:
            if on_start is not None:
                on_start(BuildStart(str(model), identity, reason))
            engine = build.into(cache)
    if output is not None:
        write_engine(output, engine.path.read_bytes(), engine.manifest)
        return EngineFile(output, engine.manifest, engine.reused)
    return engine


class _Build:
    """One engine's build, its model read and its request checked."""

    def __init__(self, source: Model, request: EngineRequest, on_phase: OnPhase | None) -> None:
        self._source, self._on_phase = source, on_phase
        self._toolkit = load_toolkit(request.runtime)
        self._gpu = _gpu(request, self._toolkit)
        self._kind = source.description.kind
        self._profile = _profile(source.description, request)
        self.identity = EngineIdentity(
            model_sha256=source.sha256,
            runtime=self._toolkit.name,
            runtime_version=self._toolkit.version,
            gpu=self._gpu.name,
            target=self._gpu.target,
            profile=self._profile,
        )

    def kept(
        self, cache: EngineCache, try_kept: Callable[[EngineFile], None]
    ) -> tuple[EngineFile | None, str | None]:
        """The engine that was built before; where it is of no use, None and the reason."""
        try:
            engine = cache.find(self.identity)
            if engine is None:
                return None, cache.difference(self.identity)
            try_kept(engine)
        except StaleEngineError as error:
            return None, str(error)
        return engine, None

    def try_loading(self, engine: EngineFile) -> None:
        """Load an engine where its GPU is here, and unload it.

        Raises:
            StaleEngineError: it does not load.
        """
        if self._gpu.index is not None:
            check_loads_on(engine.path.read_bytes(), self._toolkit.flavour, self._gpu.index)

    def into(self, cache: EngineCache) -> EngineFile:
        """Build, verify and keep the engine."""
        order = BuildOrder(
            model=self._source,
            network=lambda: self._network,
            profile=self._profile,
            gpu=self._gpu,
            timing_cache=cache.timings(self.identity),
            on_phase=self._on_phase,
        )
        built = self._toolkit.build(order)
        cache.keep_timings(self.identity, built.timing_cache)
        plan = built.engine
        psnr_db = self._verified(plan)
        manifest = Manifest(
            identity=self.identity,
            model=self._source.name,
            generator=self._kind,
            float32_layers=built.float32_layers,
            engine_sha256=hashlib.sha256(plan).hexdigest(),
            size_bytes=len(plan),
            built_at=datetime.now(UTC).isoformat(timespec="seconds"),
            psnr_db=psnr_db,
            psnr_floor_db=PSNR_FLOOR_DB,
        )
        path = cache.path(self.identity)
        write_engine(path, plan, manifest)
        return EngineFile(path, manifest, reused=False)

    @cached_property
    def _network(self) -> onnx.ModelProto:
        return read_network(self._source)

    def _verified(self, plan: bytes) -> float | None:
        """Lowest PSNR over the profile's sizes; None where the engine's GPU is not here."""
        if self._gpu.index is None:
            return None
        from tapetum.trt_build.dark_frame import dark_frame
        from tapetum.trt_build.verification import reference_output

        pictures = [dark_frame(self._kind, size) for size in self._profile.sizes]
        outputs = run_engine(plan, self._toolkit.flavour, self._gpu.index, pictures)
        return lowest_psnr_db(pictures, outputs, partial(reference_output, self._network))


def _gpu(request: EngineRequest, toolkit: Toolkit) -> Gpu:
    gpu = named_target(request.target) if request.target else present_gpu(request.gpu_index)
    toolkit.check_target(gpu, is_named=request.target is not None)
    return gpu


def _profile(network: ModelDescription, request: EngineRequest) -> Profile:
    sizes = (request.size, request.smallest, request.largest)
    if network.kind == "grid":
        if any(sizes):
            raise ModelError(
                "one grid engine serves every video size, for its network sees a thumbnail; "
                "leave the sizes out"
            )
        return Profile(*[(THUMBNAIL, THUMBNAIL)] * 3)
    best = request.size or request.largest or network.fixed_size or DEFAULT_SIZE
    return unet_profile(best, request.smallest, request.largest)
