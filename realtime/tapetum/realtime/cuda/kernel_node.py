"""Kernels in CUDA graphs, by the driver's own interface, which CuPy does not have."""

from __future__ import annotations

import ctypes
from typing import Any

import numpy as np
import numpy.typing as npt

from tapetum.realtime.cuda.kernel_arguments import address, is_device_array
from tapetum.realtime.errors import EngineError
from tapetum.trt_build.cuda_driver import CudaDriver

_CAPTURING = 1
"""CU_STREAM_CAPTURE_STATUS_ACTIVE."""


class KernelNode(ctypes.Structure):
    """`CUDA_KERNEL_NODE_PARAMS_v1` of the driver API."""

    _fields_ = (
        ("function", ctypes.c_void_p),
        ("grid", ctypes.c_uint * 3),
        ("threads", ctypes.c_uint * 3),
        ("shared", ctypes.c_uint),
        ("arguments", ctypes.POINTER(ctypes.c_void_p)),
        ("extra", ctypes.c_void_p),
    )
    values: list[npt.NDArray[Any]]

    @classmethod
    def of(
        cls,
        function: int,
        grid: tuple[int, int],
        threads: int,
        arguments: tuple[Any, ...],
        shared: int,
    ) -> KernelNode:
        """A launch, as `pixel_kernels.Launch` has it, of a function of the driver's.

        It keeps the values of its arguments, which the driver copies.
        """
        values = [_value(argument) for argument in arguments]
        places = (ctypes.c_void_p * len(values))(*(value.ctypes.data for value in values))
        kernel = cls(function, (*grid, 1), (threads, 1, 1), shared, places, None)
        kernel.values = values
        return kernel


def last_captured_node(driver: CudaDriver, stream: int) -> int:
    """The graph node that what was queued last on a capturing stream became.

    Raises:
        DeviceError: the driver refuses to say.
        EngineError: the stream is not capturing, or has forked.
    """
    status, count = ctypes.c_int(), ctypes.c_size_t()
    nodes = ctypes.POINTER(ctypes.c_void_p)()
    driver.call(
        "cuStreamGetCaptureInfo_v2",
        ctypes.c_void_p(stream),
        ctypes.byref(status),
        None,  # the capture's number
        None,  # the graph
        ctypes.byref(nodes),
        ctypes.byref(count),
    )
    if status.value != _CAPTURING or count.value != 1:
        raise EngineError(
            f"the capture is in state {status.value} and ends in {count.value} nodes, not in one"
        )
    return int(nodes[0] or 0)


def set_kernel(driver: CudaDriver, graph_exec: int, node: int, kernel: KernelNode) -> None:
    """Give a kernel in an executable graph its geometry and arguments for the next launch.

    Raises:
        DeviceError: the driver refuses them.
    """
    driver.call(
        "cuGraphExecKernelNodeSetParams",
        ctypes.c_void_p(graph_exec),
        ctypes.c_void_p(node),
        ctypes.byref(kernel),
    )


def _value(argument: Any) -> npt.NDArray[Any]:  # noqa: ANN401 - what a kernel takes
    if is_device_array(argument):
        return np.array(address(argument), np.uint64)
    return np.asarray(argument)
