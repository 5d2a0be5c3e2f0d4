"""`python -m tapetum.benchmarks gpu`: what the GPU path makes of a card."""

from __future__ import annotations

import shlex
import signal
import sys
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tapetum.benchmarks.measure.choices import parse_size

if TYPE_CHECKING:
    from collections.abc import Callable

gpu = typer.Typer(help=__doc__, no_args_is_help=True)

PARTS = ("ceilings", "kernels", "networks", "pipeline", "codecs")
BACKENDS = ("pytorch-eager", "torch-compile", "pytorch-cuda-graph", "tensorrt", "tensorrt-rtx")
_RESULTS = Path("benchmarks/results")


def _one_of(known: tuple[str, ...]) -> Callable[[list[str] | None], list[str]]:
    def checked(names: list[str] | None) -> list[str]:
        unknown = [name for name in names or [] if name not in known]
        if unknown:
            raise typer.BadParameter(f"{unknown[0]} is none of {', '.join(known)}")
        return [name for name in known if not names or name in names]

    return checked


ResultsOption = Annotated[
    Path, typer.Option(metavar="FOLDER", help="Holds a file gpu-*.json for each card.")
]


@gpu.command()
def measure(
    parts: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="PART...",
            callback=_one_of(PARTS),
            help=f"Of {', '.join(PARTS)}; by default all.",
        ),
    ] = None,
    *,
    sizes: Annotated[
        list[str] | None,
        typer.Option(
            "--size",
            metavar="SIZE",
            help="360p, 720p, 1080p, 4K or WxH; may be repeated. By default these four.",
        ),
    ] = None,
    backends: Annotated[
        list[str] | None,
        typer.Option(
            "--backend",
            metavar="NAME",
            callback=_one_of(BACKENDS),
            help=f"Of {', '.join(BACKENDS)}; may be repeated. By default all.",
        ),
    ] = None,
    results: ResultsOption = _RESULTS,
) -> None:
    """Measure the first GPU, and add what was found to its file.

    Clocks, power limits and all other settings of the card stay as they are.
    """
    from tapetum.benchmarks.gpu.card import measured_part
    from tapetum.benchmarks.measure.nvml import gpu_facts

    path, result = _file_of(results, gpu_facts())
    from tapetum.benchmarks.gpu.measurements import Choices, Measurements

    known = result["parts"].get("ceilings", {}).get("figures")
    wanted = [parse_size(size) for size in sizes or ("360p", "720p", "1080p", "4K")]
    measurements = Measurements(Choices(wanted, backends or BACKENDS), known)
    for part in parts or PARTS:
        measured = measured_part(_command(), partial(measurements.measure, part))
        _keep(result, part, measured, path)


@gpu.command()
def training(
    low: Annotated[Path, typer.Argument(exists=True, file_okay=False)],
    normal: Annotated[Path, typer.Argument(exists=True, file_okay=False)],
    vgg_weights: Annotated[Path, typer.Option(exists=True, help="VGG-16's weights.")],
    *,
    steps: Annotated[int, typer.Option(min=3, help="The first two are not counted.")] = 40,
    batch: Annotated[int, typer.Option(min=1)] = 32,
    results: ResultsOption = _RESULTS,
) -> None:
    """Photos a second of the paper's recipe: crops of 320, bf16, channels last, compiled."""
    from tapetum.benchmarks.gpu.card import measured_part
    from tapetum.benchmarks.measure.nvml import gpu_facts

    path, result = _file_of(results, gpu_facts())
    from tapetum.benchmarks.measure.training_speed import training_speed

    settings = training_settings(steps, batch) | {"vgg_weights": str(vgg_weights)}
    measured = measured_part(
        _command(), lambda: training_speed(low, normal, "enlightengan", settings)
    )
    _keep(result, "training", measured, path)


@gpu.command()
def driver() -> None:
    """Which functions of NVIDIA's libraries are here; exit status 1 without a driver."""
    from tapetum.benchmarks.gpu.first_contact import driver_symbols

    found = driver_symbols()
    for library, symbols in found.items():
        for name, is_here in symbols.items():
            typer.echo(f"{library}: {name} {'is here' if is_here else 'is missing'}")
    if not found["libcuda.so.1"]["cuInit"]:
        raise typer.Exit(1)


@gpu.command()
def layers(
    *,
    target: Annotated[
        str | None, typer.Option(metavar="SM", help="By default the first GPU's.")
    ] = None,
) -> None:
    """What TensorRT makes of the networks: every layer, and which cost time without need.

    Exit status 1 where a convolution is not in half precision, or numbers are brought into another
    layout between the first layer and the last.
    """
    from tapetum.benchmarks.gpu.layers import layers_here

    slow = 0
    for line in layers_here(target):
        slow += line.startswith("slow: ")
        typer.echo(line)
    if slow:
        raise typer.Exit(1)


@gpu.command(name="first-contact")
def first_contact_command(
    *,
    out: Annotated[
        Path, typer.Option(metavar="FOLDER", help="Gets a file for each stage; send us all.")
    ],
    minutes: Annotated[
        float, typer.Option(min=0.5, help="The most that it takes; then it can be started again.")
    ] = 12.0,
) -> None:
    """Try and measure all that only a GPU can show, most valuable first.

    It wants a GPU and its driver, CuPy and PyAV, and takes what else is installed; neither a
    network nor OpenVINO. From a checkout it runs the tests of the GPU's path too. Nothing of the
    card's settings is changed.
    """
    from tapetum.benchmarks.gpu.first_contact import Outcome, first_contact, stages
    from tapetum.benchmarks.measure.errors import BenchmarkError

    def report(outcome: Outcome) -> None:
        typer.echo(f"{outcome.name}: {outcome.state} ({outcome.seconds:g} s)")

    signal.signal(signal.SIGTERM, end_by_signal)
    todo = stages(out, _tests())
    ended = first_contact(out, todo, budget_s=60 * minutes, report=report)
    if [outcome.state for outcome in ended] == ["failed"]:
        raise BenchmarkError("there is no NVIDIA driver here: install it, then start this again")
    left = len(todo) - len(ended)
    again = f"; {left} found no time: run the same command again" if left else ""
    typer.echo(f"{out}: {len(ended)} of {len(todo)} stages ended{again}")
    if any(outcome.state == "failed" for outcome in ended):
        raise typer.Exit(1)


def end_by_signal(number: int, _frame: object) -> None:
    """End as Python does by itself, so that the stage that runs ends too."""
    sys.exit(128 + number)


def _tests() -> Path | None:
    """The repository's tests, in a checkout."""
    folder = Path.cwd() / "tests"
    return folder if (folder / "realtime" / "cuda").is_dir() else None


if find_spec("tapetum.benchmarks.documents") is not None:  # in a checkout

    @gpu.command()
    def document(
        *,
        results: ResultsOption = _RESULTS,
        target: Annotated[
            Path, typer.Option("--document", metavar="FILE", help="Has the marks for the tables.")
        ] = Path("docs/gpu.md"),
    ) -> None:
        """Write the tables of docs/gpu.md anew from benchmarks/results."""
        from tapetum.benchmarks.documents.gpu import write_tables

        write_tables(results, target)


def training_settings(steps: int, batch: int) -> dict[str, Any]:
    """What is set over the recipe."""
    run = {"device": "cuda", "precision": "bf16", "channels_last": True, "compile": True}
    return {"run": run, "optimizer": {"steps": steps, "batch": batch}}


def _file_of(results: Path, facts: dict[str, Any]) -> tuple[Path, dict[str, Any]]:
    from tapetum.benchmarks.gpu.card import file_name, new_result, read_result

    path = results / file_name(facts["name"])
    return path, read_result(path) if path.exists() else new_result(facts)


def _keep(result: dict[str, Any], part: str, measured: dict[str, Any], path: Path) -> None:
    from tapetum.benchmarks.gpu.card import add_part
    from tapetum.benchmarks.measure.files import write_json

    add_part(result, part, measured)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_json(result, path)
    typer.echo(f"{path}: {part}")


def _command() -> str:
    """The command as typed, but of absolute paths the name: results are shown to others."""
    shown = (Path(word).name if Path(word).is_absolute() else word for word in sys.argv[1:])
    return shlex.join(["python", "-m", "tapetum.benchmarks", *shown])
