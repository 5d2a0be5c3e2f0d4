"""The one place that makes threads: order, bounds, errors and clean ends."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.command_line import python
from support.live_parts import wait_until

from tapetum.realtime import MemorySink, SyntheticSource
from tapetum.realtime.errors import MediaError
from tapetum.realtime.frame import Frame
from tapetum.realtime.prefetch import Channel, Prefetch, WriteBehind

pytestmark = pytest.mark.usefixtures("no_thread_is_left")


@given(items=st.lists(st.integers(), max_size=30), depth=st.integers(1, 5))
def test_wait_yields_everything_in_order(items: list[int], depth: int) -> None:
    with Prefetch(items, depth=depth) as ahead:
        assert list(ahead) == items
        assert ahead.dropped == 0


def test_wait_reads_no_further_ahead_than_its_depth() -> None:
    read: list[int] = []

    def numbers() -> Iterator[int]:
        for number in range(100):
            read.append(number)
            yield number

    with Prefetch(numbers(), depth=3) as ahead:
        wait_until(lambda: len(read) == 4)  # three wait, and the producer holds one more
        assert next(ahead) == 0
        wait_until(lambda: len(read) == 5)


def test_drop_oldest_keeps_the_newest_and_counts_the_rest() -> None:
    done = threading.Event()

    def numbers() -> Iterator[int]:
        yield from range(10)
        done.set()

    with Prefetch(numbers(), depth=2, policy="drop_oldest") as ahead:
        done.wait(5)
        assert list(ahead) == [8, 9]
        assert ahead.dropped == 8


def test_an_error_is_raised_to_the_reader_after_the_items_before_it() -> None:
    def numbers() -> Iterator[int]:
        yield 1
        raise MediaError("the cable came out")

    with Prefetch(numbers()) as ahead:
        assert next(ahead) == 1
        with pytest.raises(MediaError, match="cable"):
            next(ahead)
        assert list(ahead) == []


def test_closing_early_ends_an_endless_source() -> None:
    ahead = Prefetch(SyntheticSource(16, 16, frames=None))
    next(ahead)
    ahead.close()
    ahead.close()
    assert list(ahead) == []


def test_an_interrupt_in_the_loop_leaves_no_thread() -> None:
    def loop() -> None:
        with Prefetch(SyntheticSource(16, 16, frames=None)) as ahead:
            next(ahead)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        loop()


def test_an_interrupt_gets_through_to_a_reader_that_waits() -> None:
    shown = python("""
import signal, threading, time
from tapetum.realtime import Prefetch

def nothing():
    time.sleep(1)
    yield from ()

main = threading.main_thread().ident
threading.Timer(0.2, lambda: signal.pthread_kill(main, signal.SIGINT)).start()
try:
    with Prefetch(nothing()) as ahead:
        next(ahead)
except KeyboardInterrupt:
    print("interrupted", threading.active_count())
""")
    assert shown == "interrupted 1\n"


def test_a_channel_holds_at_least_one_item() -> None:
    with pytest.raises(ValueError, match="depth 0"):
        Channel(0)


def test_write_behind_writes_all_frames_in_order_and_closes_the_sink() -> None:
    memory = MemorySink()
    writer = WriteBehind(memory, depth=2)
    frames = list(SyntheticSource(16, 16, frames=9))
    for frame in frames:
        writer.write(frame)
    writer.close()
    assert memory.frames == frames
    assert memory.closed


def test_a_sink_that_is_slow_and_not_stuck_gets_all_that_waits() -> None:
    """As an encoder on a full machine: each frame is in time, all of them are not."""

    class SlowSink(MemorySink):
        def write(self, frame: Frame) -> None:
            time.sleep(0.3)
            super().write(frame)

    sink = SlowSink()
    behind = WriteBehind(sink, depth=6)
    frames = list(SyntheticSource(16, 16, frames=6))
    for frame in frames:
        behind.write(frame)
    behind.close(timeout_s=1.5)
    assert len(sink.frames) == 6


def test_discard_does_not_wait_for_a_sink_that_is_behind() -> None:
    memory = MemorySink()
    writer = WriteBehind(memory)
    for frame in SyntheticSource(16, 16, frames=4):
        writer.write(frame)
    writer.discard()
    assert memory.frames == []
    assert memory.closed


class FullDisk(MemorySink):
    """Takes two frames."""

    def write(self, frame: Frame) -> None:
        if len(self.frames) == 2:
            raise MediaError("the disk is full")
        super().write(frame)


def test_an_error_of_the_sink_is_raised_by_a_later_write() -> None:
    writer = WriteBehind(FullDisk())

    def write_for_ever() -> None:
        for frame in SyntheticSource(16, 16, frames=None):
            writer.write(frame)

    with pytest.raises(MediaError, match="disk is full"):
        write_for_ever()
    writer.discard()


def test_an_error_of_the_sink_is_raised_by_close() -> None:
    writer = WriteBehind(FullDisk(), depth=8)
    for frame in SyntheticSource(16, 16, frames=3):
        writer.write(frame)
    with pytest.raises(MediaError, match="disk is full"):
        writer.close()
    writer.discard()


def test_an_event_loop_gets_what_a_thread_puts_and_goes_on_meanwhile() -> None:
    channel: Channel[int] = Channel(depth=1, policy="drop_oldest")
    got = list[int]()

    def produce() -> None:
        for number in range(3):
            while len(got) < number:
                time.sleep(0.001)
            channel.put(number)
        channel.end(MediaError("the camera is gone"))

    async def receive_all() -> None:
        while True:
            got.append(await channel.receive())

    async def scenario() -> None:
        with pytest.raises(MediaError, match="camera is gone"):
            await receive_all()
        with pytest.raises(StopAsyncIteration):
            await channel.receive()

    producer = threading.Timer(0.05, produce)
    producer.start()
    asyncio.run(scenario())
    producer.join()
    assert got == [0, 1, 2]


def test_who_waits_in_an_event_loop_is_told_of_the_end() -> None:
    async def scenario() -> None:
        channel: Channel[int] = Channel()
        asyncio.get_running_loop().call_later(0.01, channel.close)
        with pytest.raises(StopAsyncIteration):
            await asyncio.wait_for(channel.receive(), 20)

    asyncio.run(scenario())
