"""`Film`: a long film, and all that decides what it becomes, for whoever makes a part of it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path

from tapetum.gan.cpu_runtime import cpu_runtime
from tapetum.gan.model import find_model
from tapetum.realtime.aim import Aim
from tapetum.realtime.choices import Denoise
from tapetum.realtime.media.file_sink import EncoderSettings
from tapetum.realtime.media.file_source import FileSource

_DECIDING = ("tapetum", "av", "numba", "numpy")


def deciding_versions() -> dict[str, str]:
    """The versions of packages that may change what comes out."""
    return {f"version of {name}": version(name) for name in (*_DECIDING, cpu_runtime())}


@dataclass(frozen=True, slots=True)
class Film:
    """A film on the CPU, and the options of `enhance_file` for it."""

    source: Path
    output: Path
    model: str | Path = "grid"
    strength: float = 1.0
    aim: Aim = Aim()  # noqa: RUF009 - it is immutable
    denoise: Denoise = "off"
    start_s: float = 0.0
    duration_s: float | None = None
    deinterlace: bool = False
    encoder: EncoderSettings = EncoderSettings()  # noqa: RUF009 - it is immutable

    def identity(self, source: FileSource, encoder: str) -> dict[str, object]:
        """What tells a job from another, but for the input itself; see `JobFolder`.

        Args:
            source: the input, opened.
            encoder: what the output's encoder is, in words.

        Raises:
            ModelError: the model's file cannot be read.
        """
        return {
            "weights": find_model(self.model).sha256,
            "strength": self.strength,
            "aim": asdict(self.aim),
            "denoise": self.denoise,
            "start": self.start_s,
            "duration": self.duration_s,
            "deinterlace": self.deinterlace,
            "encoding": asdict(self.encoder),
            "stream": repr(source.info),
            "encoder": encoder,
            **deciding_versions(),
        }
