"""Files that are whole or not there: names, links, modes, several writers at once, leftovers."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from support.command_line import environment

from tapetum.benchmarks.bench.result import COLUMNS, write_csv
from tapetum.benchmarks.measure.errors import BenchmarkError
from tapetum.benchmarks.measure.files import write_json
from tapetum.gan.process_mark import process_mark
from tapetum.gan.scratch_folder import scratch_folder
from tapetum.gan.whole_file import WholeFile, whole_file, write_whole


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_pipe_is_written_to_and_stays_a_pipe(tmp_path: Path) -> None:
    pipe, read = tmp_path / "pipe", list[str]()
    os.mkfifo(pipe)
    reader = threading.Thread(target=lambda: read.append(pipe.read_text()), daemon=True)
    reader.start()
    write_json({"a": 1}, pipe)
    reader.join(10)
    assert pipe.is_fifo()
    assert read == ['{\n "a": 1\n}\n']


@pytest.mark.parametrize("there", [True, False])
def test_a_link_is_followed(tmp_path: Path, there: bool) -> None:
    (tmp_path / "elsewhere").mkdir()
    link, file = tmp_path / "link", tmp_path / "elsewhere" / "file"
    link.symlink_to(file)
    if there:
        file.write_text("before")
    write_csv({"results": [], "complete": True}, link)
    assert link.is_symlink()
    assert file.read_bytes() == ",".join(COLUMNS).encode() + b"\r\n"
    assert names(tmp_path) == ["elsewhere", "link"]


def test_what_cannot_be_written_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, file = tmp_path / "folder", tmp_path / "file"
    folder.mkdir()
    file.write_text("before")
    with pytest.raises(BenchmarkError, match="folder cannot be written: Is a directory"):
        write_json({}, folder)
    monkeypatch.setattr(Path, "replace", _full)
    with pytest.raises(BenchmarkError, match="file cannot be written: No space left"):
        write_whole(file, "after", error=BenchmarkError)
    with pytest.raises(OSError, match="No space left"):
        write_whole(file, "after")
    assert file.read_text() == "before"
    assert names(tmp_path) == ["file", "folder"]


def _full(_file: Path, _target: Path) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


def test_the_mode_of_what_is_replaced_is_kept(tmp_path: Path) -> None:
    (tmp_path / "secret").touch(mode=0o600)
    (tmp_path / "script").touch()
    (tmp_path / "script").chmod(0o755)
    for name, mode in (("secret", 0o600), ("script", 0o755)):
        write_whole(tmp_path / name, b"after")
        assert (tmp_path / name).stat().st_mode & 0o777 == mode


def write_new(path: Path, text: str) -> bool:
    """Write a file that is not there yet; False if it is."""
    file = WholeFile(path, replace=False)
    try:
        file.temporary.write_text(text)
        file.commit()
    except FileExistsError:
        return False
    finally:
        file.discard()
    return True


@pytest.mark.parametrize("hard_links", [True, False])
def test_of_several_that_write_one_new_file_one_wins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, hard_links: bool
) -> None:
    if not hard_links:
        monkeypatch.setattr(Path, "hardlink_to", _no_links)
    path, texts = tmp_path / "file", [str(number) * 1000 for number in range(8)]
    with ThreadPoolExecutor(8) as threads:
        won = list(threads.map(lambda text: write_new(path, text), texts))
    assert sum(won) == 1
    assert path.read_text() == texts[won.index(True)]
    assert names(tmp_path) == ["file"]


def _no_links(_file: Path, _target: Path) -> None:
    raise PermissionError(errno.EPERM, "Operation not permitted")


def test_threads_that_write_one_file_do_not_mix(tmp_path: Path) -> None:
    with whole_file(tmp_path / "f.txt") as first, whole_file(tmp_path / "f.txt") as second:
        assert first != second
        first.write_text("first")
        second.write_text("second")
    assert (tmp_path / "f.txt").read_text() == "first"  # the block around is the last to end
    assert names(tmp_path) == ["f.txt"]


def mark_of(process: int, *, began: int | None = None, machine: str | None = None) -> str:
    """The mark of a process, or one like it that began at another time or on another machine."""
    if began is None:
        status = Path(f"/proc/{process}/stat").read_text()
        began = int(status.rpartition(")")[2].split()[19])
    return f"{process}-{began}-{machine or process_mark().split('-')[2]}"


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs Linux's /proc")
def test_what_a_killed_process_left_is_removed_by_the_next(tmp_path: Path) -> None:
    assert mark_of(os.getpid()) == process_mark()
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        pass
    gone = mark_of(process.pid, began=1)
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as alive:
        left = [
            f".out.part-{gone}.mp4",
            f".out.part-{gone}-2.mp4",
            f".other.part-{gone}.mkv",
            f".no_suffix.part-{gone}",
            f".reused.part-{mark_of(alive.pid, began=1)}.mp4",
        ]
        others = [
            f".out.part-{mark_of(alive.pid)}.mp4",
            f".out.part-{mark_of(os.getpid())}-7.mp4",
            f".elsewhere.part-{mark_of(process.pid, began=1, machine='0c0c0c')}.mp4",
            f"out.part-{gone}.mp4",
            ".out.part-none.mp4",
            f".out.part-{process.pid}.mp4",
        ]
        for name in (*left, *others):
            (tmp_path / name).touch()
        write_whole(tmp_path / "out.mp4", b"whole")
        assert names(tmp_path) == sorted([*others, "out.mp4"])
        alive.communicate(b"\n")


@pytest.mark.parametrize("name", ["out.mp4", 83 * "\N{HIRAGANA LETTER NO}" + "n.mp4"])
def test_so_is_what_it_left_under_a_name_that_had_to_be_cut(tmp_path: Path, name: str) -> None:
    killed = (
        "import os, signal, sys; from pathlib import Path;"
        "from tapetum.gan.whole_file import WholeFile;"
        "WholeFile(Path(sys.argv[1])).temporary.touch(); os.kill(os.getpid(), signal.SIGKILL)"
    )
    command = [sys.executable, "-c", killed, str(tmp_path / name)]
    assert subprocess.run(command, env=environment(), check=False).returncode == -signal.SIGKILL
    assert len(names(tmp_path)) == 1
    write_whole(tmp_path / name, b"whole")
    assert names(tmp_path) == [name]


def test_the_folder_of_a_killed_process_goes_when_another_makes_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    killed = (
        "import os, signal; from tapetum.gan.scratch_folder import scratch_folder;"
        "folder = scratch_folder('bench'); (folder.__enter__() / 'clip.mp4').touch();"
        "os.kill(os.getpid(), signal.SIGKILL)"
    )
    command = [sys.executable, "-c", killed]
    assert subprocess.run(command, env=environment(), check=False).returncode == -signal.SIGKILL
    (left,) = tmp_path.glob("tapetum-bench-*/files/clip.mp4")
    with scratch_folder("estimate") as folder:
        assert not left.exists()
        assert folder.is_relative_to(tmp_path)
    assert names(tmp_path) == []
