"""`tapetum demo`, and what the package says of itself."""

from __future__ import annotations

import os
from importlib.metadata import metadata, version
from pathlib import Path

import av
import pytest
from support.command_line import ROOT, environment, tapetum

from tapetum.gan.weights import GENERATORS, weights_path


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


def test_the_licence_is_said_with_the_version() -> None:
    assert tapetum("--version").stdout == f"tapetum {version('tapetum')}, MIT licence\n"


def test_all_weights_are_under_the_licence_of_the_code() -> None:
    assert metadata("tapetum")["License-Expression"] == "MIT"
    for name in GENERATORS:
        assert "The weights are MIT" in weights_path(name, ".md").read_text()


def test_the_citation_is_of_this_version() -> None:
    lines = (ROOT / "CITATION.cff").read_text().splitlines()
    assert f"version: {version('tapetum')}" in lines
