"""Which files a job takes, and where their outputs go."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest
from support.command_line import tapetum

from tapetum.realtime.batch.tree import Naming, Selection, make_plan
from tapetum.realtime.errors import MediaError


@pytest.fixture
def nights(tmp_path: Path) -> Path:
    """A folder as people have them."""
    folder = tmp_path / "nights"
    for name in (
        "a.mp4",
        "b.HEIC",
        "c.AVI",
        "notes.txt",
        ".hidden.mp4",
        ".trash/d.mp4",
        "2024/e.MOV",
        "2024/june/f.jpg",
    ):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
    return folder


def planned(folder: Path, output: Path, *inputs: Path | str, **options: object) -> dict[str, str]:
    plan = make_plan(inputs or [folder], output, **options)  # type: ignore[arg-type]
    return {
        str(task.source.relative_to(folder)): str(task.output.relative_to(output))
        for task in plan.tasks
    }


def test_a_tree_is_mirrored_and_formats_are_kept_where_they_can(nights: Path) -> None:
    assert planned(nights, nights.parent / "bright") == {
        "a.mp4": "a.mp4",
        "b.HEIC": "b.jpg",
        "c.AVI": "c.mkv",
        "2024/e.MOV": "2024/e.MOV",
        "2024/june/f.jpg": "2024/june/f.jpg",
    }


def test_what_is_no_video_or_photo_is_told_apart(nights: Path, tmp_path: Path) -> None:
    (other,) = make_plan([nights], tmp_path / "out").others
    assert (other.source, other.output) == (nights / "notes.txt", tmp_path / "out" / "notes.txt")


def test_names_and_formats_can_be_chosen_for_videos_and_photos(nights: Path) -> None:
    naming = Naming("_bright", ("webm", ".PNG"))
    found = planned(nights, nights.parent / "out", naming=naming)
    assert found["c.AVI"] == "c_bright.webm"
    assert found["2024/june/f.jpg"] == "2024/june/f_bright.png"
    only_photos = planned(nights, nights.parent / "out", naming=Naming(extensions=("avif",)))
    assert (only_photos["a.mp4"], only_photos["b.HEIC"]) == ("a.mp4", "b.avif")


@pytest.mark.parametrize("extensions", [("xyz",), ("mp4", "mkv"), ("png", "jpg"), ("heic",)])
def test_formats_that_cannot_be_are_refused(extensions: tuple[str, ...]) -> None:
    with pytest.raises(MediaError):
        Naming(extensions=extensions)


@pytest.mark.parametrize(
    "given", ["http://host/a.mp4", "http://host/a?b=1", "RTSP://host/a", "img_%04d.png"]
)
def test_addresses_and_series_are_no_files_of_a_job(given: str, tmp_path: Path) -> None:
    """They were taken for paths, and lost a slash."""
    with pytest.raises(MediaError) as caught:
        make_plan([given], tmp_path / "bright")
    assert str(caught.value).startswith(f"{given} is an address or a series of pictures, of which")


def test_an_address_for_several_workers_is_one_line(tmp_path: Path) -> None:
    answer = tapetum("enhance", "http://host/a.mp4", tmp_path / "a.mp4", "--workers", "2")
    assert answer.returncode == 1
    assert answer.stderr.startswith("error: http://host/a.mp4 is an address or a series")
    assert len(answer.stderr.splitlines()) == 1


def test_patterns_choose_by_name_or_by_path(nights: Path) -> None:
    def chosen(**selection: object) -> set[str]:
        return set(planned(nights, nights.parent / "o", selection=Selection(**selection)))  # type: ignore[arg-type]

    assert chosen(include=("*.mp4", "*.MOV")) == {"a.mp4", "2024/e.MOV"}
    assert chosen(include=("2024/*",)) == {"2024/e.MOV", "2024/june/f.jpg"}
    assert chosen(include=("2024/*",), exclude=("*.jpg",)) == {"2024/e.MOV"}
    old = time.time() - 1000
    os.utime(nights / "a.mp4", (old, old))
    assert "a.mp4" not in chosen(newer_than_s=old + 500)
    assert "c.AVI" in chosen(newer_than_s=old + 500)


def test_several_inputs_and_patterns(nights: Path, tmp_path: Path) -> None:
    output = tmp_path / "out"
    plan = make_plan([nights / "2024", nights / "a.mp4"], output)
    assert [task.output for task in plan.tasks] == [
        output / "2024" / "e.MOV",
        output / "2024" / "june" / "f.jpg",
        output / "a.mp4",
    ]
    plan = make_plan([str(nights / "**" / "*.jpg")], output)
    assert [task.output for task in plan.tasks] == [output / "f.jpg"]
    with pytest.raises(MediaError, match=r"no file matches .*\*\.xyz"):
        make_plan([str(nights / "*.xyz")], output)


def test_a_pattern_is_taken_as_the_folder_that_it_looks_into(nights: Path, tmp_path: Path) -> None:
    """Files of other kinds are none that failed, and folders are gone through."""
    out = tmp_path / "out"
    whole, matched = make_plan([nights], out), make_plan([f"{nights}/*"], out)
    assert {task.source for task in matched.tasks} == {task.source for task in whole.tasks}
    assert {task.source for task in matched.others} == {task.source for task in whole.others}
    (nights / "out").mkdir()
    again = make_plan([f"{nights}/*"], nights / "out")
    assert {task.source for task in again.tasks} == {task.source for task in whole.tasks}
    deep = make_plan([f"{nights}/**"], out)
    assert {task.source for task in deep.tasks} == {task.source for task in whole.tasks}
    few = make_plan([f"{nights}/**"], out, selection=Selection(exclude=["*.mkv"]))
    assert {task.source.suffix for task in few.tasks} == (
        {task.source.suffix for task in whole.tasks} - {".mkv"}
    )


def test_what_two_inputs_name_is_done_once(nights: Path, tmp_path: Path) -> None:
    """Patterns may overlap, and one file have several names."""
    plan = make_plan(
        [f"{nights}/*.mp4", f"{nights}/a*", f"{nights}/../{nights.name}"], tmp_path / "out"
    )
    names = [task.source.resolve() for task in plan.tasks if task.source.parent == nights]
    assert len(names) == len(set(names)) > 0
    assert plan.refused == []


def test_two_others_of_one_copy_are_named(tmp_path: Path) -> None:
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "notes.txt").write_text(folder)
    plan = make_plan([f"{tmp_path}/a/*", f"{tmp_path}/b/*"], tmp_path / "out")
    assert [task.source for task in plan.others] == [tmp_path / "a" / "notes.txt"]
    assert [path for path, _ in plan.refused] == [tmp_path / "b" / "notes.txt"]


def test_two_inputs_of_one_output_are_named_and_one_is_done(nights: Path, tmp_path: Path) -> None:
    (nights / "a.mkv").write_bytes(b"x")
    plan = make_plan([nights], tmp_path / "out", naming=Naming(extensions=("mp4",)))
    ((refused, why),) = plan.refused
    assert refused == nights / "a.mp4"
    assert f"is that of {nights / 'a.mkv'}" in why
    assert nights / "a.mkv" in [task.source for task in plan.tasks]


@pytest.mark.parametrize("output", [".", "bright", "2024/bright", ".."])
def test_folders_within_each_other_are_refused(nights: Path, output: str) -> None:
    with pytest.raises(MediaError, match="choose"):
        make_plan([nights], nights / output)


def test_links_in_a_circle_end_and_linked_folders_are_taken(nights: Path, tmp_path: Path) -> None:
    (nights / "2024" / "again").symlink_to(nights)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "g.mp4").write_bytes(b"x")
    (nights / "linked").symlink_to(elsewhere)
    found = planned(nights, tmp_path / "out")
    assert found["linked/g.mp4"] == "linked/g.mp4"
    assert len(found) == 6


def test_names_that_are_no_text_are_taken(nights: Path, tmp_path: Path) -> None:
    name = os.fsdecode(b"caf\xe9.mp4")
    (nights / name).write_bytes(b"x")
    assert planned(nights, tmp_path / "out")[name] == name
