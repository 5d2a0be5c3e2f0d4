"""The plugins' measurements: that they measure what they say."""

from __future__ import annotations

import shutil

import pytest

from tapetum.benchmarks.experiments.plugin_worker import hand_over, kill_workers

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("cc") is None, reason="needs a C compiler"),
]


def test_no_frame_is_torn_by_twenty_kills() -> None:
    figures = kill_workers(20, busy=0, limit_s=45)
    assert figures["torn"] == 0
    assert int(str(figures["kills"])) > 0
    assert 0 < int(str(figures["enhanced"])) < int(str(figures["frames"]))


def test_handing_over_is_measured_beside_the_same_enhancing() -> None:
    figures = hand_over((320, 240), rounds=3)
    assert figures["over_ms"] == pytest.approx(
        figures["by_worker_ms"] - figures["inside_ms"], abs=0.002
    )
