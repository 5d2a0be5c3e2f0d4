"""How bright pictures shall become, apart from how strong the effect is."""

from __future__ import annotations

from dataclasses import dataclass

MAX_STRENGTH = 2.0
"""0 leaves a picture as it is, 1 is the model's own output; so much stronger is the most."""


@dataclass(frozen=True)
class Aim:
    """When a model brightens pictures, and to what brightness.

    Attributes:
        when_dark: a picture that is well lit stays as it is, and the effect grows as light falls
            (`exposure`); else every picture gets the model's own output.
        brightness: mean luma that every picture is brought to, over 0 and under 1, as far as
            strengths from 0 to 2 can; None leaves it to the model. For `grid` alone. It goes
            over `when_dark`.

    Raises:
        ValueError: `brightness` is out of its range.
    """

    when_dark: bool = True
    brightness: float | None = None

    def __post_init__(self) -> None:
        checked_brightness(self.brightness)


def checked_brightness(brightness: float | None) -> float | None:
    """`brightness` itself, if it is None, or over 0 and under 1.

    Raises:
        ValueError: it is neither.
    """
    if brightness is not None and not 0 < brightness < 1:
        raise ValueError(f"brightness is over 0 and under 1; got {brightness:g}")
    return brightness


ALWAYS = Aim(when_dark=False)
"""Every picture gets the model's own output."""
