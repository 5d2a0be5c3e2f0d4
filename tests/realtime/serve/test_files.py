"""Files that are sent to the server of the page: enhanced, limited, and gone afterwards."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator
from pathlib import Path

import av
import numpy as np
import pytest

pytest.importorskip("aiohttp")
pytest.importorskip("aiortc")

from support.serve_client import PlainPage, plain_page, server
from support.small_clips import write_clip

from tapetum.realtime import write_image
from tapetum.realtime.cpu.rgb import frame_from_rgb
from tapetum.realtime.serve.limits import Limits
from tapetum.realtime.serve.settings import ServerSettings

pytestmark = pytest.mark.slow


def settings(model: Path, **limits: int) -> ServerSettings:
    return ServerSettings(port=0, models=[model], limits=Limits(**limits))


def lumas(data: bytes) -> list[float]:
    with av.open(io.BytesIO(data), "r") as container:
        return [float(one.to_ndarray(format="gray").mean()) for one in container.decode(video=0)]


def files_under(folder: Path) -> list[str]:
    return [str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()]


def test_a_video_comes_back_brighter_under_a_name_of_ours(
    short_clip: Path, gain_model: Path, tmp_path: Path
) -> None:
    async def scenario() -> None:
        async with server(tmp_path, settings(gain_model)) as url, plain_page(url) as page:
            status, answer = await page.send_file(short_clip.read_bytes())
            assert status == 200
            begun = await page.hear_file(answer["file"], "working")
            assert begun["frames"] == 0, "what takes long before the first frame is said"
            done = await page.hear_file(answer["file"], "done")
            assert done["suffix"] == ".mp4"
            status, data, headers = await page.fetch(answer["file"])
            assert status == 200
            assert headers["Content-Disposition"] == "attachment"
            dark, bright = lumas(short_clip.read_bytes()), lumas(data)
            assert len(bright) == len(dark) == 12
            assert np.mean(bright) > 1.5 * np.mean(dark)
            (kept,) = files_under(tmp_path)
            assert kept == f"0/{answer['file']}/output.mp4"
            await page.close()
            await nothing_under(tmp_path)

    asyncio.run(scenario())


async def nothing_under(folder: Path) -> None:
    async with asyncio.timeout(60):
        while any(folder.iterdir()):
            await asyncio.sleep(0.05)


def test_a_photo_comes_back_as_a_photo_at_the_strength_that_was_asked_for(
    gain_model: Path, tmp_path: Path
) -> None:
    photo = tmp_path / "photo.png"
    write_image(photo, frame_from_rgb(np.full((40, 60, 3), 30, np.uint8)))
    folder = tmp_path / "server"
    folder.mkdir()

    async def scenario() -> list[float]:
        levels = []
        async with server(folder, settings(gain_model)) as url, plain_page(url) as page:
            for strength in ("0", "1"):
                _, answer = await page.send_file(photo.read_bytes(), strength=strength)
                done = await page.hear_file(answer["file"], "done")
                assert done["suffix"] == ".png"
                levels += lumas((await page.fetch(answer["file"]))[1])
        return levels

    same, bright = asyncio.run(scenario())
    assert same == pytest.approx(30, abs=2)
    assert bright > 2 * same


def test_no_other_page_gets_a_file(short_clip: Path, gain_model: Path, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with (
            server(tmp_path, settings(gain_model)) as url,
            plain_page(url) as page,
            plain_page(url) as other,
        ):
            _, answer = await page.send_file(short_clip.read_bytes())
            await page.hear_file(answer["file"], "done")
            assert (await other.fetch(answer["file"]))[0] == 404
            assert (await page.fetch("no-such-file"))[0] == 404
            assert (await page.fetch("..%2f..%2fetc%2fpasswd"))[0] == 404

    asyncio.run(scenario())


PLAYLIST = b"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\n/etc/passwd\n#EXT-X-ENDLIST\n"
CONCAT = b"ffconcat version 1.0\nfile /etc/passwd\n"


@pytest.mark.parametrize("data", [b"", b"no video at all", PLAYLIST, CONCAT, bytes(5000)])
def test_what_is_no_video_or_photo_is_refused_and_removed(
    data: bytes, gain_model: Path, tmp_path: Path
) -> None:
    async def scenario() -> None:
        async with server(tmp_path, settings(gain_model)) as url, plain_page(url) as page:
            status, text = await page.send_file(data)
            assert (status, text) == (400, "this file is no video or photo that can be read here")
            assert files_under(tmp_path) == []

    asyncio.run(scenario())


async def endless(pieces: list[int]) -> AsyncIterator[bytes]:
    for _ in range(10_000):
        pieces.append(0)
        yield bytes(100_000)
        await asyncio.sleep(0)


def test_a_file_over_the_limit_is_refused_whether_it_says_so_or_not(
    gain_model: Path, tmp_path: Path
) -> None:
    async def scenario() -> None:
        limited = settings(gain_model, upload_bytes=1_000_000)
        async with server(tmp_path, limited) as url, plain_page(url) as page:
            status, text = await page.send_file(bytes(1_000_001))
            assert (status, text) == (400, "the file is too large: 1 MB are the most")
            sent: list[int] = []
            status, text = await page.send_file(endless(sent))  # type: ignore[arg-type]
            assert (status, text) == (400, "the file is too large: 1 MB are the most")
            assert files_under(tmp_path) == []

    asyncio.run(scenario())


def test_large_pictures_and_many_files_are_refused(
    short_clip: Path, gain_model: Path, tmp_path: Path
) -> None:
    async def scenario() -> None:
        small = settings(gain_model, file_pixels=96 * 64 - 1)
        async with server(tmp_path, small) as url, plain_page(url) as page:
            status, text = await page.send_file(short_clip.read_bytes())
            assert status == 400
            assert text.startswith("pictures of 96x64 are too large")
        few = settings(gain_model, files=1)
        async with server(tmp_path, few) as url, plain_page(url) as page:
            _, answer = await page.send_file(short_clip.read_bytes())
            await page.hear_file(answer["file"], "done")
            assert (await page.send_file(short_clip.read_bytes()))[0] == 400
            await page.say("cancel", file=answer["file"])
            await removed(page, answer["file"])
            assert (await page.send_file(short_clip.read_bytes()))[0] == 200

    asyncio.run(scenario())


async def removed(page: PlainPage, name: str) -> None:
    async with asyncio.timeout(60):
        while (await page.fetch(name))[0] != 404:
            await asyncio.sleep(0.05)


def test_a_file_that_is_in_work_can_be_given_up(gain_model: Path, tmp_path: Path) -> None:
    clip = tmp_path / "long.mkv"
    write_clip(clip, frames=3000)
    folder = tmp_path / "server"
    folder.mkdir()

    async def scenario() -> None:
        async with server(folder, settings(gain_model)) as url, plain_page(url) as page:
            _, answer = await page.send_file(clip.read_bytes())
            while (await page.hear_file(answer["file"], "working"))["frames"] == 0:
                pass  # it is being prepared
            await page.say("cancel", file=answer["file"])
            async with asyncio.timeout(60):
                while files_under(folder):
                    await asyncio.sleep(0.05)

    asyncio.run(scenario())
    assert list(folder.iterdir()) == []


def test_a_model_of_the_client_s_choice_is_refused(
    short_clip: Path, gain_model: Path, tmp_path: Path
) -> None:
    async def scenario() -> None:
        async with server(tmp_path, settings(gain_model)) as url, plain_page(url) as page:
            status, text = await page.send_file(short_clip.read_bytes(), model=str(gain_model))
            assert (status, text.partition(";")[2]) == (400, " it has gain.onnx")
            status, text = await page.send_file(short_clip.read_bytes(), strength="7")
            assert status == 400
            assert text.endswith("strength is from 0 to 2; got 7")

    asyncio.run(scenario())
