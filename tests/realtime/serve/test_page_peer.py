"""Which connection the page asks the server for, by node."""

from __future__ import annotations

import shutil

import pytest
from support.browser_modules import by_node
from support.command_line import ROOT

pytestmark = pytest.mark.skipif(shutil.which("node") is None, reason="needs node")

PAGE = ROOT / "realtime" / "tapetum" / "realtime" / "serve" / "page"

SCRIPT = """const gathering = [];
globalThis.RTCPeerConnection = class {
    localDescription = { sdp: "" };
    constructor() { gathering.push(this); }
    addTransceiver() {}
    getTransceivers() { return []; }
    setLocalDescription() {}
    setRemoteDescription() {}
    close() {}
    gathered() { this.iceGatheringState = "complete"; this.onicegatheringstatechange(); }
};
const soon = () => new Promise((resolve) => setTimeout(resolve));
const answers = await Promise.all(questions.map(async ({ order }) => {
    const asked = [];
    let wanted = 0;
    const link = { ask: async (_type, { stream }) => { asked.push(stream); return { sdp: "" }; } };
    gathering.length = 0;
    for (const stream of [1, 2]) {
        wanted = stream;
        const isWanted = () => wanted === stream;
        module.connectPeer({ link, stream, look: () => ({}), isWanted }).catch(() => {});
    }
    await soon();
    for (const place of order) { gathering[place].gathered(); await soon(); }
    return asked;
}));
setTimeout(() => process.exit()).unref();"""


@pytest.mark.parametrize("order", [[0, 1], [1, 0]])
def test_only_the_connection_that_is_wanted_last_is_asked_for(order: list[int]) -> None:
    """One that is ready late, as on a busy machine, took the other's answer away."""
    assert by_node("peer.js", SCRIPT, [{"order": order}], folder=PAGE) == [[2]]
