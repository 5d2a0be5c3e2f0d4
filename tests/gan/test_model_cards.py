"""The figures in the model cards are those that `tapetum evaluate` wrote down."""

from __future__ import annotations

import json
from typing import Any

import pytest
from support.command_line import ROOT

from tapetum.gan.photos import read_photo

WEIGHTS = ROOT / "gan" / "tapetum" / "gan" / "weights"
FOLDERS = {
    "low": "{count} very dark photos with references",
    "dicm": "DICM, {count} photos",
    "lime": "LIME, {count} photos",
}
CLIPS = {
    "city_night_1080p.mp4": "night street, 1080p",
    "drive_night_360p.mp4": "night drive, 360p",
}


def measured(model: str) -> dict[str, Any]:
    text = (ROOT / "benchmarks" / "results" / f"quality-{model}.json").read_text()
    figures: dict[str, Any] = json.loads(text)
    return figures


def photo_rows(model: str) -> list[str]:
    shown = "input" if model == "input" else f"`{model}`"
    return [
        f"| {FOLDERS[photos['folder']].format(count=photos['count'])} | {shown}"
        f" | {_rounded(photos['psnr_db'], 2)} | {_rounded(photos['ssim'], 3)}"
        f" | {_rounded(photos['niqe'], 2)} |"
        for photos in measured(model)["photos"]
    ]


def clip_rows(model: str) -> list[str]:
    return [
        f"| {CLIPS[clip['clip']]} | {_from_to(clip['mean_luma'], 1)}"
        f" | {_from_to(clip['flicker'], 3)}"
        f" | {' to '.join(f'{value:.3g}' for value in clip['warped_error'])} |"
        for clip in measured(model)["clips"]
    ]


def _rounded(value: float | None, digits: int) -> str:
    return "" if value is None else f"{value:.{digits}f}"


def _from_to(values: list[float], digits: int) -> str:
    return " to ".join(f"{value:.{digits}f}" for value in values)


@pytest.mark.parametrize("model", ["grid", "unet"])
def test_a_cards_figures_are_those_of_its_file(model: str) -> None:
    card = (WEIGHTS / f"{model}.md").read_text()
    rows = [*photo_rows("input"), *photo_rows(model), *clip_rows(model)]
    assert [row for row in rows if row not in card] == []


@pytest.mark.parametrize("model", ["grid", "unet"])
def test_a_card_shows_its_weaknesses(model: str) -> None:
    text = (WEIGHTS / f"{model}.md").read_text()
    _, _, weaknesses = text.partition("## Known weaknesses\n")
    assert f"]({model}.jpg)" in text
    assert len([line for line in weaknesses.splitlines() if line.startswith("- ")]) >= 3
    picture = read_photo(WEIGHTS / f"{model}.jpg")
    assert min(picture.shape[:2]) >= 200
    assert picture.std() > 10, "the picture shows nothing"
