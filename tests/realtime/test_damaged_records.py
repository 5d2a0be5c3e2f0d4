"""Damaged files that Tapetum itself wrote, damaged models, and damage that comes through a wire.

A few of each kind, always the same; each ends in one line or an answer, never in a traceback.
"""

from __future__ import annotations

import asyncio
import json
import random
import socket
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

import pytest
import safetensors.torch
import torch
from support.command_line import environment
from support.media import Clip, make_clip
from support.mutations import mutate

from tapetum.gan.errors import TapetumError
from tapetum.gan.weights import trained_weights_path, weights_path
from tapetum.realtime.batch.record import NAME, Record
from tapetum.realtime.command.cli import run_command
from tapetum.realtime.enhancer import make_enhancer
from tapetum.realtime.segments.job_folder import unfinished_jobs
from tapetum.realtime.segments.segment import NOT_A_SEGMENT, EncodedPicture, Probe, Segment
from tapetum.trt_build.manifest import EngineIdentity, Manifest
from tapetum.trt_build.profile import Profile

SEGMENT = Segment(
    pictures=(EncodedPicture(0, -512, 512, 900, True), EncodedPicture(512, 0, 512, 40, False)),
    frames=2,
    first_pts=0,
    end_pts=1024,
    before=None,
    last=Probe(512, bytes(range(16)), "|u1"),
    seen=Probe(512, bytes(range(16)), "|u1"),
    next=None,
    setup_sha256="1" * 64,
    corrupt_packets=0,
    damaged_frames=0,
    truncated=False,
    sha256="2" * 64,
    memory_sha256="3" * 64,
    begins="(None, 0.5, False)",
    ends="",
)
NESTED = "[" * 200_000


def damaged(text: str, count: int) -> list[str]:
    """A JSON text damaged in its characters, and with other values in its places."""
    data = text.encode()
    rng = random.Random(7)
    found = [mutate(data, ".json", rng)[0].decode(errors="replace") for _ in range(count)]
    places = list(_places(json.loads(text)))
    for number in range(count):
        fields = json.loads(text)
        *path, last = places[number % len(places)]
        part = fields
        for key in path:
            part = part[key]
        part[last] = rng.choice([None, -1, 1e300, "x", [], {}, True, 2**80, [[1]], "9" * 20])
        found.append(json.dumps(fields))
    return [*found, NESTED, "", "null", "[]", "{}", "3", '"x"']


def _places(value: object, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    parts = value.items() if isinstance(value, dict) else enumerate(value)  # type: ignore[arg-type, call-overload, unused-ignore]
    found = []
    for key, part in parts:
        found.append((*path, key))
        if isinstance(part, dict | list):
            found += _places(part, (*path, key))
    return found


def test_a_segment_is_what_was_written_or_none() -> None:
    assert Segment.from_json(SEGMENT.to_json(), pictures=True) == SEGMENT
    for text in damaged(SEGMENT.to_json(), 150):
        try:
            segment = Segment.from_json(text, pictures=True)
        except NOT_A_SEGMENT:
            continue
        assert all(picture.size >= 0 for picture in segment.pictures)
        assert segment.frames >= 0


def test_unfinished_jobs_are_listed_whatever_their_folders_hold(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / ".out.mkv.tapetum-job"
    folder.mkdir()
    (folder / "0abc.json").write_text("{}")
    for text in damaged(SEGMENT.to_json(), 40):
        (folder / "000000.json").write_text(text)
        (folder / "job.json").write_text(text)
        (job,) = unfinished_jobs(tmp_path)
        assert job.frames >= 0
    assert run_command(["jobs", "list", str(tmp_path)]) == 0
    assert "Traceback" not in capsys.readouterr().err


def test_unfinished_jobs_are_listed_while_others_rename_their_files(tmp_path: Path) -> None:
    folder = tmp_path / ".out.mkv.tapetum-job"
    folder.mkdir()
    (folder / "job.json").write_text("{}")
    (folder / "000003.part").symlink_to(folder / "gone")  # in the list of names, and no more there
    (job,) = unfinished_jobs(tmp_path)
    assert job.size_bytes == 2


def test_a_record_of_done_files_that_is_damaged_counts_for_nothing(tmp_path: Path) -> None:
    made = {"input": {"size_bytes": 1, "modified_ns": 2}, "output": None, "recipe": {"model": "x"}}
    line = json.dumps({"path": "a.mp4", "made": made})
    for text in damaged(line, 100):
        (tmp_path / NAME).write_text(f"{text}\n{line}\n", errors="surrogateescape")
        Record(tmp_path, {"model": "x"})


def test_an_engine_s_manifest_is_one_or_a_value_error() -> None:
    profile = Profile((8, 8), (16, 16), (32, 32))
    names = dict.fromkeys(EngineIdentity.__dataclass_fields__, "x")
    identity = EngineIdentity(**{**names, "profile": profile})  # type: ignore[arg-type]
    manifest = Manifest(identity, "grid", "grid", (), "2" * 64, 7, "2026-01-01", 61.5, 45.0)
    assert asdict(Manifest.from_json(manifest.to_json()))["model"] == "grid"
    for text in damaged(manifest.to_json(), 150):
        try:
            found = Manifest.from_json(text)
        except ValueError:
            continue
        assert isinstance(found.engine_sha256, str)


@pytest.mark.slow
@pytest.mark.parametrize("suffix", [".safetensors", ".pth", ".onnx"])
def test_a_model_works_or_is_refused_in_one_line(suffix: str, tmp_path: Path) -> None:
    weights = trained_weights_path("grid")
    whole = (weights_path("grid") if suffix == ".onnx" else weights).read_bytes()
    if suffix == ".pth":
        torch.save(safetensors.torch.load_file(weights), tmp_path / "whole.pth")
        whole = (tmp_path / "whole.pth").read_bytes()
    path, rng = tmp_path / f"in{suffix}", random.Random(3)
    said: list[str] = []
    for _ in range(10):
        head = bytearray(whole)
        for _ in range(rng.choice((1, 8, 64))):
            head[rng.randrange(min(len(head), 2000))] ^= 1 << rng.randrange(8)
        path.write_bytes(bytes(head[: rng.choice((len(head), rng.randrange(len(head))))]))
        try:
            make_enhancer(path, device="cpu")
        except TapetumError as error:
            said.append(str(error))
    assert len(said) > 3
    assert not [line for line in said if "\n" in line]


@pytest.mark.slow
def test_a_damaged_y4m_on_stdin_ends_in_a_line(tmp_path: Path) -> None:
    whole = make_clip(tmp_path / "in.y4m", Clip(frames=3, codec="rawvideo")).read_bytes()
    for number, data in enumerate(
        (whole[:30], whole[:5000], b"", mutate(whole, ".y4m", random.Random(4))[0], whole[40:])
    ):
        run = subprocess.run(
            [sys.executable, "-m", "tapetum.realtime", "enhance", "-", "-"],
            input=data,
            capture_output=True,
            check=False,
            timeout=120,
            env=environment(),
        )
        said = run.stderr.decode(errors="replace").splitlines()
        assert run.returncode in {0, 1, 3}, number
        assert 1 <= len(said) <= 12, said
        assert not any("Traceback" in line for line in said)


_REQUESTS = (
    b"GET / HTTP/1.1\r\n\r\n",
    b"GET /../../../etc/passwd HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET /%2e%2e/%2e%2e/etc/passwd HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET /page/..%2f..%2fserver.py HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET /\xff\xfe\x00 HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET /session HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
    b"POST /session/0/files HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\nhalf",
    b"POST /session/0/files?model=" + b"x" * 9000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
    b"POST /session/0/files HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    b"POST /session/0/files HTTP/1.1\r\nContent-Length: -5\r\n\r\n",
    b"NONSENSE\r\n\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(200),
    b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * 3000 + b"\r\n",
    b"",
)


@pytest.mark.slow
def test_nonsense_through_http_ends_nothing(tmp_path: Path) -> None:
    aiohttp = pytest.importorskip("aiohttp")
    pytest.importorskip("aiortc")
    from support.serve_client import plain_page, server

    from tapetum.realtime.serve.settings import ServerSettings

    rng = random.Random(11)
    damaged_requests = [mutate(request, ".txt", rng)[0] for request in _REQUESTS for _ in range(4)]

    def send(port: int, request: bytes) -> bytes:
        with socket.create_connection(("127.0.0.1", port), timeout=5) as wire:
            wire.sendall(request)
            wire.shutdown(socket.SHUT_WR)
            return wire.recv(4096)

    async def scenario() -> None:
        loop = asyncio.get_running_loop()
        failures: list[dict[str, object]] = []
        loop.set_exception_handler(lambda _, context: failures.append(context))
        async with server(tmp_path, ServerSettings(port=0)) as url:
            port = int(url.rstrip("/").rpartition(":")[2])
            for request in (*_REQUESTS, *damaged_requests):
                try:
                    answer = await asyncio.to_thread(send, port, request)
                except OSError:
                    continue  # closed, which is an answer
                assert b"root:" not in answer
                assert b"Traceback" not in answer
                if answer:
                    assert int(answer.split()[1]) not in {200, 500} or request.startswith(b"GET / ")
            async with plain_page(url) as page:
                status, _ = await page.send_file(b"no video")
                assert status in {200, 202, 400, 415, 422}
            async with aiohttp.ClientSession() as client, client.get(url) as answer:
                assert answer.status == 200
        assert failures == []

    asyncio.run(scenario())
    assert not list(tmp_path.rglob("*.part"))
