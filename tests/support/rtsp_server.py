"""A small RTSP server: plays one H.264 stream to each client over the RTSP connection (RFC 2326).

FFmpeg receives RTSP from a server, and sends it to one, but is no server that a client plays from.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from io import BufferedIOBase
from socketserver import StreamRequestHandler, ThreadingTCPServer
from urllib.parse import urlsplit

import av
from av.container import OutputContainer

SDP = (
    "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=tapetum\r\nt=0 0\r\nm=video 0 RTP/AVP 96\r\n"
    "a=rtpmap:96 H264/90000\r\na=fmtp:96 packetization-mode=1\r\na=control:video\r\n"
)
_RTCP_SENDER_REPORT = 200


class Interleaved:
    """RTP packets, each one write of FFmpeg's muxer, as section 10.12 puts them into TCP."""

    def __init__(self, connection: BufferedIOBase) -> None:
        self._connection = connection

    def write(self, packet: bytes) -> int:
        channel = 1 if packet[1] == _RTCP_SENDER_REPORT else 0
        self._connection.write(b"$" + bytes([channel]) + len(packet).to_bytes(2, "big") + packet)
        return len(packet)


def serve_rtsp(url: str, play: Callable[[OutputContainer], None]) -> None:
    """Serve until stopped; `play` writes video to what it is given until the client has gone."""

    class Session(StreamRequestHandler):
        def handle(self) -> None:
            with suppress(ConnectionError, av.error.FFmpegError):
                while (method := self._answer()) is not None:
                    if method == "PLAY":
                        options = {"packetsize": "1400", "payload_type": "96"}
                        packets = Interleaved(self.wfile)
                        with av.open(packets, "w", format="rtp", options=options) as output:
                            play(output)

        def _answer(self) -> str | None:
            """Answer one request, and return its method; None at the end."""
            method = self.rfile.readline().decode().partition(" ")[0]
            headers = dict[str, str]()
            while line := self.rfile.readline().decode().strip():
                name, _, value = line.partition(":")
                headers[name.lower()] = value.strip()
            body = SDP if method == "DESCRIBE" else ""
            answer = [
                "RTSP/1.0 200 OK",
                f"CSeq: {headers.get('cseq', 0)}",
                "Session: 1",
                "Public: OPTIONS, DESCRIBE, SETUP, PLAY, TEARDOWN",
                f"Content-Base: {url}/",
                f"Content-Length: {len(body)}",
            ]
            if method == "DESCRIBE":
                answer.append("Content-Type: application/sdp")
            if method == "SETUP":
                answer.append("Transport: RTP/AVP/TCP;unicast;interleaved=0-1")
            self.wfile.write("\r\n".join([*answer, "", body]).encode())
            return method or None

    class Server(ThreadingTCPServer):
        allow_reuse_address = True
        daemon_threads = True

    address = urlsplit(url)
    with Server((address.hostname or "", address.port or 0), Session) as server:
        server.serve_forever()
