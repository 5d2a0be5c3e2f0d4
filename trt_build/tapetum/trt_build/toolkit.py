"""What compiles a model to an engine: TensorRT from ONNX, or torch-tensorrt from weights."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol

from tapetum.gan.errors import DeviceError
from tapetum.gan.model import Model
from tapetum.trt_build.build_progress import OnPhase
from tapetum.trt_build.flavour import Flavour, load_flavour
from tapetum.trt_build.gpu import Gpu
from tapetum.trt_build.profile import Profile
from tapetum.trt_build.tensorrt_build import build_tensorrt, check_target
from tapetum.trt_build.torch_tensorrt_build import build_torch_tensorrt, load_torch_tensorrt

if TYPE_CHECKING:
    import onnx

RuntimeName = Literal["tensorrt", "tensorrt-rtx", "torch-tensorrt"]


@dataclass(frozen=True, slots=True)
class BuildOrder:
    """What a toolkit is to build.

    Attributes:
        model: the model.
        network: reads it as float32 ONNX.
        profile: the picture sizes.
        gpu: the GPU to build for.
        timing_cache: that of an earlier build, or empty.
        on_phase: called from TensorRT's threads; must not raise.
    """

    model: Model
    network: Callable[[], onnx.ModelProto]
    profile: Profile
    gpu: Gpu
    timing_cache: bytes = b""
    on_phase: OnPhase | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """What a toolkit has built.

    Attributes:
        engine: serialised.
        float32_layers: layers that stayed float32; None where the toolkit does not say.
        timing_cache: for the next build; empty where the toolkit keeps none.
    """

    engine: bytes
    float32_layers: tuple[str, ...] | None = None
    timing_cache: bytes = b""


class Toolkit(Protocol):
    """One way to compile a model."""

    @property
    def name(self) -> RuntimeName:
        """What `--runtime` calls it."""

    @property
    def version(self) -> str:
        """Its version, like "11.0.0.114"."""

    @property
    def flavour(self) -> Flavour:
        """The TensorRT that runs its engines."""

    def check_target(self, gpu: Gpu, *, is_named: bool) -> None:
        """Refuse a GPU that it cannot build for.

        Args:
            gpu: the GPU.
            is_named: whether it was named, and need not be the one that is here.

        Raises:
            DeviceError: it cannot.
        """

    def build(self, order: BuildOrder) -> Plan:
        """Build an engine.

        Raises:
            ModelError: the model is not what the toolkit builds from, or does not take the sizes.
            EngineError: the build fails.
        """


@dataclass(frozen=True, slots=True)
class OnnxToolkit:
    """TensorRT or TensorRT-RTX, from a float16 ONNX network."""

    flavour: Flavour

    @property
    def name(self) -> RuntimeName:
        """What `--runtime` calls it."""
        return self.flavour.name

    @property
    def version(self) -> str:
        """TensorRT's own."""
        return self.flavour.version

    def check_target(self, gpu: Gpu, *, is_named: bool) -> None:  # noqa: ARG002 - both are checked
        """Refuse a GPU that this TensorRT cannot build for."""
        check_target(gpu, self.flavour)

    def build(self, order: BuildOrder) -> Plan:
        """Convert the network to float16 and build it."""
        network = order.network()  # says so where onnx is missing, which the next line needs
        from tapetum.trt_build.half_precision import half_network

        half = half_network(network, order.profile)
        built = build_tensorrt(
            half.serialized,
            order.profile,
            order.gpu,
            self.flavour,
            timing_cache=order.timing_cache,
            on_phase=order.on_phase,
        )
        return Plan(built.plan, half.float32_layers, built.timing_cache)


@dataclass(frozen=True, slots=True)
class TorchToolkit:
    """torch-tensorrt, from weights, on the GPU in this machine.

    Attributes:
        module: torch-tensorrt.
        version: its version.
        flavour: what runs its engines.
    """

    module: Any
    version: str
    flavour: Flavour

    @property
    def name(self) -> RuntimeName:
        """What `--runtime` calls it."""
        return "torch-tensorrt"

    def check_target(self, gpu: Gpu, *, is_named: bool) -> None:  # noqa: ARG002 - any that is here
        """Refuse a GPU that was named."""
        if is_named:
            raise DeviceError(
                "torch-tensorrt builds only for the GPU in this machine; for another target use "
                "--runtime tensorrt-rtx"
            )

    def build(self, order: BuildOrder) -> Plan:
        """Export the weights and build them."""
        return Plan(build_torch_tensorrt(order.model, order.profile, order.gpu, self.module))


def load_toolkit(runtime: RuntimeName | None) -> Toolkit:
    """Import a toolkit.

    Args:
        runtime: which; by default `tensorrt`, or else `tensorrt-rtx`.

    Raises:
        EngineError: it is not installed, does not import or is too old.
    """
    if runtime == "torch-tensorrt":
        module, version = load_torch_tensorrt()
        return TorchToolkit(module, version, load_flavour("tensorrt"))
    return OnnxToolkit(load_flavour(runtime))
