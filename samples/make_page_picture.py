"""Makes the README's picture of the page: the sample clip as a browser's camera, half of it bright.

python samples/make_page_picture.py docs/page.jpg        (needs Chromium, and the extra live)
"""

from __future__ import annotations

import argparse
import asyncio
import io
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import av
from PIL import Image

from tapetum.benchmarks.experiments.chromium import chromium, fake_camera

CLIP = Path(__file__).with_name("dark_room.mp4")
SIZE = 1280, 820
SECONDS = 60
SETTLING_S = 12
"""Until the connection carries a sharp picture."""
NAMED = (
    "for (const each of document.querySelectorAll('option'))"
    " if (each.text.endsWith('.y4m')) each.text = 'The sample clip'"
)
LIVE = (
    "document.querySelector('#view').dataset.state === 'live'"
    " && document.querySelector('#readout').dataset.mode === 'grid'"
)


def camera_clip(target: Path) -> None:
    """The sample clip as what Chromium takes for a camera."""
    with av.open(str(CLIP)) as clip, av.open(str(target), "w", format="yuv4mpegpipe") as camera:
        source = clip.streams.video[0]
        stream = camera.add_stream("wrapped_avframe", 25)
        stream.width, stream.height, stream.pix_fmt = source.width, source.height, "yuv420p"
        for frame in clip.decode(source):
            camera.mux(stream.encode(frame))


async def picture(camera: Path, url: str) -> bytes:
    """A PNG of the page while it shows the camera."""
    async with chromium(*fake_camera(camera), f"--window-size={SIZE[0]},{SIZE[1]}") as page:
        await page.open(url)
        await page.wait_for("!document.querySelector('#start').disabled", seconds=SECONDS)
        await page.click("#start")
        await page.wait_for(LIVE, seconds=SECONDS)
        await page.evaluate(NAMED)
        await asyncio.sleep(SETTLING_S)
        return await page.screenshot()


def main(target: Path) -> None:
    """Serve the page, look at it, and keep the picture."""
    command = [sys.executable, "-m", "tapetum.realtime", "serve", "--port", "0"]
    with TemporaryDirectory() as folder:
        camera = Path(folder) / "camera.y4m"
        camera_clip(camera)
        with subprocess.Popen(
            [*command, "--latency-budget", "5s"], stdout=subprocess.PIPE, text=True
        ) as server:
            assert server.stdout is not None
            try:
                shown = asyncio.run(picture(camera, server.stdout.readline().strip()))
            finally:
                server.terminate()
    Image.open(io.BytesIO(shown)).convert("RGB").save(target, quality=85)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("target", type=Path)
    main(**vars(parser.parse_args()))
