"""What a browser sends, decoded in time: pictures that newer ones wait behind are left out.

aiortc puts what it received in a queue without an end before its decoder. On a busy machine that
queue grows, and the picture becomes seconds old. Here two things keep it short. A decoded picture
is not worked on while others wait to be decoded, so that the decoder gets the time. And where they
have waited too long all of them are thrown away, and the browser is asked for a picture that needs
none of them: a keyframe, by the PLI of RFC 4585, section 6.3.1.

The queue is one of aiortc's private parts. Where another version has other parts nothing is left
out, and pictures may come late.
"""

from __future__ import annotations

import queue
import re
import threading
import time
from collections.abc import Callable
from typing import Any

LONGEST_WAIT_S = 0.3
"""What waits for longer than this before the decoder is thrown away."""
ASK_AGAIN_S = 1.0
"""A keyframe that has not come after this time is asked for again."""
SHOWN_AT_LEAST_S = 0.2
"""One picture in this time is worked on, however many wait: a late one is better than none."""
_H264_KEYFRAME = re.compile(rb"\x00\x00\x01[\x05\x07\x25\x27\x45\x47\x65\x67]")
"""A NAL unit of type 5 or 7 after its start code (ITU-T H.264, table 7-1 and annex B)."""


class DecoderQueue(queue.Queue[Any]):
    """Encoded pictures before a decoder: the queue begins anew where it is too long.

    Attributes:
        thrown_away: pictures that were not decoded.
    """

    def __init__(
        self, ask_for_keyframe: Callable[[], None], *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Make an empty queue.

        Args:
            ask_for_keyframe: called when one is needed.
            clock: seconds that never run backward.
        """
        super().__init__()
        self.thrown_away = 0
        self._ask_for_keyframe = ask_for_keyframe
        self._clock = clock
        self._asked_s: float | None = None
        self._shown_s = clock()

    def put(self, item: Any, block: bool = True, timeout: float | None = None) -> None:  # noqa: ANN401
        """Add a codec and a picture encoded by it, or None at the end; it never waits."""
        if item is None or self._is_wanted(*item):
            super().put(item, block, timeout)

    def begin_anew(self) -> None:
        """Throw away what waits, and all that comes until the keyframe that is asked for."""
        with self.mutex:
            self.thrown_away += len(self.queue)
            self.queue.clear()
        self._asked_s = self._clock()
        self._ask_for_keyframe()

    def outdates(self) -> bool:
        """Whether the picture that was decoded last is not worth more work: newer ones wait."""
        now_s = self._clock()
        if not self.empty() and now_s - self._shown_s < SHOWN_AT_LEAST_S:
            return True
        self._shown_s = now_s
        return False

    def _put(self, item: Any) -> None:  # noqa: ANN401 - called by `put`, as `queue` says
        self.queue.append((self._clock(), item))

    def _get(self) -> Any:  # noqa: ANN401 - called by `get`
        return self.queue.popleft()[1]

    def _is_wanted(self, codec: Any, encoded: Any) -> bool:  # noqa: ANN401
        now_s = self._clock()
        with self.mutex:
            if self.queue and now_s - self.queue[0][0] > LONGEST_WAIT_S:
                self.thrown_away += len(self.queue)
                self.queue.clear()
                self._asked_s = float("-inf")
        if self._asked_s is None or is_keyframe(codec.name, encoded.data):
            self._asked_s = None
            return True
        self.thrown_away += 1
        if now_s - self._asked_s >= ASK_AGAIN_S:
            self._asked_s = now_s
            self._ask_for_keyframe()
        return False


def is_keyframe(codec: str, encoded: bytes) -> bool:
    """Whether an encoded picture needs no other; so it is said of a codec that is not known.

    Args:
        codec: as SDP calls it: "VP8" (RFC 6386, section 9.1) or "H264", with start codes.
        encoded: the picture.
    """
    if codec == "VP8":
        return bool(encoded) and not encoded[0] & 1
    return codec != "H264" or _H264_KEYFRAME.search(encoded) is not None


def shorten_queue(receiver: Any) -> DecoderQueue | None:  # noqa: ANN401 - aiortc has no types
    """Give an `RTCRtpReceiver`, before it starts, a queue that stays short, if it can have one."""
    name, error = "_RTCRtpReceiver__decoder_queue", "_RTCRtpReceiver__decoder_error"
    lost = getattr(receiver, error, None)  # set, it lets the receiver send a PLI
    if not isinstance(getattr(receiver, name, None), queue.Queue) or not isinstance(
        lost, threading.Event
    ):
        return None
    waiting = DecoderQueue(lost.set)
    setattr(receiver, name, waiting)
    return waiting
