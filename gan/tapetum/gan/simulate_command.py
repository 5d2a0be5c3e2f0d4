"""`tapetum simulate`: pairs for training, clips with ground truth, and a look at both."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from tapetum.gan.errors import DataError, TrainingError

if TYPE_CHECKING:
    from tapetum.gan.simulation.scenes import SceneFolders


def simulate(
    what: Annotated[
        Literal["pairs", "clips", "sheet"],
        typer.Argument(help="pairs for training, clips with clean twins, or a contact sheet."),
    ],
    photos: Annotated[Path, typer.Argument(help="Folder of well-lit photos.")],
    panoramas: Annotated[Path, typer.Argument(help="Folder of panoramas in linear light (.exr).")],
    output: Annotated[Path, typer.Argument(help="Folder for pairs or clips, or the sheet's PNG.")],
    *,
    count: Annotated[
        int | None,
        typer.Option(min=1, help="How many: pairs (4096), clips (4) or rows of the sheet (8)."),
    ] = None,
    size: Annotated[
        tuple[int, int],
        typer.Option(min=32, metavar="WIDTH HEIGHT", help="Of clips; even."),
    ] = (640, 360),
    frames: Annotated[int, typer.Option(min=1, help="Length of each clip.")] = 60,
    seed: Annotated[int, typer.Option(min=0, help="Seed of all randomness.")] = 1,
    processes: Annotated[int, typer.Option(min=1, help="Processes that write pairs.")] = 1,
) -> None:
    """Record well-lit scenes with a simulated camera in the dark.

    For example:

      tapetum simulate pairs bright/ hdr/ pairs/

      tapetum train dark/ bright/ --output run --recipe grid --pairs pairs/

      tapetum simulate clips bright/ hdr/ clips/ --count 2

      tapetum simulate sheet bright/ hdr/ look.png
    """
    _require_packages()
    if what == "pairs":
        _write_pairs(photos, panoramas, output, count=count or 4096, seed=seed, processes=processes)
        return
    from tapetum.gan.simulation.scenes import SceneFolders

    scenes = SceneFolders(photos, panoramas)
    if what == "clips":
        _write_clips(scenes, output, count=count or 4, size=size, frames=frames, seed=seed)
    else:
        from tapetum.gan.simulation.contact_sheet import write_contact_sheet

        write_contact_sheet(scenes, output, rows=count or 8, seed=seed)
        typer.echo(str(output))


def _require_packages() -> None:
    try:
        import cv2  # noqa: F401
        import OpenEXR  # noqa: F401
    except ImportError as error:
        raise TrainingError(
            f"simulating needs packages that are not installed ({error}): "
            "pip install 'tapetum[train]'"
        ) from error


def _write_pairs(
    photos: Path, panoramas: Path, folder: Path, *, count: int, seed: int, processes: int
) -> None:
    from rich.console import Console
    from rich.progress import track

    from tapetum.gan.simulation.pair_set import SHARD, write_pairs

    shards = -(-count // SHARD)
    console = Console(stderr=True)
    writing = write_pairs(folder, photos, panoramas, shards=shards, seed=seed, processes=processes)
    for _ in track(
        writing, "pairs", total=shards, console=console, disable=not console.is_terminal
    ):
        pass
    typer.echo(str(folder))


def _write_clips(
    scenes: SceneFolders,
    folder: Path,
    *,
    count: int,
    size: tuple[int, int],
    frames: int,
    seed: int,
) -> None:
    import numpy as np

    from tapetum.gan.simulation.clips import draw_clip, write_clip

    width, height = size
    if width % 2 or height % 2:
        raise DataError(f"clips of {width}x{height} pixels cannot be stored; name even sizes")
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        rng = np.random.default_rng((seed, number))
        clip = draw_clip(scenes.draw_panorama(rng), width, height, frames=frames, rng=rng)
        for name, pictures in (("dark", clip.dark), ("ideal", clip.ideal)):
            path = folder / f"clip-{number:03d}-{name}.mkv"
            write_clip(pictures, path)
            typer.echo(str(path))
