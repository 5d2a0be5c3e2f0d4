"""Encoders give way to the rest of the machine, as all else here does."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from tapetum.realtime import EncoderSettings, FileSink, FileSource
from tapetum.realtime.media.thread_priority import kept_thread_policies

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="policies of threads are Linux's")

SAMPLE = Path(__file__).parent.parent / "samples/dark_room.mp4"

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root may have real-time threads")


def policies() -> set[int]:
    return {os.sched_getscheduler(int(task.name)) for task in Path("/proc/self/task").iterdir()}


@needs_root
def test_svt_av1_gets_no_real_time_threads_of_root(tmp_path: Path) -> None:
    before = policies()
    source = FileSource(SAMPLE)
    sink = FileSink(tmp_path / "out.mkv", info=source.info, encoder=EncoderSettings(codec="av1"))
    assert sink.description.startswith("libsvtav1")
    assert policies() <= before
    sink.discard()


@needs_root
def test_policies_are_taken_back_after_an_error_too() -> None:
    def fail() -> None:
        with kept_thread_policies():
            os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
            raise OSError("no encoder")

    own = os.sched_getscheduler(0)
    with pytest.raises(OSError, match="no encoder"):
        fail()
    assert os.sched_getscheduler(0) == own
