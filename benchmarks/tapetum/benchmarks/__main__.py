"""Records what `tapetum bench` does not measure: memory, flicker, training speed, GPUs."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from tapetum.benchmarks.clip_scores import score_clip
from tapetum.benchmarks.gpu_commands import gpu
from tapetum.benchmarks.live_latency import SIZES as LIVE_SIZES
from tapetum.benchmarks.live_latency import TARGETS_MS, live_latency
from tapetum.benchmarks.machine import machine
from tapetum.benchmarks.peak_memory import peak_memory
from tapetum.gan.errors import TapetumError
from tapetum.realtime import make_enhancer

app = typer.Typer(help=__doc__, no_args_is_help=True)
app.add_typer(gpu, name="gpu")

ClipArgument = Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="A dark clip.")]
ResultOption = Annotated[Path, typer.Option("--result", help="JSON file to add the figures to.")]
_RESULT = Path("benchmarks/results/cpu.json")
_LIVE_RESULT = Path("benchmarks/results/live.json")
_WEBRTC_RESULT = Path("benchmarks/results/webrtc.json")


def _record(result: Path, name: str, figures: object) -> None:
    known = json.loads(result.read_text()) if result.exists() else {}
    known |= {"machine": machine(), name: figures}
    result.parent.mkdir(parents=True, exist_ok=True)
    result.write_text(json.dumps(known, indent=1) + "\n")
    typer.echo(json.dumps({name: figures}))


@app.command()
def memory(clip: ClipArgument, result: ResultOption = _RESULT) -> None:
    """`tapetum enhance`: peak memory for a clip, and for one four times as long."""
    _record(result, "peak_memory", peak_memory(clip))


@app.command()
def flicker(clips: list[Path], result: ResultOption = _RESULT) -> None:
    """Flicker of clips before and after enhancing."""
    _record(result, "flicker", [asdict(score_clip(clip, make_enhancer("grid"))) for clip in clips])


@app.command()
def training(
    low: Annotated[Path, typer.Argument(exists=True, file_okay=False)],
    normal: Annotated[Path, typer.Argument(exists=True, file_okay=False)],
    vgg_weights: Annotated[Path, typer.Option(exists=True, help="VGG-16's weights.")],
    steps: int = 12,
    result: ResultOption = _RESULT,
) -> None:
    """Training: photos a second of both recipes, with crops and batches that suit a CPU."""
    from tapetum.benchmarks.training_speed import training_speed

    ours = {"run": {"precision": "bf16"}, "optimizer": {"steps": steps, "batch": 8}}
    unet_settings = ours | {"data": {"crop": 128}, "vgg_weights": str(vgg_weights)}
    figures = [
        training_speed(low, normal, "enlightengan", unet_settings),
        training_speed(low, normal, "grid", ours),
    ]
    _record(result, "training", figures)


@app.command()
def live(seconds: float = 20.0, result: ResultOption = _LIVE_RESULT) -> None:
    """`tapetum live`: added latency, age and drops of 720p and 1080p test patterns at 30 fps."""
    for name, size in LIVE_SIZES.items():
        figures = live_latency(size, duration_s=seconds)
        _record(result, name, {"target_ms": TARGETS_MS[name], **figures})


@app.command()
def webrtc(seconds: float = 30.0, result: ResultOption = _WEBRTC_RESULT) -> None:
    """`tapetum serve`: what enhancing adds to a round trip through Chromium, at 640x360."""
    from tapetum.benchmarks.webrtc_round_trip import webrtc_round_trip

    _record(result, "round_trip", webrtc_round_trip(seconds))


def main() -> None:
    """Run the command line; what cannot be measured is one line on stderr, and status 1."""
    try:
        app()
    except TapetumError as error:
        typer.echo(f"error: {' '.join(str(error).split())}", err=True)
        sys.exit(1)


if __name__ == "__main__":
    main()
