"""Where what is built on a machine is kept for its next start: engines, kernels, networks.

Small things, which are soon built anew, are kept here by a name that holds all that they depend
on, with a checksum. Engines, which take minutes, have more of their own: `trt_build.engine_cache`.
"""

from __future__ import annotations

import hashlib
import logging
import os
from pathlib import Path

from tapetum.gan.errors import EngineError
from tapetum.gan.whole_file import write_whole

_log = logging.getLogger(__name__)

_CHECKSUM_BYTES = hashlib.sha256().digest_size


def cache_folder() -> Path:
    """`$TAPETUM_CACHE`, or `tapetum/engines` in the user's cache folder.

    Raises:
        EngineError: the user, like those of some containers, has no home folder.
    """
    named = os.environ.get("TAPETUM_CACHE")
    if named:
        return Path(named)
    try:
        base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    except RuntimeError as error:
        raise EngineError(
            "there is no home folder to keep engines in; name a folder in TAPETUM_CACHE"
        ) from error
    return Path(base) / "tapetum" / "engines"


def kept_content(name: str) -> bytes:
    """What was kept by a name; empty where that is nothing, or is no longer whole."""
    try:
        content = (cache_folder() / name).read_bytes()
    except (EngineError, OSError):
        return b""
    checksum, content = content[:_CHECKSUM_BYTES], content[_CHECKSUM_BYTES:]
    return content if checksum == hashlib.sha256(content).digest() else b""


def keep_content(name: str, content: bytes) -> None:
    """Keep something by a name, if there is a folder that takes it; else the log says why not."""
    try:
        path = cache_folder() / name
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, hashlib.sha256(content).digest() + content)
    except (EngineError, OSError) as error:
        _log.info("%s is not kept: %s", name, error)
