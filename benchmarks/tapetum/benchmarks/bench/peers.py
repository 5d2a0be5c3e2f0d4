"""What a user might take instead, for `--vs`: filters, and other runtimes for the networks.

Each takes and gives the same frames as Tapetum's own enhancers. The other runtimes replace the
engine alone: colour conversion, tiles and grid are Tapetum's.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from tapetum.benchmarks.bench.errors import BenchmarkError
from tapetum.benchmarks.bench.subjects import Enhance, Subject
from tapetum.realtime import Frame
from tapetum.realtime.cpu.sample_range import sample_range

GAMMA = 0.5
"""Exponent of the `gamma` peer: what people write first for dark video."""


def peer(text: str) -> Subject:
    """The peer of a name.

    Args:
        text: `clahe`, `gamma`, `ffmpeg:FILTER`, `torch-grid`, `torch-unet`, `torch-unet:FILE` or
            `onnxruntime:FILE`.

    Raises:
        BenchmarkError: there is no such peer, or what it needs is not installed.
        ModelError: its model file cannot be used.
    """
    name, _, argument = text.partition(":")
    if name not in _PEERS:
        raise BenchmarkError(f"{name} is no peer: choose from {', '.join(_PEERS)}")
    try:
        return _PEERS[name](argument)
    except ImportError as error:
        raise BenchmarkError(f"{text} needs {error.name}: pip install {_PACKAGES[name]}") from error


def _clahe(_argument: str) -> Subject:
    """OpenCV's contrast-limited adaptive histogram equalisation of the luma plane."""
    import cv2

    def make() -> Enhance:
        equaliser = cv2.createCLAHE(clipLimit=2.0, tileGridSize=(8, 8))

        def enhance(frame: Frame) -> Frame:
            luma = np.asarray(equaliser.apply(_eight_bit_luma(frame, "clahe")), np.uint8)
            return frame.with_planes((luma, *frame.planes[1:]))

        return enhance

    return Subject("clahe", make, f"OpenCV {cv2.__version__} on CPU, {cv2.getNumThreads()} threads")


def _gamma(_argument: str) -> Subject:
    """A gamma curve as OpenCV's lookup table; colour differences are left as they are."""
    import cv2

    def enhance(frame: Frame) -> Frame:
        source = _eight_bit_luma(frame, "gamma")
        luma = np.asarray(cv2.LUT(source, gamma_table(frame)), np.uint8)
        return frame.with_planes((luma, *frame.planes[1:]))

    return Subject(
        "gamma",
        lambda: enhance,
        f"OpenCV {cv2.__version__} on CPU, {cv2.getNumThreads()} threads",
    )


def gamma_table(frame: Frame) -> np.ndarray[tuple[int], np.dtype[np.uint8]]:
    """The (256,) table of the gamma curve over the frame's own sample range."""
    levels = sample_range(frame)
    light = np.clip((np.arange(256) - levels.black) / levels.luma_span, 0, 1)
    table = levels.black + levels.luma_span * light**GAMMA
    return np.rint(table).astype(np.uint8)


def _eight_bit_luma(frame: Frame, name: str) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    luma = frame.planes[0]
    if luma.dtype != np.uint8:
        raise BenchmarkError(f"{name} takes 8-bit frames; these are {frame.format_name}")
    return luma.astype(np.uint8, copy=False)


def _ffmpeg(description: str) -> Subject:
    """Any filter of FFmpeg, as `ffmpeg -vf` takes it, through PyAV."""
    from tapetum.benchmarks.bench.ffmpeg_filter import FFmpegFilter, checked_filter

    checked_filter(description)
    return Subject(
        f"ffmpeg:{description}", lambda: FFmpegFilter(description), "FFmpeg's filter through PyAV"
    )


def _torch(kind: str) -> Callable[[str], Subject]:
    """Tapetum's own networks in plain eager PyTorch."""

    def make_subject(weights: str) -> Subject:
        from tapetum.benchmarks.bench.torch_engine import torch_enhancer, torch_version

        make = torch_enhancer(kind, weights or None)
        name = f"torch-{kind}" + (f":{Path(weights).name}" if weights else "")
        return Subject(name, make, f"{kind} on CPU, {torch_version()}")

    return make_subject


def _onnxruntime(file: str) -> Subject:
    """A model file run by ONNX Runtime."""
    from tapetum.benchmarks.bench.onnxruntime_engine import onnxruntime_enhancer

    make = onnxruntime_enhancer(Path(file))
    return Subject(f"onnxruntime:{Path(file).name}", make, getattr(make(), "description", ""))


_PEERS: dict[str, Callable[[str], Subject]] = {
    "clahe": _clahe,
    "gamma": _gamma,
    "ffmpeg": _ffmpeg,
    "torch-grid": _torch("grid"),
    "torch-unet": _torch("unet"),
    "onnxruntime": _onnxruntime,
}
_PACKAGES = {
    "clahe": "'tapetum[bench]'",
    "gamma": "'tapetum[bench]'",
    "torch-grid": "'tapetum[train]'",
    "torch-unet": "'tapetum[train]'",
    "onnxruntime": "onnxruntime",
}
