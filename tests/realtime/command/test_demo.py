"""`tapetum demo`, and what the package says of itself."""

from __future__ import annotations

import os
from importlib.metadata import metadata, version
from pathlib import Path

import av
import pytest
from support.command_line import ROOT, environment, tapetum

from tapetum.gan.weights import GENERATORS, RESTRICTED, weights_path


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="Windows opens files itself")
@pytest.mark.parametrize("screen", [":0", ""], ids=["screen", "no screen"])
def test_the_sample_is_made_bright_and_handed_to_the_player(tmp_path: Path, screen: str) -> None:
    opened = tmp_path / "opened"
    player = tmp_path / "xdg-open"
    player.write_text(f'#!/bin/sh\nprintf %s "$1" > {opened}\n')
    player.chmod(0o755)
    output = tmp_path / "demo.mp4"
    answer = tapetum(
        "demo",
        output,
        PATH=f"{tmp_path}{os.pathsep}{environment()['PATH']}",
        DISPLAY=screen,
        WAYLAND_DISPLAY="",
    )
    assert answer.returncode == 0, answer.stderr
    with av.open(str(output)) as container:
        assert container.streams.video[0].width == 2 * 640
        picture = next(container.decode(video=0)).to_ndarray(format="gray")
    assert picture[:, 640:].mean() > 1.5 * picture[:, :640].mean()
    assert opened.exists() == bool(screen)
    if screen:
        assert Path(opened.read_text()) == output
    else:
        assert f"no player that could be opened; look at {output}" in answer.stderr


def test_weights_that_are_not_mit_are_named_with_the_version() -> None:
    first, *others = tapetum("--version").stdout.splitlines()
    assert first == f"tapetum {version('tapetum')}, MIT licence"
    assert others == [f"weights of {name}: {terms}" for name, terms in RESTRICTED.items()]


def test_the_cards_the_metadata_and_the_restricted_weights_agree() -> None:
    bound = {
        name for name in GENERATORS if "non-commercial" in weights_path(name, ".md").read_text()
    }
    assert bound == set(RESTRICTED)
    assert all(weights_path(name, ".LICENSE.txt").is_file() for name in bound)
    expression = metadata("tapetum")["License-Expression"]
    assert ("LicenseRef" in expression) == bool(bound)


def test_the_citation_is_of_this_version() -> None:
    lines = (ROOT / "CITATION.cff").read_text().splitlines()
    assert f"version: {version('tapetum')}" in lines
