"""Runs the Python examples of the documentation, and checks the files that it names.

A block runs in a folder of its own that holds `samples/`, a short clip as `dark.mp4` and a photo
as `dark.png`; blocks of one document share their names, in order. A block marked
```` ```python no-run ```` is only compiled, as is one that `needs` a library.
"""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import av
import pytest
from support.command_line import ROOT

from tapetum.realtime import read_image, write_image

pytestmark = pytest.mark.slow

DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("samples/*.md")])
_BLOCK = re.compile(r"^```python([^\n]*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\]\((?!https?:|#|mailto:)([^)#\s]+)")


def python_blocks(document: Path) -> list[tuple[str, str]]:
    """The info string and the code of each block."""
    return _BLOCK.findall(document.read_text())


@pytest.fixture
def example_folder(
    short_clip: Path, sample_clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Path:
    shutil.copytree(sample_clip.parent, tmp_path / "samples")
    shutil.copy(short_clip, tmp_path / "dark.mp4")
    with av.open(sample_clip) as container:
        picture = next(container.decode(video=0)).to_ndarray(format="rgb24")
    _save_png(tmp_path / "dark.png", picture)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def _save_png(path: Path, picture: object) -> None:
    from tapetum.realtime.cpu.rgb import frame_from_rgb

    write_image(path, frame_from_rgb(picture))  # type: ignore[arg-type] # av has no array types
    assert read_image(path).width == 640


@pytest.mark.usefixtures("example_folder")
@pytest.mark.parametrize(
    "document",
    [path for path in DOCUMENTS if python_blocks(path)],
    ids=lambda path: str(path.relative_to(ROOT)),
)
def test_the_examples_run(document: Path) -> None:
    names: dict[str, object] = {"__name__": "example"}
    for info, block in python_blocks(document):
        code = compile(block, f"{document.name}: {block.splitlines()[0]}", "exec")
        if not {"no-run", "needs"} & {*info.split()}:  # needs: test_python_hosts.py
            exec(code, names)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_linked_files_exist(document: Path) -> None:
    for target in _LINK.findall(document.read_text()):
        assert (document.parent / target).exists(), f"{document.name} links to {target}"
