"""What a user might take instead, for `--vs`: filters, and other runtimes for the networks.

Each takes and gives the same frames as Tapetum's own enhancers. The other runtimes replace the
engine alone: colour conversion, tiles and grid are Tapetum's. Anybody's network can be measured
too, if `picture_network` can say what it takes and gives.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from tapetum.benchmarks.bench.errors import BenchmarkError
from tapetum.benchmarks.bench.peer_options import chosen, split_options
from tapetum.benchmarks.bench.picture_network import OPTIONS as PICTURE_OPTIONS
from tapetum.benchmarks.bench.picture_network import picture_format
from tapetum.benchmarks.bench.subjects import Enhance, Subject
from tapetum.realtime import Frame
from tapetum.realtime.sample_range import sample_range

GAMMA = 0.5
"""Exponent of the `gamma` peer: what people write first for dark video."""


def peer(text: str) -> Subject:
    """The peer of a name.

    Args:
        text: `clahe`, `gamma`, `ffmpeg:FILTER`, `torch-grid`, `torch-unet`, `torch-unet:FILE` or
            `onnxruntime:FILE`, the last three with options after them, like
            `torch-unet:mode=compile`.

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
    """Tapetum's own networks in plain PyTorch, eager or compiled."""

    def make_subject(argument: str) -> Subject:
        from tapetum.benchmarks.bench.torch_engine import MODES, OPTIONS, PRECISIONS, torch_subject

        peer = f"torch-{kind}"
        weights, options = split_options(peer, argument, OPTIONS)
        mode = chosen(peer, options, "mode", MODES)
        precision = chosen(peer, options, "precision", PRECISIONS)
        make, runs_on = torch_subject(kind, weights or None, mode=mode, precision=precision)
        return Subject(_shown(peer, weights, options), make, runs_on)

    return make_subject


def _onnxruntime(argument: str) -> Subject:
    """A model file run by ONNX Runtime: one of Tapetum's, or with options anybody's."""
    from tapetum.benchmarks.bench.onnxruntime_engine import onnxruntime_enhancer
    from tapetum.benchmarks.bench.onnxruntime_picture import picture_enhancer

    peer = "onnxruntime"
    file, options = split_options(peer, argument, PICTURE_OPTIONS)
    if options:
        make = picture_enhancer(Path(file), picture_format(peer, options))
    else:
        make = onnxruntime_enhancer(Path(file))
    return Subject(_shown(peer, file, options), make, getattr(make(), "description", ""))


def _shown(peer: str, file: str, options: dict[str, str]) -> str:
    """As it stands in results: the file's name without its folder, and the options."""
    words = [peer, *([Path(file).name] if file else [])]
    return ":".join([*words, *(f"{name}={value}" for name, value in options.items())])


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
