"""A slow function in a thread: answers in time, late answers, errors, and the end."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from support.command_line import environment
from support.live_parts import wait_until
from support.tiny_networks import blur_network

from tapetum.realtime.background import Background, PatientWorker
from tapetum.realtime.errors import ModelError

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("no_thread_is_left")]


def test_it_answers_what_it_is_asked() -> None:
    double: Background[int, int] = Background(lambda: lambda number: 2 * number)
    wait_until(lambda: double.idle)
    assert [double.ask(number, 10) for number in range(5)] == [0, 2, 4, 6, 8]
    double.close()


def test_it_is_not_idle_before_it_is_made_nor_while_it_works() -> None:
    made, done = threading.Event(), threading.Event()

    def make() -> Callable[[int], int]:
        made.wait(10)
        return lambda number: number if done.wait(10) else -1

    slow: Background[int, int] = Background(make)
    assert not slow.idle
    made.set()
    wait_until(lambda: slow.idle)
    assert slow.ask(7, 0.01) is None
    assert not slow.idle
    done.set()
    wait_until(lambda: slow.idle)
    assert slow.ask(8, 10) == 8  # and not the late 7
    slow.close()


def test_errors_come_out_on_the_caller_s_side() -> None:
    def refuse() -> Callable[[int], int]:
        raise ModelError("no such network")

    broken: Background[int, int] = Background(refuse)
    with pytest.raises(ModelError, match="no such network"):
        wait_until(lambda: broken.idle)
    broken.close()

    failing: Background[int, float] = Background(lambda: lambda number: 1 / number)
    wait_until(lambda: failing.idle)
    with pytest.raises(ZeroDivisionError):
        failing.ask(0, 10)
    failing.close()


def test_closing_does_not_wait_for_a_call_that_is_stuck() -> None:
    stuck = threading.Event()
    slow: Background[int, bool] = Background(lambda: lambda _number: stuck.wait(20))
    wait_until(lambda: slow.idle)
    slow.ask(1, 0)
    begin_s = time.monotonic()
    slow.close(0.01)
    assert time.monotonic() - begin_s < 10  # the call takes 20 s
    stuck.set()
    slow.close()


@pytest.mark.parametrize("end", ["exit_process", "sys.exit"])
def test_a_process_ends_with_its_status_while_a_network_is_at_work(
    end: str, tmp_path: Path
) -> None:
    """A thread that Python ended in OpenVINO's C++ code would abort it."""
    model = tmp_path / "blur.onnx"
    model.write_bytes(blur_network(radius=30))
    code = f"""
import sys, time
import numpy as np
from pathlib import Path
from tapetum.realtime.background import Background, exit_process
from tapetum.realtime.cpu.openvino_engine import OpenVINOModel
shape = (1, 3, 512, 512)
engine = OpenVINOModel(Path({str(model)!r}).read_bytes()).compile(shape, shape)
slow = Background(lambda: engine)
while not slow.idle:
    pass
assert slow.ask(np.zeros(shape, np.float32), 0.05) is None
class SlowEnd:
    def __del__(self, sleep=time.sleep):
        sleep(5)
sys.modules["slow_end"] = SlowEnd()  # Python takes its time to end, as with large packages
print("said")
{end}(7)
"""
    answer = subprocess.run(
        [sys.executable, "-c", code], env=environment(), capture_output=True, text=True, check=False
    )
    assert (answer.returncode, answer.stdout, answer.stderr) == (7, "said\n", "")


def niceness() -> int:
    return os.getpriority(os.PRIO_PROCESS, threading.get_native_id())


@pytest.mark.skipif(sys.platform != "linux", reason="threads have priorities on Linux alone")
def test_calls_give_way_only_while_it_is_asked_for() -> None:
    """On a machine full of other programs' work, who always gives way gets next to nothing."""
    usual = niceness()
    worker, begun, asked, child = PatientWorker(), threading.Event(), threading.Event(), list[int]()

    def help_out() -> None:
        asked.wait(20)
        child.append(niceness())

    def call() -> int:
        helper = threading.Thread(target=help_out)
        helper.start()
        begun.set()
        asked.wait(20)
        helper.join()
        return niceness()

    assert worker.submit(niceness).result(20) <= usual + 1
    at_work = worker.submit(call)
    assert begun.wait(20)
    with worker.giving_way():
        asked.set()
        assert at_work.result(20) == usual + 10
        assert child == [usual + 10]
        assert worker.submit(niceness).result(20) == usual + 10
        with worker.giving_way():
            pass
        assert worker.submit(niceness).result(20) == usual + 10
        assert niceness() == usual, "who asks goes first"
    assert worker.submit(niceness).result(20) <= usual + 1
    with pytest.raises(ModelError, match="no such network"):
        worker.submit(refuse).result(20)
    worker.shutdown()


def refuse() -> int:
    raise ModelError("no such network")
