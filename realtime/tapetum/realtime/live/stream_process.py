"""The process of a `StreamSink`: frames or packets on stdin, H.264 to an address."""

from __future__ import annotations

import argparse
import sys
import time
from fractions import Fraction

import av
from av.error import FFmpegError

from tapetum.realtime.errors import MediaError
from tapetum.realtime.live.live_source import TIME_BASE
from tapetum.realtime.live.sinks.encoded_output import EncodedOutput
from tapetum.realtime.media.av_frame import from_av
from tapetum.realtime.media.containers import Container
from tapetum.realtime.media.media_errors import reason

_MUXERS = {"rtmp": "flv", "rtmps": "flv", "rtsp": "rtsp", "srt": "mpegts", "udp": "mpegts"}
_OPTIONS = {"rtsp": {"rtsp_transport": "tcp"}}
"""By one connection, as it is read too: many servers take no other."""


PACKETS_OPTION = "--packets"
PACKETS = Container("", "nut", options={"flush_packets": "1"})
"""How packets come, with their times."""


def forward(url: str) -> None:
    """Send the H.264 packets of stdin until it ends.

    Raises:
        MediaError: the address cannot be opened or written.
    """
    muxer = _muxer_of(url)
    at_once = {"probesize": "32", "analyzeduration": "0", "fpsprobesize": "0"}
    with av.open("pipe:0", format=PACKETS.format_name, options=at_once) as given:
        (video,) = given.streams.video
        options = _OPTIONS.get(muxer, {})
        try:
            with av.open(url, "w", format=muxer, container_options=options) as output:
                stream = output.add_stream_from_template(video)
                for packet in given.demux(video):
                    if packet.size:
                        packet.stream = stream
                        output.mux(packet)
        except (FFmpegError, OSError, ValueError) as error:
            raise MediaError(f"cannot write {url}: {reason(error)}") from error


def _muxer_of(url: str) -> str:
    return _MUXERS.get(url.partition(":")[0], "mpegts")


def send(url: str) -> None:
    """Encode and send the frames of stdin until it ends; each gets the time of its arrival.

    Raises:
        MediaError: the address cannot be opened or written.
    """
    muxer = _muxer_of(url)
    output: EncodedOutput | None = None
    first_s = time.monotonic()
    last_pts = -1
    with av.open("pipe:0", format="yuv4mpegpipe", options={"probesize": "32"}) as frames:
        rate = frames.streams.video[0].average_rate
        for picture in frames.decode(video=0):
            last_pts = max(last_pts + 1, round((time.monotonic() - first_s) / TIME_BASE))
            frame = from_av(picture, pts=last_pts, time_base=TIME_BASE)
            if output is None:
                container = Container("", muxer, options=_OPTIONS.get(muxer, {}))
                output = EncodedOutput(
                    url, container, frame, name=url, rate=Fraction(rate) if rate else None
                )
            output.write(frame)
    if output is not None:
        output.close()


def main() -> int:
    """Run the process; what goes wrong is one line on stderr and status 1."""
    parser = argparse.ArgumentParser(
        description="Sends video from standard input as H.264; `tapetum live` starts it."
    )
    parser.add_argument("url", metavar="URL", help="where to, like udp://192.168.1.20:5000")
    parser.add_argument(
        PACKETS_OPTION, action="store_true", help="read H.264 in NUT, and not frames as y4m"
    )
    given = parser.parse_args()
    try:
        (forward if given.packets else send)(given.url)
    except (MediaError, FFmpegError) as error:
        sys.stderr.write(f"error: {error if isinstance(error, MediaError) else reason(error)}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
