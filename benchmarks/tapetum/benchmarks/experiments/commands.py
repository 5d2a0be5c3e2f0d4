"""`python -m tapetum.benchmarks` in a checkout: memory, training, live video, the browser."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from itertools import product
from pathlib import Path
from typing import Annotated

import typer

from tapetum.benchmarks.experiments import batch as jobs
from tapetum.benchmarks.experiments.ab_trials import same_version, slowed_version
from tapetum.benchmarks.experiments.hosts import PROGRAMS, measure_host
from tapetum.benchmarks.experiments.hosts import SIZES as HOST_SIZES
from tapetum.benchmarks.experiments.live import SIZES as LIVE_SIZES
from tapetum.benchmarks.experiments.live import TARGETS_MS, governor_settling, live_latency
from tapetum.benchmarks.experiments.live_cost import live_cost
from tapetum.benchmarks.experiments.live_load import SCENES, live_load
from tapetum.benchmarks.experiments.live_load import SIZES as LOAD_SIZES
from tapetum.benchmarks.experiments.memory import peak_memory
from tapetum.benchmarks.experiments.soak import soak as run_soak
from tapetum.benchmarks.measure.choices import parse_size
from tapetum.benchmarks.measure.files import read_json, recorded_figures, write_json
from tapetum.benchmarks.measure.machine import machine
from tapetum.realtime.background import exit_process

experiments = typer.Typer()
batch = typer.Typer(help="Many files: segments, workers, folders, kills, and a simulation.")
experiments.add_typer(batch, name="batch")

ClipArgument = Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="A dark clip.")]
ResultOption = Annotated[Path, typer.Option("--result", help="JSON file to add the figures to.")]
_RESULT = Path("benchmarks/results/cpu.json")
_LIVE_RESULT = Path("benchmarks/results/live.json")
_WEBRTC_RESULT = Path("benchmarks/results/webrtc.json")
_GOVERNOR_RESULT = Path("benchmarks/results/governor.json")
_LOAD_RESULT = Path("benchmarks/results/load.json")
_PLUGINS_RESULT = Path("benchmarks/results/plugins.json")
_HOSTS_RESULT = Path("benchmarks/results/hosts.json")
_BATCH_RESULT = Path("benchmarks/results/batch.json")
_SOAK_RESULT = Path("benchmarks/results/soak.json")
_AB_RESULT = Path("benchmarks/results/ab.json")


def _record(
    result: Path, name: str, figures: object, *, on: Mapping[str, object] | None = None
) -> None:
    """Add figures to a file, with the machine that they were measured on, by default this one."""
    known = read_json(result, remedy="; name another --result") if result.exists() else {}
    known |= {"machine": on or machine(), name: figures}
    result.parent.mkdir(parents=True, exist_ok=True)
    write_json(known, result)
    shown = figures
    if isinstance(figures, dict):
        shown = {key: value for key, value in figures.items() if key != "points"}
    typer.echo(json.dumps({name: shown}))


@experiments.command()
def memory(clip: ClipArgument, result: ResultOption = _RESULT) -> None:
    """`tapetum enhance`: peak memory for a clip, and for one four times as long."""
    _record(result, "peak_memory", peak_memory(clip))


@experiments.command()
def training(
    low: Annotated[Path, typer.Argument(exists=True, file_okay=False)],
    normal: Annotated[Path, typer.Argument(exists=True, file_okay=False)],
    vgg_weights: Annotated[Path, typer.Option(exists=True, help="VGG-16's weights.")],
    steps: int = 12,
    result: ResultOption = _RESULT,
) -> None:
    """Training: photos a second of three recipes, with crops and batches that suit a CPU."""
    from tapetum.benchmarks.measure.training_speed import training_speed

    ours = {"run": {"precision": "bf16"}, "optimizer": {"steps": steps, "batch": 8}}
    unet_settings = ours | {"data": {"crop": 128}, "vgg_weights": str(vgg_weights)}
    figures = [
        training_speed(low, normal, "enlightengan", unet_settings),
        training_speed(low, normal, "unet", ours),
        training_speed(low, normal, "grid", ours),
    ]
    _record(result, "training", figures)


@experiments.command()
def live(seconds: float = 20.0, result: ResultOption = _LIVE_RESULT) -> None:
    """`tapetum live`: added latency, age and drops of 720p and 1080p test patterns at 30 fps."""
    for name, size in LIVE_SIZES.items():
        figures = live_latency(size, duration_s=seconds)
        _record(result, name, {"target_ms": TARGETS_MS[name], **figures})


@experiments.command(name="live-cost")
def cost(seconds: float = 25.0, result: ResultOption = _LIVE_RESULT) -> None:
    """`tapetum live`: processor time of a still 720p picture at 30 fps, with and without noise."""
    _record(result, "cost", live_cost(duration_s=seconds))


@experiments.command()
def load(
    names: Annotated[
        list[str] | None, typer.Argument(help=f"{', '.join(LOAD_SIZES)}; by default all.")
    ] = None,
    *,
    scene: Annotated[list[str] | None, typer.Option(help=f"{' and '.join(SCENES)}.")] = None,
    streams: Annotated[list[int] | None, typer.Option(help="At once; 1, 2, 4 and 8.")] = None,
    nice: Annotated[list[int] | None, typer.Option(help="Of the busy ones; 0 and 10.")] = None,
    busy: Annotated[int, typer.Option(help="Processes that take all the time they get.")] = 2,
    seconds: float = 5.0,
    result: ResultOption = _LOAD_RESULT,
) -> None:
    """Live video beside busy processes: dark frames, jumps of brightness, age, frames a second."""
    cases = product(names or LOAD_SIZES, scene or SCENES, nice or (0, 10), streams or (1, 2, 4, 8))
    for name, what, busy_nice, count in cases:
        size, rate = LOAD_SIZES[name]
        figures = live_load(
            size, rate, scene=what, streams=count, busy=busy, nice=busy_nice, duration_s=seconds
        )
        label = f"{name}, {what}, {count} streams, {busy} busy, nice {busy_nice}"
        _record(result, label, figures)


@experiments.command()
def webrtc(
    seconds: Annotated[
        float,
        typer.Option(min=1, help="Of each kind, in 8 blocks; all takes about thrice that."),
    ] = 80.0,
    result: ResultOption = _WEBRTC_RESULT,
) -> None:
    """`tapetum serve`: what enhancing adds to a round trip through Chromium, at 640x360.

    Blocks with and without enhancing take turns, at strength 100 % and 0 %.
    """
    from tapetum.benchmarks.experiments.webrtc import webrtc_round_trip

    _record(result, "round_trip", webrtc_round_trip(seconds))


@experiments.command(name="viewers")
def see_viewers(
    *,
    count: Annotated[int, typer.Option(min=1, help="Viewers, each with a Chromium.")] = 4,
    size: Annotated[str, typer.Option(help="640x360, 1280x720 or 1920x1080.")] = "640x360",
    rate: Annotated[int, typer.Option(min=1, help="Of the cameras, in frames a second.")] = 15,
    place: Annotated[str, typer.Option(help="Where pictures are enhanced: server, browser.")] = (
        "server"
    ),
    seconds: Annotated[float, typer.Option(min=1)] = 20.0,
    result: ResultOption = _WEBRTC_RESULT,
) -> None:
    """`tapetum serve`: rate, age and darkness for several viewers, and the server's time."""
    from tapetum.benchmarks.experiments.viewers import viewers

    figures = viewers(count, size=size, rate=rate, place=place, seconds=seconds)
    _record(result, f"{count} viewers, {size} at {rate}, by the {place}", figures)


@experiments.command()
def governor(
    model: Annotated[
        Path | None,
        typer.Option(exists=True, dir_okay=False, help="A unet file; without it random weights."),
    ] = None,
    seconds: float = 20.0,
    size: str = "1280x720",
    result: ResultOption = _GOVERNOR_RESULT,
) -> None:
    """`tapetum live --model unet` on a CPU that cannot hold it: time until 30 fps are held."""
    _record(result, "governor", governor_settling(model, size=size, duration_s=seconds))
    exit_process(0)  # the model may still be at work on a frame


@experiments.command("hand-over")
def hand_over(rounds: int = 200, result: ResultOption = _PLUGINS_RESULT) -> None:
    """A plugin's frames of 1080p by the worker, beside the same enhancing in this process."""
    from tapetum.benchmarks.experiments.plugin_worker import hand_over as measured

    _record(result, "hand_over", measured(rounds=rounds))


@experiments.command("kills")
def kill_workers(
    kills: Annotated[int, typer.Option(min=1)] = 1000,
    *,
    busy: Annotated[int, typer.Option(help="Processes that take all the time they get.")] = 2,
    minutes: Annotated[float, typer.Option(help="At most.")] = 60.0,
    realtime: Annotated[
        bool, typer.Option(help="The host goes before all others; for the administrator.")
    ] = False,
    result: ResultOption = _PLUGINS_RESULT,
) -> None:
    """Kill a plugin's worker at random moments: torn frames, and how long its host is held up.

    A run is added to those in the result.
    """
    from tapetum.benchmarks.experiments.plugin_worker import kill_workers as measured
    from tapetum.benchmarks.experiments.plugin_worker import together

    name = f"kills{', realtime' if realtime else ''}"
    earlier = recorded_figures(result).get(name, {}).get("runs", [])
    figures = measured(kills, busy=busy, limit_s=60 * minutes, realtime=realtime)
    _record(result, name, together([*earlier, figures]))


@experiments.command()
def hosts(
    *,
    host: Annotated[list[str] | None, typer.Option(help="; ".join(PROGRAMS))] = None,
    size: Annotated[list[str] | None, typer.Option(help=", ".join(HOST_SIZES))] = None,
    repeats: Annotated[int, typer.Option(min=1, help="Pairs of runs, for the median.")] = 3,
    result: ResultOption = _HOSTS_RESULT,
) -> None:
    """Other programs with Tapetum in them: frames a second, time added, processors busy.

    The machine must be idle but for this. Programs that are not here are left out.
    """
    for name in host or PROGRAMS:
        if name not in PROGRAMS:
            raise typer.BadParameter(f"there is no {name}; there is {'; '.join(PROGRAMS)}")
        if not PROGRAMS[name].is_here():
            typer.echo(f"{name}: not here", err=True)
            continue
        for each in size or HOST_SIZES:
            if each not in HOST_SIZES:
                raise typer.BadParameter(f"{each} is none of {', '.join(HOST_SIZES)}")
            figures = measure_host(name, each, repeats=repeats)
            _record(result, f"{name}, {each}", figures)


@experiments.command("ab-trials")
def ab_trials(
    checkout: Annotated[Path, typer.Argument(exists=True, file_okay=False)] = Path(),
    *,
    same: Annotated[int, typer.Option(min=0, help="Comparisons with itself.")] = 20,
    slowed: Annotated[int, typer.Option(min=0, help="Comparisons with a slowed copy.")] = 10,
    percent: Annotated[float, typer.Option(min=0, help="By which the copy is slowed.")] = 10.0,
    rounds: Annotated[int, typer.Option(min=5, help="Of each comparison.")] = 10,
    result: ResultOption = _AB_RESULT,
) -> None:
    """`tapetum bench ab` of one version against itself, and against a copy slowed on purpose.

    Each comparison is added to those on record, so a run can be stopped and gone on with.
    """
    known = read_json(result, remedy="; name another --result") if result.exists() else {}
    trials = {"same": known.get("same", []), "slowed": known.get("slowed", [])}
    for _ in range(same):
        trials["same"].append(same_version(checkout, rounds=rounds))
        _record(result, "same", trials["same"])
    for _ in range(slowed):
        trials["slowed"].append(slowed_version(checkout, rounds=rounds, share=percent / 100))
        _record(result, "slowed", trials["slowed"])


@experiments.command()
def soak(
    duration: Annotated[float, typer.Option(min=1, help="Seconds.")] = 600.0,
    size: Annotated[str, typer.Option(metavar="SIZE", help="Of the frames.")] = "720p",
    result: ResultOption = _SOAK_RESULT,
) -> None:
    """A long live run with a camera that is too fast, and random stalls: does anything grow?"""
    _record(result, "soak", run_soak(duration_s=duration, size=parse_size(size)))


@batch.command("segments")
def batch_segments(
    clip: ClipArgument,
    seconds: float = 61.0,
    rounds: int = 1,
    result: ResultOption = _BATCH_RESULT,
) -> None:
    """A film in segments against the same in one pass, in turns: time and size."""
    _record(result, "segments", jobs.segments(clip, seconds=seconds, rounds=rounds))


@batch.command("workers")
def batch_workers(
    clip: ClipArgument, seconds: float = 240.0, result: ResultOption = _BATCH_RESULT
) -> None:
    """A film by one worker and by two."""
    _record(result, "workers", jobs.workers(clip, seconds=seconds, counts=(1, 2)))


@batch.command("photos")
def batch_photos(count: int = 2000, size: int = 320, result: ResultOption = _BATCH_RESULT) -> None:
    """A folder of small photos against enhancing and coding them alone."""
    _record(result, "photos", jobs.photos(count=count, size=size))


@batch.command("kills")
def batch_kills(
    clip: ClipArgument,
    count: int = 50,
    workers: int = 2,
    seconds: float = 125.0,
    result: ResultOption = _BATCH_RESULT,
) -> None:
    """A job killed at random moments, and the same command again: is the output the same?"""
    _record(result, "kills", jobs.kills(clip, count=count, workers=workers, seconds=seconds))


@batch.command("simulation")
def batch_simulation(clip: ClipArgument, result: ResultOption = _BATCH_RESULT) -> None:
    """Measure the parts of a film's work, and simulate 1,000 films over 2 to 64 workers.

    5 % of the workers die over their work. Nothing of the simulation is enhanced.
    """
    here = machine()  # before the measurement takes one of its threads for all there are
    costs = jobs.measured_costs(clip)
    runs = [jobs.simulate(costs, workers=count) for count in (2, 4, 8, 16, 32, 64)]
    _record(
        result,
        "simulation",
        {"is_a_simulation": True, "clip": clip.name, "costs": asdict(costs), "runs": runs},
        on=here,
    )
