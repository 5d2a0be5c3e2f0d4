"""The measurement of viewers, once and briefly."""

from __future__ import annotations

from typing import Any

import pytest

pytest.importorskip("aiohttp")
pytest.importorskip("aiortc")

from tapetum.benchmarks.experiments.chromium import find_chromium
from tapetum.benchmarks.experiments.viewers import viewers

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(find_chromium() is None, reason="needs Chromium: apt-get install chromium"),
]


@pytest.mark.parametrize("place", ["server", "browser"])
def test_each_viewer_is_looked_at_and_the_server_s_time_is_told_apart(place: str) -> None:
    result: dict[str, Any] = viewers(2, rate=10, place=place, seconds=3)
    assert len(result["viewers"]) == 2
    for seen in result["viewers"]:
        assert seen["fps"] > 0
        assert seen["age_ms"] > 0
        assert seen["dark_percent"] == 0
    assert result["server_percent_of_a_core"] > 0
