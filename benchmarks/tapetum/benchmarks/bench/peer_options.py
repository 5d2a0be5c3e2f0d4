"""The options of a peer of `--vs`: `NAME:FILE:key=value:key=value`, as FFmpeg writes filters."""

from __future__ import annotations

from collections.abc import Mapping

from tapetum.benchmarks.bench.errors import BenchmarkError


def split_options(peer: str, text: str, known: Mapping[str, str]) -> tuple[str, dict[str, str]]:
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


def chosen(peer: str, options: Mapping[str, str], name: str, values: tuple[str, ...]) -> str:
    """The value of an option with few values, of which the first is the usual one.

    Raises:
        BenchmarkError: it is none of them.
    """
    value = options.get(name, values[0])
    if value not in values:
        raise BenchmarkError(f"{peer}: {name} is one of {', '.join(values)}; got {value}")
    return value
