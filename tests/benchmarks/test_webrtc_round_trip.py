"""The measurement of WebRTC round trips, once and briefly."""

from __future__ import annotations

from typing import Any

import pytest

pytest.importorskip("aiohttp")
pytest.importorskip("aiortc")

from tapetum.benchmarks.experiments import webrtc as measurement
from tapetum.benchmarks.experiments.chromium import find_chromium
from tapetum.benchmarks.experiments.webrtc import webrtc_round_trip
from tapetum.benchmarks.measure.errors import BenchmarkError

pytestmark = pytest.mark.slow

needs_chromium = pytest.mark.skipif(
    find_chromium() is None, reason="needs Chromium: apt-get install chromium"
)


@needs_chromium
def test_ages_are_measured_without_and_with_enhancing_in_turns() -> None:
    result: dict[str, Any] = webrtc_round_trip(4, pairs=2)
    ages = result["age_ms"]
    for kind in ("plain", "enhanced"):
        assert ages[kind]["pictures"] > 0
        assert 0 < ages[kind]["p50"] <= ages[kind]["p95"]
    difference = ages["enhanced"]["p95"] - ages["plain"]["p95"]
    assert result["added_p95_ms"] == pytest.approx(difference, abs=0.2)
    assert (len(result["added_p95_of_pairs_ms"]), result["block_s"]) == (2, 2.0)
    assert result["size"] == "640x360"


@needs_chromium
def test_a_picture_that_is_not_enhanced_is_not_measured_as_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(measurement, "_SET_STRENGTH", "%d")  # which leaves it at 100 %
    with pytest.raises(BenchmarkError, match=r"at strength 0 % the mode is grid\S*, the level \d+"):
        webrtc_round_trip(1, pairs=1)
