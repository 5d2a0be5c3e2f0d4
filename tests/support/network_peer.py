"""The other end of a network stream, in a process: `support.network_peer send|jump|receive URL`.

`send` is an HTTP or RTSP server that broadcasts a dark picture until it is stopped; with
`jump` its times jump ahead by an hour after a second, and start anew after another. `receive` waits
for a sender, takes 30 frames and prints their size and how bright the last one is, as JSON.
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
from av.container import OutputContainer
from support.command_line import environment
from support.rtsp_server import serve_rtsp

RATE = 30


class Broadcast(BaseHTTPRequestHandler):
    """Answers with MPEG-TS that does not end."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "video/mp2t")
        self.end_headers()
        self.stream()

    def stream(self) -> None:
        with av.open(self.wfile, "w", format="mpegts") as output:
            play(output)


class JumpingBroadcast(Broadcast):
    """The same, as of an encoder that is started again and again."""

    def stream(self) -> None:
        while True:
            with av.open(self.wfile, "w", format="mpegts") as output:
                play(output, jump_s=3600, seconds=2)


def play(output: OutputContainer, *, jump_s: int = 0, seconds: int | None = None) -> None:
    """Write a dark picture, again and again, at its own pace; after a second its times may jump."""
    stream = output.add_stream(
        "libx264", RATE, options={"preset": "ultrafast", "tune": "zerolatency", "g": "15"}
    )
    stream.width, stream.height, stream.pix_fmt = 96, 64, "yuv420p"
    with av.open("color=c=0x101010:s=96x64:r=30", format="lavfi") as pattern:
        for count, picture in enumerate(pattern.decode(video=0)):
            frame = picture.reformat(format="yuv420p")
            if seconds is not None and count == seconds * RATE:
                return
            late_s = jump_s if count >= RATE else 0
            frame.pts, frame.time_base = count + late_s * RATE, Fraction(1, RATE)
            output.mux(stream.encode(frame))
            time.sleep(1 / RATE)


def send(url: str) -> None:
    address = urlsplit(url)
    if address.scheme == "rtsp":
        serve_rtsp(url, play)
    HTTPServer((address.hostname or "", address.port or 0), Broadcast).serve_forever()


def jump(url: str) -> None:
    address = urlsplit(url)
    HTTPServer((address.hostname or "", address.port or 0), JumpingBroadcast).serve_forever()


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
        [sys.executable, "-m", "support.network_peer", action, url],
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
    {"send": send, "jump": jump, "receive": receive}[sys.argv[1]](sys.argv[2])
