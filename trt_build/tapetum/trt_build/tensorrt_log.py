"""TensorRT's messages: to `logging`, and its errors as one line that says what to do."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

_log = logging.getLogger(__name__)

_REMEDIES = (
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
    (
        ("version tag", "magic tag", "serialization assertion"),
        "build the engine anew with this TensorRT and GPU",
    ),
)
"""What TensorRT's own words contain, and what helps then; the first that fits counts."""


def explained(errors: Sequence[str], otherwise: str = "it gave no reason") -> str:
    """TensorRT's errors as one line, with the remedy where one is known."""
    said = " ".join(" ".join(errors).split()) or otherwise
    for words, remedy in _REMEDIES:
        if any(word in said.lower() for word in words):
            return f"{said} ({remedy})"
    return said


def collecting_logger(trt: Any, errors: list[str]) -> Any:  # noqa: ANN401 - TensorRT's objects
    """A TensorRT logger that writes to `logging` and collects the errors."""
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

    return Logger()
