"""docs/architecture.md leads to files that are there."""

from __future__ import annotations

import re
from pathlib import Path

from support.command_line import ROOT

PARTS = ("gan", "realtime", "trt_build", "benchmarks")
_FILE = re.compile(r"`((?:gan|realtime|trt_build|benchmarks|tests|scripts)/[\w./]*)`")


def place(named: str) -> Path:
    """Where a file lies that the page names: `gan/losses.py` is in `gan/tapetum/gan`."""
    part, _, rest = named.partition("/")
    return ROOT / part / "tapetum" / part / rest if part in PARTS else ROOT / named


def test_every_file_that_the_page_names_is_there() -> None:
    named = _FILE.findall((ROOT / "docs" / "architecture.md").read_text())
    assert len(named) > 50
    missing = [name for name in named if not place(name).exists() and not (ROOT / name).exists()]
    assert missing == []


def test_every_package_has_a_word_about_itself() -> None:
    for part in PARTS:
        for package in (ROOT / part / "tapetum" / part).rglob("__init__.py"):
            assert package.read_text().startswith('"""'), package
