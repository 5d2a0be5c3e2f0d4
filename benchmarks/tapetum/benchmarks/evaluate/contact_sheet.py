"""One picture of many outcomes to look at, each with its name and its scores."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from tapetum.benchmarks.evaluate.evaluation import Evaluation
from tapetum.benchmarks.evaluate.photos import Outcome, PhotoScore, SetScore
from tapetum.benchmarks.measure.errors import BenchmarkError
from tapetum.gan.photos import Photo
from tapetum.gan.whole_file import write_whole

_WIDTH_PX = 1600
_HEIGHT_PX = 220
"""Of the pictures, about: each line of them fills the sheet's width."""
_TALLEST_PX = 480
_GAP_PX = 8
_SEAM_PX = 2
_TEXT_PX = 14
_LINE_PX = 20
_WORDS, _PAPER = "#1a1a1a", "white"


@dataclass(frozen=True)
class _Strip:
    """One outcome: its pictures side by side, what each is, and how it scored."""

    pictures: Sequence[Photo]
    words: Sequence[str]
    scores: str

    @property
    def aspect(self) -> float:
        """Width over height of its pictures side by side."""
        return sum(float(picture.shape[1] / picture.shape[0]) for picture in self.pictures)


def write_contact_sheet(result: Evaluation, path: Path) -> None:
    """Write the sheet of an evaluation as a PNG, whole or not at all.

    Raises:
        BenchmarkError: the file cannot be written.
    """
    encoded = io.BytesIO()
    contact_sheet(result).save(encoded, "PNG")
    write_whole(path, encoded.getvalue(), error=BenchmarkError)


def contact_sheet(result: Evaluation) -> Image.Image:
    """The photos that an evaluation kept to look at: as they were, enhanced, and references.

    Above them stands the model with its means, below each photo its name and its scores.
    """
    strips = [_strip(result.model, outcome, score) for outcome, score in result.shown]
    rows = _rows(strips)
    # What is too little to fill a line makes a narrow sheet.
    width = min(_WIDTH_PX, round(_TALLEST_PX * min(map(_aspect, rows))))
    head = [f"{result.model}: {_means(scores)}" for scores in result.photos]
    heights = [_row_height(row, width) for row in rows]
    height = _LINE_PX * len(head) + sum(each + 2 * _LINE_PX + _GAP_PX for each in heights)
    sheet = Image.new("RGB", (width, height + _GAP_PX), _PAPER)
    top = _GAP_PX
    for line in head:
        _write(sheet, (_GAP_PX, top), line, width - 2 * _GAP_PX)
        top += _LINE_PX
    for row, row_height in zip(rows, heights, strict=True):
        _draw_row(sheet, row, top, row_height)
        top += row_height + 2 * _LINE_PX + _GAP_PX
    return sheet


def _strip(model: str, outcome: Outcome, score: PhotoScore) -> _Strip:
    pictures, words = [outcome.dark, outcome.enhanced], [outcome.path.name, model]
    if outcome.reference is not None:
        pictures.append(outcome.reference)
        words.append("reference")
    return _Strip(pictures, words, _scores(score))


def _scores(score: PhotoScore | SetScore) -> str:
    """The figures that there are, in words."""
    figures = (
        ("PSNR {:.1f} dB", score.psnr_db),
        ("aligned {:.1f} dB", score.psnr_aligned_db),
        ("SSIM {:.2f}", score.ssim),
        ("NIQE {:.2f}", score.niqe),
        ("noise {:.1f}", score.noise_levels),
        ("hue {:.0f} degrees", score.hue_degrees),
    )
    return ", ".join(text.format(value) for text, value in figures if value is not None)


def _means(scores: SetScore) -> str:
    return f"means of {scores.count} photos of {scores.folder}: {_scores(scores)}"


def _rows(strips: Sequence[_Strip]) -> list[list[_Strip]]:
    """The strips in lines of about one width, each of at least one strip."""
    count = max(1, round(_aspect(strips) * _HEIGHT_PX / _WIDTH_PX))
    wanted = _aspect(strips) / count
    rows: list[list[_Strip]] = [[]]
    for strip in strips:
        if rows[-1] and len(rows) < count and _aspect(rows[-1]) + strip.aspect / 2 > wanted:
            rows.append([])
        rows[-1].append(strip)
    return rows


def _aspect(strips: Sequence[_Strip]) -> float:
    return sum(strip.aspect for strip in strips)


def _row_height(row: Sequence[_Strip], width: int) -> int:
    return round(width / _aspect(row))


def _draw_row(sheet: Image.Image, row: Sequence[_Strip], top: int, height: int) -> None:
    edges = _edges(row, sheet.width)
    below = top + height + 2
    for strip in row:
        left = None
        for picture, word in zip(strip.pictures, strip.words, strict=True):
            begin, end = next(edges)
            left = begin if left is None else left
            tile = Image.fromarray(picture).resize((end - begin, height), Image.Resampling.LANCZOS)
            sheet.paste(tile, (begin, top))
            _write(sheet, (begin, below), word, end - begin)
        _write(sheet, (left or 0, below + _LINE_PX), strip.scores, end - (left or 0))


def _edges(row: Sequence[_Strip], width: int) -> Iterator[tuple[int, int]]:
    """Left and right of each picture of a line: together they fill the width."""
    whole, before = _aspect(row), 0.0
    for strip in row:
        for picture in strip.pictures:
            after = before + picture.shape[1] / picture.shape[0]
            yield round(width * before / whole), round(width * after / whole) - _SEAM_PX
            before = after


def _write(sheet: Image.Image, place: tuple[int, int], text: str, width: int) -> None:
    """A line of text, cut to what there is room for."""
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(_TEXT_PX)
    if draw.textlength(text, font) > width:
        while text and draw.textlength(f"{text}...", font) > width:
            text = text[:-1]
        text = f"{text}..."
    draw.text(place, text, fill=_WORDS, font=font)
