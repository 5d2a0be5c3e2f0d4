"""Which picture the page shows before the divider, by node."""

from __future__ import annotations

import shutil

import pytest
from support.browser_modules import by_node
from support.command_line import ROOT

pytestmark = pytest.mark.skipif(shutil.which("node") is None, reason="needs node")

PAGE = ROOT / "realtime" / "tapetum" / "realtime" / "serve" / "page"

SCRIPT = """let closed = 0;
globalThis.createImageBitmap = async ({ time }) => ({ time, close() { closed += 1; } });
const answers = [];
for (const { intervalMs, ageMs } of questions) {
    closed = 0;
    const drawn = [];
    const canvas = { getContext: () => ({ drawImage: ({ time }) => drawn.push(time) }) };
    const original = new module.Original(canvas);
    for (let time = 0; time < 200 * intervalMs; time += intervalMs) {
        await original.keep({ time, videoWidth: 1 }, time);
        original.show(time - ageMs);
    }
    answers.push({ drawn: drawn.slice(50), kept: 200 - closed });
}"""


@pytest.mark.parametrize(("interval_ms", "age_ms"), [(33, 600), (125, 2000), (500, 5000)])
def test_both_halves_are_one_moment_on_a_busy_machine_too(interval_ms: int, age_ms: int) -> None:
    """Its enhanced pictures come late; and pictures are large, so that few can be kept."""
    asked = [{"intervalMs": interval_ms, "ageMs": age_ms}]
    (answer,) = by_node("original.js", SCRIPT, asked, folder=PAGE)
    assert answer["kept"] <= 21
    for number, time in enumerate(answer["drawn"], start=50):
        assert abs(time - (number * interval_ms - age_ms)) <= interval_ms / 2
