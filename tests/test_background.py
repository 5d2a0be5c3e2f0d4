"""A slow function in a thread: answers in time, late answers, errors, and the end."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator

import pytest
from live_parts import wait_until

from tapetum.realtime.background import Background
from tapetum.realtime.errors import ModelError


@pytest.fixture(autouse=True)
def no_thread_is_left() -> Iterator[None]:
    before = set(threading.enumerate())
    yield
    assert set(threading.enumerate()) == before


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
