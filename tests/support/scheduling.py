"""Which tests run beside one another where several are tested at a time; a plug-in of pytest."""

from __future__ import annotations

from pathlib import PurePosixPath

import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

_LIVE = {"live", "serve", "plugins", "web"}


class LivePartsApart(LoadScopeScheduling):  # type: ignore[misc]  # xdist has no types
    """The tests of a file stay together.

    Those that look at real time, or start browsers and other programs, are not beside one another.
    """

    def _split_scope(self, nodeid: str) -> str:
        path = PurePosixPath(nodeid.partition("::")[0])
        is_live = bool(_LIVE & set(path.parts)) or "webrtc" in path.name
        return "live" if is_live else str(path)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> LivePartsApart:
    """What pytest-xdist hands tests out by."""
    return LivePartsApart(config, log)
