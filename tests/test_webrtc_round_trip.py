"""The measurement of WebRTC round trips, once and briefly."""

from __future__ import annotations

from typing import Any

import pytest

pytest.importorskip("aiohttp")
pytest.importorskip("aiortc")

from tapetum.benchmarks.chromium import find_chromium
from tapetum.benchmarks.webrtc_round_trip import webrtc_round_trip


@pytest.mark.skipif(find_chromium() is None, reason="needs Chromium: apt-get install chromium")
def test_ages_are_measured_without_and_with_enhancing() -> None:
    result: dict[str, Any] = webrtc_round_trip(3, rounds=1)
    ages = result["age_ms"]
    for kind in ("plain", "enhanced"):
        assert ages[kind]["pictures"] > 0
        assert 0 < ages[kind]["p50"] <= ages[kind]["p95"]
    difference = ages["enhanced"]["p95"] - ages["plain"]["p95"]
    assert result["added_p95_ms"] == pytest.approx(difference, abs=0.2)
    assert result["size"] == "640x360"
