"""Which library runs models on a GPU: TensorRT, else TensorRT-RTX, else PyTorch."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from tapetum.realtime.errors import DeviceError, EngineError

if TYPE_CHECKING:
    from tapetum.trt_build.flavour import Flavour


class EngineChoice(NamedTuple):
    """What runs models on a GPU.

    Attributes:
        flavour: the TensorRT, or None where PyTorch is left.
        notices: why it is PyTorch, as a line for the user; none for TensorRT.
    """

    flavour: Flavour | None
    notices: tuple[str, ...] = ()


def choose_engine(index: int) -> EngineChoice:
    """The first TensorRT that is installed and supports a GPU.

    Args:
        index: the GPU's number.

    Raises:
        DeviceError: there is no such GPU, or no driver.
    """
    from tapetum.trt_build.flavour import FLAVOURS, load_flavour
    from tapetum.trt_build.gpu import present_gpu
    from tapetum.trt_build.tensorrt_build import check_target

    gpu = present_gpu(index)
    reasons = []
    for name in FLAVOURS:
        try:
            flavour = load_flavour(name)
            check_target(gpu, flavour)
        except (EngineError, DeviceError) as error:
            reasons.append(str(error))
        else:
            return EngineChoice(flavour)
    notice = f"cuda:{index} runs models with PyTorch: {'; '.join(reasons)}"
    return EngineChoice(None, (notice,))
