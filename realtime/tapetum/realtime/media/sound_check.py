"""Finds damage in sound that is copied as it is: each packet is decoded beside."""

from __future__ import annotations

from av.audio.codeccontext import AudioCodecContext
from av.audio.stream import AudioStream
from av.error import FFmpegError
from av.packet import Packet
from av.stream import Stream

_TOLD_BY_DECODING = {"aac", "ac3", "alac", "eac3", "flac", "mp2", "mp3", "opus", "vorbis"}
"""Codecs whose decoders refuse what is damaged; others decode anything, or need more of a file."""
_WITH_CHECKSUMS = {"ac3", "eac3", "flac"}
_WARM_UP_PACKETS = 8
"""Packets after a begin in mid-stream that may refer to what is not there."""


class SoundCheck:
    """Tells of the packets of one stream whether they can be decoded.

    Args:
        stream: of the input, whose packets nobody else decodes.
        from_the_middle: whether the first packets may be the rest of something, and the last one
            the begin of something.

    Attributes:
        last_is_good: whether the last packet was.
    """

    def __init__(self, stream: Stream, *, from_the_middle: bool) -> None:
        context = stream.codec_context if isinstance(stream, AudioStream) else None
        name = "" if context is None else str(context.codec.canonical_name)
        self._context = context if name in _TOLD_BY_DECODING else None
        self._warm_up = _WARM_UP_PACKETS if from_the_middle else 0
        self._may_be_cut = from_the_middle
        self._doubtful: int | None = None
        self.last_is_good = True
        if self._context is not None and name in _WITH_CHECKSUMS:
            self._context.options = {"err_detect": "crccheck+explode"}

    def damaged(self, packet: Packet[Stream], time: int) -> list[int]:
        """The times of packets, this one or the one before, that turn out to be damaged."""
        if self._context is None or not packet.size:
            return []
        found = [] if self._doubtful is None else [self._doubtful]
        self._doubtful = None
        self.last_is_good = _decodes(self._context, packet)
        if self.last_is_good or self._warm_up > 0:
            self._warm_up -= 1
        elif self._may_be_cut:
            self._doubtful = time
        else:
            found.append(time)
        return found


def _decodes(context: AudioCodecContext, packet: Packet[Stream]) -> bool:
    try:
        context.decode(packet)
    except FFmpegError:
        return False
    return True
