"""Finds damage in sound that is copied as it is: each packet is decoded beside."""

from __future__ import annotations

from fractions import Fraction

from av.audio.codeccontext import AudioCodecContext
from av.audio.stream import AudioStream
from av.codec.context import CodecContext
from av.error import FFmpegError
from av.packet import Packet
from av.stream import Stream

from tapetum.realtime.media.lossless_unit import LosslessUnits

_ONE_FRAME_A_PACKET = {"ac3", "alac", "dts", "eac3", "flac", "mp2", "mp3", "tta", "wavpack"}
"""Codecs whose decoders answer each packet that is whole with sound, once they have begun."""
_TOLD_BY_DECODING = _ONE_FRAME_A_PACKET | {"aac", "mlp", "opus", "truehd", "vorbis"}
"""Codecs whose decoders refuse what is damaged; others decode anything, or need more of a file.

Vorbis and Opus refuse little: by their formats a packet may end anywhere, and any bits are sound.
"""
_WITH_PARITY = {"mlp", "truehd"}
_MADE_UP_IF_CUT = "mp2"
"""Its decoder takes zeros for what is missing of a frame; its parser knows how long that is."""
_WITH_CHECKSUMS = {"ac3", "dts", "eac3", "flac", "mlp", "truehd", "tta", "wavpack"}
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
        self._answers = name in _ONE_FRAME_A_PACKET
        self._has_begun = False
        self._units = LosslessUnits() if name in _WITH_PARITY else None
        self._parser = _parser() if name == _MADE_UP_IF_CUT else None
        self.last_is_good = True
        if self._context is not None and name in _WITH_CHECKSUMS:
            self._context.options = {"err_detect": "crccheck+explode"}

    def damaged(self, packet: Packet[Stream], time: int) -> list[int]:
        """The times of packets, this one or the one before, that turn out to be damaged."""
        if self._context is None or not packet.size:
            return []
        found = [] if self._doubtful is None else [self._doubtful]
        self._doubtful = None
        decodes = self._decodes(self._context, packet)
        # FFmpeg's encoder of TrueHD makes streams of which its newer decoders take nothing.
        is_unknown = self._units is not None and not self._has_begun
        self.last_is_good = (decodes or is_unknown) and self._is_whole(packet)
        if self.last_is_good or self._warm_up > 0:
            self._warm_up -= 1
        elif self._may_be_cut:
            self._doubtful = time
        else:
            found.append(time)
        return found

    def _is_whole(self, packet: Packet[Stream]) -> bool:
        """Whether a packet is as its own lengths and parities say."""
        if self._units is not None:
            whole = self._units.is_whole(bytes(packet))
            return self._units.follows(Fraction((packet.dts or 0) * packet.time_base)) and whole
        if self._parser is None:
            return True
        whole = sum(frame.size for frame in self._parser.parse(bytes(packet))) == packet.size
        if not whole:  # it waits for the rest
            self._parser = _parser()
        return whole

    def _decodes(self, context: AudioCodecContext, packet: Packet[Stream]) -> bool:
        try:
            frames = context.decode(packet)
        except FFmpegError:
            return False
        if any(frame.is_corrupt for frame in frames):
            return False
        is_silent = self._answers and self._has_begun and not frames
        self._has_begun = self._has_begun or bool(frames)
        # What is marked to be left out, at the begin and the end, gives no sound either.
        return not is_silent or packet.has_sidedata("skip_samples")


def _parser() -> CodecContext:
    return CodecContext.create(_MADE_UP_IF_CUT, "r")
