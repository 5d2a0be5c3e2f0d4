"""The other end of a network stream, in a process of its own: `network_peer.py send|receive URL`.

`send` is an HTTP server that broadcasts a dark picture until it is stopped. `receive` waits for a
sender, takes 30 frames and prints their size and how bright the last one is, as JSON.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from http.server import BaseHTTPRequestHandler, HTTPServer
from itertools import islice
from urllib.parse import urlsplit

import av
import numpy as np
from command_line import environment

RATE = 30


class Broadcast(BaseHTTPRequestHandler):
    """Answers with MPEG-TS that does not end."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "video/mp2t")
        self.end_headers()
        with (
            av.open("color=c=0x101010:s=96x64:r=30", format="lavfi") as pattern,
            av.open(self.wfile, "w", format="mpegts") as output,
        ):
            stream = output.add_stream(
                "libx264", RATE, options={"preset": "ultrafast", "tune": "zerolatency", "g": "15"}
            )
            stream.width, stream.height, stream.pix_fmt = 96, 64, "yuv420p"
            for count, picture in enumerate(pattern.decode(video=0)):
                frame = picture.reformat(format="yuv420p")
                frame.pts, frame.time_base = count, Fraction(1, RATE)
                output.mux(stream.encode(frame))
                time.sleep(1 / RATE)


def send(url: str) -> None:
    address = urlsplit(url)
    HTTPServer((address.hostname or "", address.port or 0), Broadcast).serve_forever()


def receive(url: str) -> None:
    listen = (
        {"rtsp_flags": "listen", "listen_timeout": "20"}
        if url.startswith("rtsp")
        else {"listen": "1"}
    )
    with av.open(url, options=listen) as stream:
        *_, last = islice(stream.decode(video=0), 30)
        told = {"size": [last.width, last.height], "luma": float(np.mean(last.to_ndarray()[:64]))}
        sys.stdout.write(json.dumps(told))


@contextmanager
def peer(action: str, url: str) -> Iterator[subprocess.Popen[str]]:
    """The process, running; it is killed at the end if it still runs."""
    with subprocess.Popen(
        [sys.executable, __file__, action, url],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env=environment(),
    ) as process:
        try:
            yield process
        finally:
            process.kill()


if __name__ == "__main__":
    {"send": send, "receive": receive}[sys.argv[1]](sys.argv[2])
