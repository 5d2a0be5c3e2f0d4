"""Encoders give way to the rest of the machine, as all else here does."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import av
import pytest
from support.command_line import ROOT, environment

from tapetum.realtime import EncoderSettings, FileSink, FileSource, SyntheticSource
from tapetum.realtime.live.sinks.recording_sink import RecordingSink
from tapetum.realtime.media.thread_priority import without_real_time_threads

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="policies of threads are Linux's"),
]

SAMPLE = ROOT / "samples" / "dark_room.mp4"

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
def test_a_recording_of_ten_bits_gets_no_real_time_threads_of_root(tmp_path: Path) -> None:
    before = policies()
    sink = RecordingSink(tmp_path / "out.webm")
    frame = next(iter(SyntheticSource(64, 48, format_name="yuv420p10le")))
    sink.write(frame)
    assert policies() <= before
    sink.close()
    with av.open(str(tmp_path / "out.webm")) as container:
        assert container.streams.video[0].codec_context.name in ("libdav1d", "av1")


@needs_root
def test_one_core_is_enough_for_svt_av1(tmp_path: Path) -> None:
    """Real-time threads that wait for each other would never end on it."""
    core = min(os.sched_getaffinity(0))
    command = [sys.executable, "-m", "tapetum.realtime", "enhance", str(SAMPLE), "out.mkv"]
    subprocess.run(
        ["taskset", "-c", str(core), *command, "--codec", "av1", "--duration", "0.2"],
        cwd=tmp_path,
        env=environment(),
        check=True,
        capture_output=True,
        timeout=120,
    )
    assert (tmp_path / "out.mkv").stat().st_size > 1000


@needs_root
def test_only_while_an_encoder_opens_nobody_may_have_real_time_threads() -> None:
    own = os.sched_getscheduler(0)

    def fail() -> None:
        with without_real_time_threads():
            os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))

    with pytest.raises(PermissionError):
        fail()
    os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))  # allowed again
    os.sched_setscheduler(0, own, os.sched_param(0))


def test_no_test_before_made_this_thread_a_real_time_one() -> None:
    assert os.sched_getscheduler(0) != os.SCHED_FIFO


def test_whoever_may_do_without_it_can() -> None:
    own = os.sched_getscheduler(0)
    with without_real_time_threads():
        assert os.sched_getscheduler(0) == own
