"""The picture sizes, and the type of picture, that an engine takes."""

from __future__ import annotations

import re
from dataclasses import dataclass

from tapetum.gan.errors import ModelError
from tapetum.gan.model_kinds import Kind, Size, padded_size


@dataclass(frozen=True, slots=True)
class Profile:
    """Smallest, best and largest (height, width) of the input; all three equal: a static engine."""

    smallest: Size
    best: Size
    largest: Size

    def __post_init__(self) -> None:
        for low, middle, high in zip(self.smallest, self.best, self.largest, strict=True):
            if not 0 < low <= middle <= high:
                raise ModelError(
                    f"sizes must grow from smallest to largest; got {size_text(self.smallest)}, "
                    f"{size_text(self.best)}, {size_text(self.largest)}"
                )

    @property
    def is_static(self) -> bool:
        """Whether the engine takes one size only."""
        return self.smallest == self.largest

    @property
    def sizes(self) -> tuple[Size, ...]:
        """Smallest, best and largest, each size once."""
        return tuple(dict.fromkeys((self.smallest, self.best, self.largest)))

    def __str__(self) -> str:
        if self.is_static:
            return size_text(self.best)
        return " .. ".join(map(size_text, (self.smallest, self.best, self.largest)))


def unet_profile(best: Size, smallest: Size | None = None, largest: Size | None = None) -> Profile:
    """The profile of a `unet` for frame sizes, each rounded up as `padded_size` does.

    Raises:
        ModelError: the sizes do not grow from smallest to largest.
    """
    sizes = (smallest or best, best, largest or best)
    return Profile(*(padded_size(*size) for size in sizes))


def takes_float32(kind: Kind) -> bool:
    """Whether inputs and outputs of a kind's engines are float32, as the pixel kernels have them.

    A `grid` engine's are: they are small, and a grid is smoothed over time in float32. Those of
    `unet` are whole pictures, and float16.
    """
    return kind == "grid"


def parse_size(text: str) -> Size:
    """Read "1920x1080" (width x height, as video people write it) as (height, width).

    Raises:
        ModelError: it is not of that form.
    """
    match = re.fullmatch(r"([1-9]\d{0,4})x([1-9]\d{0,4})", text)
    if match is None:
        raise ModelError(f"size {text!r} is not WIDTHxHEIGHT; write it like 1920x1080")
    return int(match.group(2)), int(match.group(1))


def size_text(size: Size) -> str:
    """(1080, 1920) as "1920x1080"."""
    return f"{size[1]}x{size[0]}"
