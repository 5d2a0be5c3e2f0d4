"""Measures a generator on folders of photos.

    python -m tapetum.gan.evaluate MODEL --pairs LOW HIGH --photos DARK --json result.json

With `input` for MODEL the dark photos themselves are measured.
"""

from __future__ import annotations

import json
import platform
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import typer
from rich.console import Console
from rich.table import Table

from tapetum.gan.checkpoint import load_generator
from tapetum.gan.errors import DataError
from tapetum.gan.generator import Generator
from tapetum.gan.metrics import photo_niqe, psnr_db, ssim
from tapetum.gan.photos import Photo, find_photos, read_photo

Enhance = Callable[[Photo], Photo]


@dataclass(frozen=True)
class PhotoScore:
    """Figures of one photo; PSNR and SSIM only where it has a reference."""

    photo: str
    niqe: float
    psnr_db: float | None = None
    ssim: float | None = None


@dataclass(frozen=True)
class SetScore:
    """Means over a folder, and every photo's own figures."""

    folder: str
    count: int
    niqe: float
    psnr_db: float | None
    ssim: float | None
    photos: tuple[PhotoScore, ...]


def enhance_photo(generator: Generator, photo: Photo) -> Photo:
    """Enhance (H, W, 3) uint8 RGB with a generator."""
    rgb = torch.from_numpy(np.ascontiguousarray(photo.transpose(2, 0, 1)))[None].float()
    with torch.no_grad():
        enhanced = generator(rgb / 127.5 - 1)[0]
    levels = ((enhanced + 1) * 127.5).round().clamp(0, 255).to(torch.uint8)
    return np.ascontiguousarray(levels.permute(1, 2, 0).numpy())


def score_photos(folder: Path, enhance: Enhance, references: Path | None = None) -> SetScore:
    """Measure every photo of a folder.

    Args:
        folder: dark photos.
        enhance: what to measure.
        references: folder of well-lit twins with the same file names, or None.

    Raises:
        DataError: a folder has no photos, or a reference is missing.
    """
    scores = tuple(_scores(folder, enhance, references))
    means = {
        figure: _mean([getattr(score, figure) for score in scores])
        for figure in ("psnr_db", "ssim")
    }
    niqe_mean = float(np.mean([score.niqe for score in scores]))
    return SetScore(str(folder), len(scores), niqe_mean, means["psnr_db"], means["ssim"], scores)


def _scores(folder: Path, enhance: Enhance, references: Path | None) -> Iterator[PhotoScore]:
    for path in find_photos(folder):
        output = enhance(read_photo(path))
        if references is None:
            yield PhotoScore(path.name, photo_niqe(output))
            continue
        reference = read_photo(references / path.relative_to(folder))
        if reference.shape != output.shape:
            raise DataError(f"{path}: {output.shape}, but its reference is {reference.shape}")
        figures = psnr_db(output, reference), ssim(output, reference)
        yield PhotoScore(path.name, photo_niqe(output), *figures)


def _mean(values: list[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else None


def report(scores: list[SetScore]) -> Table:
    """The means as a table."""
    table = Table("folder", "photos", "PSNR dB", "SSIM", "NIQE")
    for score in scores:
        figures = [
            f"{value:.3f}" if value is not None else "" for value in (score.psnr_db, score.ssim)
        ]
        table.add_row(score.folder, str(score.count), *figures, f"{score.niqe:.3f}")
    return table


def _enhancement(model: str) -> Enhance:
    if model == "input":
        return lambda photo: photo
    generator = load_generator(model)
    return lambda photo: enhance_photo(generator, photo)


def main(
    model: Annotated[str, typer.Argument(help="grid, unet, a weights file, or input.")],
    pairs: Annotated[
        tuple[Path, Path] | None, typer.Option(help="Folders of dark photos and of references.")
    ] = None,
    photos: Annotated[list[Path] | None, typer.Option(help="Folder of dark photos.")] = None,
    json_file: Annotated[
        Path | None, typer.Option("--json", help="Write all figures here.")
    ] = None,
) -> None:
    """Measure PSNR and SSIM on pairs, and NIQE on any photos."""
    enhance = _enhancement(model)
    scores = [score_photos(pairs[0], enhance, pairs[1])] if pairs else []
    scores += [score_photos(folder, enhance) for folder in photos or []]
    Console().print(report(scores))
    if json_file:
        sets = [asdict(score) for score in scores]
        machine = f"{platform.machine()}, torch {torch.__version__}"
        result = {"model": model, "machine": machine, "sets": sets}
        json_file.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    typer.run(main)
