"""`Building`: how far the engine is that a model is compiled to before its first use on a GPU."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Building:
    """The state of a build, as an `on_build` callback gets it.

    Attributes:
        description: the model; at the start also sizes, GPU and compiler.
        phase: what the compiler does, in its own words; empty at the start.
        step: steps of the phase that are done.
        steps: its steps in all.
    """

    description: str
    phase: str = ""
    step: int = 0
    steps: int = 0
