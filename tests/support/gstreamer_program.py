"""A program on GStreamer, run by the system's Python: a live pipeline whose properties change.

It prints a JSON object: luma of dark frames at strength 1 and at 0, the latency in ms without and
with the element, and the error after a model that is not there.
"""

import json
import sys
from typing import Any

import gi

gi.require_version("Gst", "1.0")
from gi.repository import Gst  # noqa: E402

CAPS = "video/x-raw,format=I420,width=320,height=240,framerate=25/1"
DARK = f"videotestsrc is-live=true pattern=gradient ! videobalance brightness=-0.3 ! {CAPS}"


def started(elements: str) -> Any:
    pipeline = Gst.parse_launch(f"{DARK} ! {elements} ! appsink name=sink drop=true max-buffers=1")
    pipeline.set_state(Gst.State.PLAYING)
    pipeline.get_state(60 * Gst.SECOND)
    return pipeline


def luma(pipeline: Any) -> float:
    for _ in range(3):  # the first may be from before
        sample = pipeline.get_by_name("sink").emit("pull-sample")
    data = sample.get_buffer().extract_dup(0, 320 * 240)
    return float(sum(data) / len(data))


def latency_ms(pipeline: Any) -> float:
    query = Gst.Query.new_latency()
    assert pipeline.query(query)
    return float(query.parse_latency()[1] / Gst.MSECOND)


Gst.init(None)
without, pipeline = started("identity"), started("tapetum name=t when-dark=false")
element = pipeline.get_by_name("t")
said = {"bright": luma(pipeline), "latency_ms": [latency_ms(without), latency_ms(pipeline)]}
element.set_property("strength", 0.0)
said["as_it_was"] = luma(pipeline)
element.set_property("strength", 1.0)
said["bright_again"] = luma(pipeline)
element.set_property("model", "/gone.onnx")
message = pipeline.get_bus().timed_pop_filtered(30 * Gst.SECOND, Gst.MessageType.ERROR)
said["error"] = message.parse_error()[0].message if message is not None else None
pipeline.set_state(Gst.State.NULL)
without.set_state(Gst.State.NULL)
json.dump(said, sys.stdout)
