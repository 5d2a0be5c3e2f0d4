"""Nothing half-written, nothing lost: how output files come to be."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from support.media import Clip, make_clip
from support.transcoding import frame_times, transcode

from tapetum.gan.process_mark import process_mark
from tapetum.realtime.errors import MediaError
from tapetum.realtime.frame import Frame
from tapetum.realtime.media.file_sink import FileSink
from tapetum.realtime.media.file_source import FileSource
from tapetum.realtime.media.output_path import OutputFile
from tapetum.realtime.media.video_info import VideoInfo

pytestmark = pytest.mark.slow


@pytest.fixture
def clip_path(tmp_path: Path) -> Path:
    return make_clip(tmp_path / "in.mp4", Clip(frames=3))


@pytest.fixture
def info(clip_path: Path) -> VideoInfo:
    with FileSource(clip_path) as source:
        return source.info


@pytest.fixture
def frames(clip_path: Path) -> Iterator[list[Frame]]:
    with FileSource(clip_path) as source:
        yield list(source)


def test_nothing_lies_under_the_final_name_before_close(
    tmp_path: Path, info: VideoInfo, frames: list[Frame]
) -> None:
    target = tmp_path / "out.mp4"
    sink = FileSink(target, info=info)
    for frame in frames:
        sink.write(frame)
    assert not target.exists()
    assert (tmp_path / f".out.part-{process_mark()}.mp4").exists()
    sink.close()
    sink.close()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.mp4", "out.mp4"]


def test_discard_leaves_nothing(tmp_path: Path, info: VideoInfo, frames: list[Frame]) -> None:
    sink = FileSink(tmp_path / "out.mp4", info=info)
    sink.write(frames[0])
    sink.discard()
    sink.discard()
    assert [path.name for path in tmp_path.iterdir()] == ["in.mp4"]
    with pytest.raises(MediaError, match="is closed"):
        sink.write(frames[1])


def test_an_error_inside_with_discards(tmp_path: Path, info: VideoInfo) -> None:
    with pytest.raises(KeyboardInterrupt), FileSink(tmp_path / "out.mp4", info=info):
        raise KeyboardInterrupt
    assert [path.name for path in tmp_path.iterdir()] == ["in.mp4"]


def test_an_existing_output_is_only_replaced_when_asked(
    tmp_path: Path, info: VideoInfo, frames: list[Frame]
) -> None:
    target = tmp_path / "out.mp4"
    target.write_text("precious")
    with pytest.raises(MediaError, match="exists; pass --overwrite"):
        FileSink(target, info=info)
    with FileSink(target, info=info, overwrite=True) as sink:
        assert target.read_text() == "precious"
        sink.write(frames[0])
    assert len(frame_times(target)) == 1


def test_of_two_jobs_to_one_new_name_one_wins(
    tmp_path: Path, info: VideoInfo, frames: list[Frame]
) -> None:
    first, second = (FileSink(tmp_path / "out.mp4", info=info) for _ in range(2))
    for sink, count in ((first, 3), (second, 2)):
        for frame in frames[:count]:
            sink.write(frame)
    second.close()
    with pytest.raises(MediaError, match=r"out\.mp4 exists; pass --overwrite"):
        first.close()
    assert len(frame_times(tmp_path / "out.mp4")) == 2
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.mp4", "out.mp4"]


def test_what_loses_a_name_to_another_leaves_nothing(tmp_path: Path) -> None:
    first, second = (OutputFile(tmp_path / "out.png") for _ in range(2))
    for output in (first, second):
        output.temporary.write_bytes(b"a picture")
    second.commit()
    with pytest.raises(MediaError, match=r"out\.png exists; pass --overwrite"):
        first.commit()
    assert [path.name for path in tmp_path.iterdir()] == ["out.png"]


def test_overwriting_goes_through_links_and_keeps_the_mode(
    tmp_path: Path, info: VideoInfo, frames: list[Frame]
) -> None:
    target, link = tmp_path / "target.mp4", tmp_path / "link.mp4"
    target.touch(mode=0o600)
    link.symlink_to("target.mp4")
    with FileSink(link, info=info, overwrite=True) as sink:
        sink.write(frames[0])
    assert link.is_symlink()
    assert len(frame_times(target)) == 1
    assert target.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("overwrite", [True, False])
def test_pipes_and_devices_are_never_replaced(
    tmp_path: Path, info: VideoInfo, overwrite: bool
) -> None:
    pipe, device = tmp_path / "pipe.mp4", tmp_path / "null.mkv"
    os.mkfifo(pipe)
    device.symlink_to("/dev/null")
    for path in (pipe, device):
        with pytest.raises(MediaError, match="is a pipe or a device, not a file"):
            FileSink(path, info=info, overwrite=overwrite)
    assert pipe.is_fifo()
    assert Path("/dev/null").is_char_device()


@pytest.mark.parametrize("link", ["itself", "symlink", "hardlink"])
def test_the_input_is_never_replaced(
    tmp_path: Path, clip_path: Path, info: VideoInfo, link: str
) -> None:
    target = clip_path if link == "itself" else tmp_path / "other.mp4"
    if link == "symlink":
        target.symlink_to(clip_path)
    elif link == "hardlink":
        target.hardlink_to(clip_path)
    with pytest.raises(MediaError, match="is the input itself"):
        FileSink(target, info=info, copy_from=clip_path, overwrite=True)
    assert len(frame_times(clip_path)) == 3


def test_folders_that_cannot_be_written_are_errors(tmp_path: Path, info: VideoInfo) -> None:
    with pytest.raises(MediaError, match="does not exist; make it first"):
        FileSink(tmp_path / "missing" / "out.mp4", info=info)
    (tmp_path / "folder.mp4").mkdir()
    with pytest.raises(MediaError, match="is a folder"):
        FileSink(tmp_path / "folder.mp4", info=info)


@pytest.mark.parametrize("letter", ["n", "\N{HIRAGANA LETTER NO}"], ids=["ASCII", "3 bytes"])
def test_a_name_may_be_as_long_as_the_file_system_has_it(
    tmp_path: Path, info: VideoInfo, frames: list[Frame], letter: str
) -> None:
    longest = 251 // len(letter.encode()) * letter
    with FileSink(tmp_path / f"{longest}.mp4", info=info) as sink:
        for frame in frames:
            sink.write(frame)
    assert [path.stem for path in tmp_path.glob("*.mp4") if path.name != "in.mp4"] == [longest]
    with pytest.raises(MediaError, match=r"cannot write .*: File name too long"):
        FileSink(tmp_path / f"{longest}{longest}.mp4", info=info)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_read_only_folder_is_an_error(tmp_path: Path, info: VideoInfo) -> None:
    folder = tmp_path / "locked"
    folder.mkdir(mode=0o555)
    with pytest.raises(MediaError, match="is read-only"):
        FileSink(folder / "out.mp4", info=info)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs Linux's full device")
@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_a_full_disk_is_one_clear_line(tmp_path: Path, clip_path: Path, suffix: str) -> None:
    (tmp_path / f".out.part-{process_mark()}{suffix}").symlink_to("/dev/full")
    with pytest.raises(MediaError, match=f"cannot write .*out{suffix}: the disk is full"):
        transcode(clip_path, tmp_path / f"out{suffix}")
    assert [path.name for path in tmp_path.iterdir()] == ["in.mp4"]
    assert shutil.disk_usage(tmp_path).free > 0


def test_frames_that_are_not_as_announced_are_errors(
    tmp_path: Path, info: VideoInfo, frames: list[Frame]
) -> None:
    with FileSink(tmp_path / "out.mp4", info=replace(info, width=66)) as sink:
        with pytest.raises(MediaError, match="is 64x48 yuv420p, not 66x48 yuv420p"):
            sink.write(frames[0])
        with pytest.raises(MediaError, match="has no time"):
            sink.write(replace(frames[0], pts=None))
