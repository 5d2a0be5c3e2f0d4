"""How a scenario is run."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

from tapetum.benchmarks.bench.sampling import Effort


@dataclass(frozen=True)
class Settings:
    """What is the same for every subject and input of a run.

    Attributes:
        effort: how much is measured.
        seed: of the synthetic frames.
        streams: how many streams `multi-stream` runs at once.
        rate_fps: frames per second of the camera that `paced` plays.
        first_run: whether `cold-start` also measures the first run on a machine, kernels
            compiled anew, which takes some ten seconds.
        with_codec: whether `single-stream` also decodes and encodes each frame.
        truth: a well-lit clip by which `single-stream` also measures quality, or None.
    """

    effort: Effort = field(default_factory=Effort)
    seed: int = 0
    streams: int = 2
    rate_fps: float = 30.0
    first_run: bool = True
    with_codec: bool = False
    truth: Path | None = None

    def quick(self) -> Settings:
        """Less of everything."""
        return replace(self, effort=self.effort.quick(), first_run=False)
