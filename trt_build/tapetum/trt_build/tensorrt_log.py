"""TensorRT's messages: to `logging`, and its errors as one line that says what to do."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Any

from tapetum.gan.errors import EngineError

_log = logging.getLogger(__name__)

_REBUILD = "build the engine anew with this TensorRT and GPU"

_REMEDIES = (
    (
        (
            "please rebuild",
            "version tag",
            "magic tag",
            "serialization assertion",
            "minbuffersize",
            "empty memory buffer",
        ),
        _REBUILD,
    ),
    (
        (
            "out of memory",
            "out_of_memory",
            "outofmemory",
            "could not be allocated",
            "insufficient memory",
            "memory allocation",
        ),
        "close what else uses the GPU, or take a smaller --size",
    ),
    (
        (
            "driver version is insufficient",
            "installed cuda driver",
            "cuda initialization failure",
            "no cuda-capable device",
        ),
        "install or update the NVIDIA driver; nvidia-smi shows which CUDA it is for",
    ),
    (
        ("no kernel image", "target gpu sm", "unsupported sm", "compute capability"),
        "this TensorRT does not support this GPU; tapetum doctor lists what does",
    ),
)
"""What TensorRT's own words contain, and what helps then; the first that fits counts."""


def explained(errors: Sequence[str], otherwise: str = "it gave no reason") -> str:
    """TensorRT's errors as one line.

    Where what helps against one is known, that error, the first such, and the remedy: those that
    follow it are mostly its consequences.
    """
    known = _first_known(errors)
    if known is None:
        return _one_line(" ".join(errors)) or otherwise
    error, remedy = known
    return f"{_one_line(error)} ({remedy})"


def calls_for_rebuild(errors: Sequence[str]) -> bool:
    """Whether an engine that did not load with these errors may load when it is built anew.

    A driver, memory or a GPU that it lacks would be lacking again.
    """
    known = _first_known(errors)
    return known is None or known[1] == _REBUILD


def _first_known(errors: Sequence[str]) -> tuple[str, str] | None:
    """The first error that something is known to help against, and what that is."""
    for error in errors:
        for words, remedy in _REMEDIES:
            if any(word in error.lower() for word in words):
                return error, remedy
    return None


def _one_line(text: str) -> str:
    return " ".join(text.split())


def collecting_logger(
    trt: Any,  # noqa: ANN401 - TensorRT's objects
    errors: list[str],
    on_message: Callable[[str], None] | None = None,
) -> Any:  # noqa: ANN401
    """A TensorRT logger that writes to `logging`, collects the errors, and may hand on all."""
    levels = {
        trt.ILogger.Severity.INTERNAL_ERROR: logging.ERROR,
        trt.ILogger.Severity.ERROR: logging.ERROR,
        trt.ILogger.Severity.WARNING: logging.INFO,
    }

    class Logger(trt.ILogger):  # type: ignore[misc] # a class that is known only now
        def log(self, severity: Any, message: str) -> None:  # noqa: ANN401
            level = levels.get(severity, logging.DEBUG)
            if level == logging.ERROR:
                errors.append(message)
                level = logging.INFO  # the error is raised; it need not be said twice
            _log.log(level, "%s", message)
            if on_message is not None:
                on_message(message)

    return Logger()


def started(kind: Any, logger: Any, errors: Sequence[str]) -> Any:  # noqa: ANN401
    """A TensorRT `Builder` or `Runtime`, whose constructors take a logger alone.

    Raises:
        EngineError: it does not start, mostly for want of a driver that serves this TensorRT.
    """
    try:
        return kind(logger)
    except TypeError as error:  # pybind11's word for the null pointer that TensorRT gives then
        reason = explained(errors)
        raise EngineError(f"TensorRT's {kind.__name__} does not start: {reason}") from error
