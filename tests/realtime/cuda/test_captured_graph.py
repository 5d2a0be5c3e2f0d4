"""How a captured graph's kernels get their arguments: what the driver is told, by a stand-in."""

from __future__ import annotations

import pytest
from support.fake_driver import python_with

pytestmark = pytest.mark.slow

PREPARE = """
import numpy as np
from tapetum.realtime.cuda.captured_graph import last_captured_node
from tapetum.realtime.cuda.captured_graph import ArgumentQueue, CapturingQueue, Launched
from tapetum.realtime.errors import EngineError
from tapetum.trt_build.cuda_driver import CudaDriver

class Function:
    ptr = 0xf00
    def __call__(self, *given):
        print("launched", *given[:2])

class Stream:
    ptr = 0x50

class Array:
    shape, dtype, strides = (1,), np.dtype(np.float32), (4,)
    __cuda_array_interface__ = {"data": (0xabc, False)}

three = np.array((7, 8, 9), [("x", np.int32), ("y", np.int32), ("z", np.int32)])
kernel = Launched(Function(), (3, 4), 128, (Array(), np.float32(0.5), three), 96)
driver = CudaDriver()
"""


def test_the_driver_reads_a_kernel_as_it_was_launched(driver: dict[str, str]) -> None:
    code = """
queue = ArgumentQueue(driver, 0xe0, [0x70])
queue.launch(kernel)
queue.enqueue(lambda stream: print("never"))
queue.finish()
"""
    said = python_with(driver, PREPARE + code)
    assert said == "0xe0 0x70 0xf00 | 3 4 1 | 128 1 1 | 96 | abc 0.5 7 8 9 | 0\n"


def test_a_capture_notes_the_node_of_each_kernel(driver: dict[str, str]) -> None:
    code = """
queue = CapturingQueue(Stream(), driver)
queue.launch(kernel)
queue.enqueue(lambda stream: print("engine on", hex(stream)))
queue.launch(kernel)
print([hex(node) for node in queue.nodes])
"""
    assert python_with(driver, PREPARE + code).splitlines() == [
        "launched (3, 4) (128,)",
        "engine on 0x50",
        "launched (3, 4) (128,)",
        "['0x70', '0x70']",
    ]


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({"FAKE_CAPTURE": "2"}, "the capture is in state 2 and ends in 1 nodes, not in one"),
        ({"FAKE_NODES": "2"}, "the capture is in state 1 and ends in 2 nodes, not in one"),
    ],
)
def test_a_capture_that_went_wrong_is_an_error(
    variables: dict[str, str], message: str, driver: dict[str, str]
) -> None:
    code = """
try:
    last_captured_node(driver, 0x50)
except EngineError as error:
    print(error)
"""
    assert python_with(driver, PREPARE + code, **variables) == f"{message}\n"


def test_another_number_of_kernels_is_an_error(driver: dict[str, str]) -> None:
    code = """
for nodes in ([], [1, 2]):
    queue = ArgumentQueue(driver, 0xe0, nodes)
    try:
        queue.launch(kernel)
        queue.finish()
    except EngineError as error:
        print(error)
"""
    said = python_with(driver, PREPARE + code).splitlines()
    assert said[0] == "a frame has more kernels than the captured graph"
    assert said[-1] == "a frame has fewer kernels than the captured graph"
