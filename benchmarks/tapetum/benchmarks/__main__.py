"""The command line of the benchmarks: `python -m tapetum.benchmarks --help`."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from tapetum.benchmarks.clip_scores import score_clip
from tapetum.benchmarks.enhancing_alone import SIZES, frame_latency
from tapetum.benchmarks.live_latency import SIZES as LIVE_SIZES
from tapetum.benchmarks.live_latency import TARGETS_MS, live_latency
from tapetum.benchmarks.machine import machine
from tapetum.benchmarks.report import write_tables
from tapetum.benchmarks.whole_command import first_frame, peak_memory, transcode_ratio
from tapetum.realtime import make_enhancer

app = typer.Typer(help=__doc__, no_args_is_help=True)

ClipArgument = Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="A dark clip.")]
ResultOption = Annotated[Path, typer.Option("--result", help="JSON file to add the figures to.")]
_RESULT = Path("benchmarks/results/cpu.json")
_LIVE_RESULT = Path("benchmarks/results/live.json")


def _record(result: Path, name: str, figures: object) -> None:
    known = json.loads(result.read_text()) if result.exists() else {}
    known |= {"machine": machine(), name: figures}
    result.parent.mkdir(parents=True, exist_ok=True)
    result.write_text(json.dumps(known, indent=1) + "\n")
    typer.echo(json.dumps({name: figures}))


@app.command()
def command(clip: ClipArgument, rounds: int = 5, result: ResultOption = _RESULT) -> None:
    """`tapetum enhance`: time against a plain transcode, peak memory, time to the first frame."""
    parts: dict[str, Callable[[], object]] = {
        "transcode_ratio": lambda: transcode_ratio(clip, rounds=rounds),
        "peak_memory": lambda: peak_memory(clip),
        "first_frame": lambda: first_frame(clip, rounds=rounds),
    }
    for name, part in parts.items():
        _record(result, name, part())


@app.command()
def frame(clip: ClipArgument, rounds: int = 100, result: ResultOption = _RESULT) -> None:
    """`grid`: time to enhance one frame at 720p, 1080p and 4K, on one thread."""
    figures = {name: frame_latency(clip, size, rounds=rounds) for name, size in SIZES.items()}
    _record(result, "frame", figures)


@app.command()
def unet(
    clip: ClipArgument,
    model: Annotated[str, typer.Option(help="A unet model file.")] = "unet",
    rounds: int = 20,
    result: ResultOption = _RESULT,
) -> None:
    """`unet`: time to enhance one frame at 640x360."""
    _record(result, "unet", frame_latency(clip, (640, 360), model=model, rounds=rounds))


@app.command()
def flicker(clips: list[Path], result: ResultOption = _RESULT) -> None:
    """Flicker of clips before and after enhancing."""
    _record(result, "flicker", [asdict(score_clip(clip, make_enhancer("grid"))) for clip in clips])


@app.command()
def live(seconds: float = 20.0, result: ResultOption = _LIVE_RESULT) -> None:
    """`tapetum live`: added latency, age and drops of 720p and 1080p test patterns at 30 fps."""
    for name, size in LIVE_SIZES.items():
        figures = live_latency(size, duration_s=seconds)
        _record(result, name, {"target_ms": TARGETS_MS[name], **figures})


@app.command()
def report(result: ResultOption = _RESULT, document: Path = Path("docs/performance.md")) -> None:
    """Write the tables of a document from the figures."""
    write_tables(json.loads(result.read_text()), document)


if __name__ == "__main__":
    app()
