"""`tapetum serve` as a process: what it prints, how it stops, and what it leaves."""

from __future__ import annotations

import asyncio
import re
import signal
import socket
from pathlib import Path

import pytest
from support.command_line import python, tapetum

aiohttp = pytest.importorskip("aiohttp")
pytest.importorskip("aiortc")

from support.serve_client import plain_page  # noqa: E402
from support.serve_process import serving  # noqa: E402
from support.small_clips import write_clip  # noqa: E402

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(
    ("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)]
)
def test_stopping_in_the_middle_of_work_leaves_nothing(
    number: signal.Signals,
    status: int,
    gain_model: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setenv("TMPDIR", str(temporary))
    clip = tmp_path / "long.mkv"
    write_clip(clip, frames=4000)

    async def scenario() -> tuple[int | None, list[str]]:
        async with serving("--model", gain_model) as (process, url):
            async with plain_page(url) as page:
                _, answer = await page.send_file(clip.read_bytes())
                while (await page.hear_file(answer["file"], "working"))["frames"] == 0:
                    pass  # it is being prepared
                assert list(temporary.glob("tapetum-serve-*/files/0/*/.output.part-*.mp4"))
                process.send_signal(number)
                closed = await page.socket.receive(30)
                assert closed.type in (aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.CLOSING)
            out, errors = await asyncio.wait_for(process.communicate(), 30)
            assert out == b""
            return process.returncode, errors.decode().splitlines()

    returned, lines = asyncio.run(scenario())
    assert returned == status
    assert lines[0].startswith("no camera of this machine | models: gain.onnx | 50 ms budget | ")
    assert lines[1:] == [f"error: stopped by {number.name}"]
    assert list(temporary.glob("tapetum-serve-*")) == []


def test_what_a_killed_server_leaves_goes_when_the_next_one_starts(
    gain_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))

    def folders() -> set[Path]:
        return set(tmp_path.glob("tapetum-serve-*"))

    async def scenario() -> None:
        async with serving("--model", gain_model) as (process, _):
            (killed,) = folders()
            process.kill()
            await process.wait()
        assert folders() == {killed}
        async with serving("--model", gain_model):
            (first,) = folders()
            assert first != killed
            async with serving("--model", gain_model):
                assert len(folders()) == 2
                assert first in folders()

    asyncio.run(scenario())
    assert folders() == set()


def test_a_port_that_is_in_use_is_one_line() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        answer = tapetum("serve", "--port", str(port))
    assert answer.returncode == 1
    (line,) = answer.stderr.splitlines()
    assert line.startswith(f"error: port {port} of 127.0.0.1 is in use; stop what uses it")


def test_the_server_can_start_again_at_once_on_its_port(gain_model: Path) -> None:
    async def scenario() -> None:
        port = 0
        for _ in range(2):
            async with serving("--model", gain_model, "-q", port=port) as (process, url):
                port = int(url.rstrip("/").rpartition(":")[2])
                async with plain_page(url) as page:
                    assert page.welcome["models"] == ["gain.onnx"]
                process.terminate()
                await process.wait()

    asyncio.run(scenario())


def test_beyond_this_machine_the_url_has_a_token() -> None:
    async def scenario() -> str:
        async with serving("--host", "0.0.0.0", "-q") as (_, url):
            return url

    assert re.fullmatch(r"http://[\d.]+:\d+/\?token=[\w-]{24,}", asyncio.run(scenario()))


@pytest.mark.parametrize(
    ("options", "status", "message"),
    [
        (["--source", "no.mp4"], 1, "source no.mp4 does not exist"),
        (["--camera", "/dev/video77"], 1, "camera /dev/video77 does not exist"),
        (["--source", "a.mp4", "--camera", "0"], 2, "give one of them"),
        (["--model", "gird"], 2, "did you mean grid"),
        (["--strength", "3"], 2, "strength is from 0 to 2"),
        (["--device", "gpu"], 2, "device is auto, cpu, cuda or cuda:INDEX; got 'gpu'"),
        (["--device", "cuda:9"], 1, "use --device cpu"),
        (["--port", "99999"], 2, "less than or equal to 65535"),
        (["--host", "203.0.113.7"], 1, "cannot listen on 203.0.113.7"),
        (["--host", "no.such.host.invalid"], 1, "cannot listen on no.such.host.invalid"),
    ],
)
def test_wrong_use_is_one_line(options: list[str], status: int, message: str) -> None:
    answer = tapetum("serve", *options)
    assert answer.returncode == status
    (line,) = answer.stderr.splitlines()
    assert line.startswith("error: ")
    assert message in line


@pytest.mark.parametrize("missing", ["aiohttp", "aiortc"])
def test_without_the_extra_it_says_what_to_install(missing: str) -> None:
    code = (
        f"import sys; sys.modules[{missing!r}] = None; sys.stderr = sys.stdout\n"
        "from tapetum.realtime.command.cli import run_command\n"
        "print(run_command(['serve']))"
    )
    assert python(code) == f"error: the page needs {missing}: pip install 'tapetum[live]'\n1\n"


def test_the_help_loads_nothing_slow() -> None:
    code = (
        "import sys\nfrom tapetum.realtime.command.cli import run_command\n"
        "run_command(['serve', '--help'])\n"
        "print([name for name in ('aiohttp', 'aiortc', 'av', 'numpy') if name in sys.modules])"
    )
    assert python(code).splitlines()[-1] == "[]"
