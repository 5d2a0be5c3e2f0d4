"""A browser's offer (SDP, RFC 8866), made such that this server can answer it well."""

from __future__ import annotations

import re

_HIDDEN = re.compile(r"a=end-of-candidates|a=candidate:(\S+ ){4}\S+\.local ")
_VIDEO = re.compile(r"^(m=video \S+ \S+) ([\d ]+)", re.MULTILINE)
_VP8 = re.compile(r"^a=rtpmap:(\d+) VP8/", re.MULTILINE)


def without_hidden_addresses(offer_sdp: str) -> str:
    """An offer without the names (`....local`) under which a browser hides its addresses.

    Such a name is told by multicast, which many networks, containers and machines do not have;
    waiting for it holds the answer up, and a connection of which no address is left is given up.
    Neither is needed: the browser calls us, and we answer where the call came from. For the same
    reason nobody may say that no more addresses follow.
    """
    kept = (line for line in offer_sdp.splitlines(keepends=True) if not _HIDDEN.match(line))
    return "".join(kept)


def has_vp8(offer_sdp: str) -> bool:
    """Whether an offer has VP8."""
    return _VP8.search(offer_sdp) is not None


def with_vp8_first(offer_sdp: str) -> str:
    """An offer that prefers VP8, where it has it, in every video: what is preferred is answered.

    All browsers have it (RFC 7742, section 5), and Firefox has H.264 only after a download.
    """
    types = set(_VP8.findall(offer_sdp))

    def reordered(video: re.Match[str]) -> str:
        offered = video[2].split()
        return " ".join([video[1], *sorted(offered, key=lambda number: number not in types)])

    return _VIDEO.sub(reordered, offer_sdp)
