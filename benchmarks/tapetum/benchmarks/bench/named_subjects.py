"""What names on the command line stand for: Tapetum's models, and with `--vs` their peers.

Peers are what a user might take instead. Each takes and gives the same frames as Tapetum's own
enhancers. The other runtimes replace the engine alone: colour conversion, tiles and grid are
Tapetum's. Anybody's network can be measured too, if its options can say what it takes and gives.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from tapetum.benchmarks.bench import filters
from tapetum.benchmarks.bench.subjects import (
    EMPTY,
    Subject,
    cpu_subject,
    empty_subject,
    in_precision,
)
from tapetum.benchmarks.measure.errors import BenchmarkError
from tapetum.realtime.choices import Denoise, Device
from tapetum.realtime.cpu.network_shapes import Precision
from tapetum.realtime.enhancer import is_cuda

if TYPE_CHECKING:
    from tapetum.benchmarks.bench.onnxruntime_peers import PictureFormat

_PICTURE_OPTIONS = {
    "layout": "nchw|nhwc",
    "range": "LOW..HIGH",
    "output-range": "LOW..HIGH",
    "order": "rgb|bgr",
    "multiple": "PIXELS",
    "output": "NAME",
}
_RANGE = re.compile(r"(-?\d+(?:\.\d+)?)\.\.(-?\d+(?:\.\d+)?)")


def subject(
    name: str,
    device: Device = "auto",
    precision: Precision = "auto",
    denoise: Denoise = "auto",
) -> Subject:
    """The subject of a name.

    Args:
        name: `grid`, `unet`, a model file, or `empty`.
        device: where a model runs.
        precision: what its network is computed in; but for `auto`, it is part of the subject's
            name.
        denoise: how much noise a `grid` model takes out on the CPU; but for `auto`, likewise.

    Raises:
        ModelError: there is no such model, or its file cannot be used.
        DeviceError: the device is missing.
        EngineError: the device does not compute in this precision.
    """
    if name == EMPTY:
        return empty_subject()
    if is_cuda(device):
        from tapetum.benchmarks.bench.gpu_subject import gpu_subject

        usual = gpu_subject(name, device)
    else:
        usual = cpu_subject(name, device, denoise)
    return usual if precision == "auto" else in_precision(usual, precision)


def different_names(subjects: list[Subject]) -> list[Subject]:
    """The subjects themselves, if no two have one name.

    Raises:
        BenchmarkError: two have.
    """
    names = [each.name for each in subjects]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise BenchmarkError(f"{', '.join(twice)} is named twice; name each subject once")
    return subjects


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


def _torch(kind: str) -> Callable[[str], Subject]:
    """Tapetum's own networks in plain PyTorch, eager or compiled."""

    def make_subject(argument: str) -> Subject:
        from tapetum.benchmarks.bench.torch_peer import MODES, OPTIONS, PRECISIONS, torch_subject

        peer = f"torch-{kind}"
        weights, options = _split_options(peer, argument, OPTIONS)
        mode = _chosen(peer, options, "mode", MODES)
        precision = _chosen(peer, options, "precision", PRECISIONS)
        make, runs_on = torch_subject(kind, weights or None, mode=mode, precision=precision)
        return Subject(_shown(peer, weights, options), make, runs_on)

    return make_subject


def _onnxruntime(argument: str) -> Subject:
    """A model file run by ONNX Runtime: one of Tapetum's, or with options anybody's."""
    from tapetum.benchmarks.bench.onnxruntime_peers import (
        onnxruntime_enhancer,
        picture_enhancer,
    )

    peer = "onnxruntime"
    file, options = _split_options(peer, argument, _PICTURE_OPTIONS)
    if options:
        make = picture_enhancer(Path(file), picture_format(peer, options))
    else:
        make = onnxruntime_enhancer(Path(file))
    return Subject(_shown(peer, file, options), make, getattr(make(), "description", ""))


def _shown(peer: str, file: str, options: dict[str, str]) -> str:
    """As it stands in results: the file's name without its folder, and the options."""
    words = [peer, *([Path(file).name] if file else [])]
    return ":".join([*words, *(f"{name}={value}" for name, value in options.items())])


def picture_format(peer: str, options: Mapping[str, str]) -> PictureFormat:
    """Read the options of a peer.

    Raises:
        BenchmarkError: a value is none that there is.
    """
    from tapetum.benchmarks.bench.onnxruntime_peers import PictureFormat

    input_range = _range(peer, options.get("range", "0..1"))
    output = options.get("output-range")
    multiple = options.get("multiple", "1")
    if not multiple.isdecimal() or int(multiple) < 1:
        raise BenchmarkError(f"{peer}: multiple is a number of pixels; got {multiple}")
    return PictureFormat(
        layout=_chosen(peer, options, "layout", ("nchw", "nhwc")),
        input_range=input_range,
        output_range=input_range if output is None else _range(peer, output),
        order=_chosen(peer, options, "order", ("rgb", "bgr")),
        multiple=int(multiple),
        output=options.get("output"),
    )


def _range(peer: str, text: str) -> tuple[float, float]:
    match = _RANGE.fullmatch(text)
    if match is None or float(match[1]) >= float(match[2]):
        raise BenchmarkError(f"{peer}: a range is LOW..HIGH, like -1..1; got {text}")
    return float(match[1]), float(match[2])


def _split_options(peer: str, text: str, known: Mapping[str, str]) -> tuple[str, dict[str, str]]:
    """Split what follows a peer's name into its file and its options.

    Args:
        peer: its name, for messages.
        text: like "net.onnx:layout=nhwc:order=bgr"; the file may be missing.
        known: the options that the peer takes, and what their values look like.

    Raises:
        BenchmarkError: an option is unknown, or there are two files.
    """
    words = [word for word in text.split(":") if word]
    files = [word for word in words if "=" not in word]
    options = dict(word.split("=", 1) for word in words if "=" in word)
    unknown = sorted(set(options) - set(known))
    if unknown:
        takes = ", ".join(f"{name}={value}" for name, value in known.items())
        raise BenchmarkError(f"{peer} takes {takes}; got {unknown[0]}={options[unknown[0]]}")
    if len(files) > 1:
        raise BenchmarkError(f"{peer} takes one file; got {' and '.join(files)}")
    return (files[0] if files else ""), options


def _chosen(peer: str, options: Mapping[str, str], name: str, values: tuple[str, ...]) -> str:
    """The value of an option with few values, of which the first is the usual one.

    Raises:
        BenchmarkError: it is none of them.
    """
    value = options.get(name, values[0])
    if value not in values:
        raise BenchmarkError(f"{peer}: {name} is one of {', '.join(values)}; got {value}")
    return value


_PEERS: dict[str, Callable[[str], Subject]] = {
    "clahe": lambda _: filters.clahe(),
    "gamma": lambda _: filters.gamma(),
    "ffmpeg": filters.ffmpeg,
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
