"""Runs a generator with PyTorch, as captured CUDA graphs: for a GPU without TensorRT.

Arrays and tensors share memory by DLPack. PyTorch is imported when a model is made, not before.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import TYPE_CHECKING, Any

from tapetum.realtime.cuda.captured_graph import CAPTURES
from tapetum.realtime.cuda.compute_device import ComputeDevice
from tapetum.realtime.cuda.gpu_faults import faults_told
from tapetum.realtime.cuda.kernel_arguments import DeviceArray
from tapetum.realtime.errors import DeviceError

if TYPE_CHECKING:
    import torch

    from tapetum.gan.generator import Generator

    Network = Callable[[torch.Tensor], torch.Tensor]

_WARM_UP_RUNS = 3
"""Runs before a capture, in which cuDNN chooses its algorithms."""

_refusals_told = partial(faults_told, kind=RuntimeError)
"""All of PyTorch's errors are of this kind: cuDNN's and cuBLAS's have no class of their own."""


class TorchModel:
    """A generator on a device: `unet` in half precision, `grid`, which is small, in single."""

    def __init__(self, generator: Generator, device: ComputeDevice) -> None:
        """Move a generator to a device.

        Args:
            generator: in evaluation mode; it is changed in place.
            device: where it will run.

        Raises:
            DeviceError: this PyTorch cannot use the device, or there is not enough memory.
        """
        import torch

        self.kind = generator.kind
        self._device = device
        self._network, self._dtype = network_of(generator)
        place = torch_device(device)
        module: Any = generator  # the stubs of `to` know no memory format
        with _refusals_told(f"the weights of {self.kind} on {device.name}", device):
            module.to(device=place, dtype=self._dtype, memory_format=torch.channels_last)

    @property
    def description(self) -> str:
        """What runs where, like "cuda:0, PyTorch f16"."""
        return f"{self._device.name}, PyTorch {'f16' if self.kind == 'unet' else 'f32'}"

    def compile(self, shape: tuple[int, ...]) -> TorchEngine:
        """An engine for inputs of one shape, in the model's precision.

        Raises:
            DeviceError: there is not enough memory, or the GPU cannot be used any more.
            EngineError: PyTorch refuses for another reason.
        """
        import torch

        place = torch_device(self._device)
        what = f"{self.kind} at {shape[3]}x{shape[2]} on {self._device.name}"
        with _refusals_told(what, self._device):
            batch = torch.zeros(shape, dtype=self._dtype, device=place)
            return TorchEngine(self._network, batch, self._device, self.description)


class TorchEngine:
    """A network with its input and output, captured as one CUDA graph where there is a GPU."""

    capturable = False
    """It is a graph already, and PyTorch's own."""

    def __init__(
        self,
        network: Network,
        batch: torch.Tensor,
        device: ComputeDevice,
        description: str,
    ) -> None:
        """Warm up and capture.

        Args:
            network: maps `batch` to a result.
            batch: the input from now on; it is written over.
            device: where `batch` is.
            description: device, runtime and precision.
        """
        import torch

        self.description = description
        self._network, self._device = network, device
        self._batch = batch
        self._stream = torch_stream(device)
        self._graph: torch.cuda.CUDAGraph | None = None
        with CAPTURES, promised_precision(batch.dtype), torch.inference_mode():
            with self._stream():
                for _ in range(_WARM_UP_RUNS if batch.is_cuda else 1):
                    self._result = network(batch)
            if batch.is_cuda:
                self._capture()

    def _capture(self) -> None:
        """Capture, with `CAPTURES` held."""
        import torch

        place = self._batch.device
        self._graph = torch.cuda.CUDAGraph()
        # Other threads go on decoding and encoding on the device while this one captures.
        stream = torch.cuda.Stream(place)  # type: ignore[no-untyped-call]
        capture = torch.cuda.graph(self._graph, stream=stream, capture_error_mode="thread_local")
        torch.cuda.synchronize(place)
        with capture:
            self._result = self._network(self._batch)

    def __call__(self, batch: DeviceArray, result: DeviceArray) -> None:
        """Queue one run: read `batch`, fill `result`; both are without gaps.

        Raises:
            DeviceError: there is not enough memory, or the GPU cannot be used any more.
            EngineError: PyTorch refuses for another reason.
        """
        import torch
        from torch.utils.dlpack import from_dlpack

        given, wanted = (from_dlpack(array) for array in (batch, result))
        with _refusals_told(self.description, self._device), torch.inference_mode(), self._stream():
            self._batch.copy_(given)
            if self._graph is None:
                self._result = self._network(self._batch)
            else:
                self._graph.replay()
            wanted.copy_(self._result.reshape(wanted.shape))


def network_of(generator: Generator) -> tuple[Network, torch.dtype]:
    """What the enhancers run of a generator, and in which precision.

    Raises:
        TypeError: it is none that they know.
    """
    import torch

    from tapetum.gan.grid import GridGenerator
    from tapetum.gan.unet import UNetGenerator

    if isinstance(generator, UNetGenerator):
        return generator.enhance_padded, torch.float16
    if isinstance(generator, GridGenerator):
        return generator.predict, torch.float32
    raise TypeError(f"no engine is known for {type(generator).__name__}")


def promised_precision(dtype: torch.dtype) -> AbstractContextManager[None]:
    """A context in which convolutions are computed in single precision where they say so.

    By default cuDNN rounds their inputs to TF32, which has float16's 10 bits. A graph keeps what
    it was captured with. It is a setting of the process: of engines, one at a time may change it.
    """
    import torch

    if dtype is not torch.float32:
        return nullcontext()
    cudnn = torch.backends.cudnn
    return cudnn.flags(enabled=True, benchmark=cudnn.benchmark, allow_tf32=False)


def torch_device(device: ComputeDevice) -> torch.device:
    """A device in PyTorch's words; main memory for one that has no stream.

    Raises:
        DeviceError: this PyTorch cannot use it.
    """
    import torch

    if device.stream_address is None:
        return torch.device("cpu")
    torch_version(device.name)
    return torch.device(device.name)


def torch_version(name: str) -> str:
    """The version of PyTorch, which can use a GPU such as "cuda:0".

    Raises:
        DeviceError: it cannot.
    """
    import torch

    if not torch.cuda.is_available():
        raise DeviceError(
            f"this PyTorch ({torch.__version__}) cannot use {name}; install one with CUDA"
        )
    return torch.__version__


def torch_stream(device: ComputeDevice) -> Callable[[], AbstractContextManager[Any]]:
    """Makes contexts in which PyTorch queues its work on the device's stream."""
    import torch

    if device.stream_address is None:
        return nullcontext
    place = torch_device(device)
    stream = torch.cuda.ExternalStream(device.stream_address, place)  # type: ignore[no-untyped-call]
    return lambda: torch.cuda.stream(stream)
