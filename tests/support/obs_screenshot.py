"""Makes docs/obs.jpg: `python tests/support/obs_screenshot.py DARK_PHOTO docs/obs.jpg`.

The real OBS shows a photo with the filter on it, and the filter's own window.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path

from support.obs_requests import ask_obs, free_port
from support.x_display import x_display

from tapetum.realtime.plugins.obs_run import (
    SOURCE_NAME,
    running_obs,
    wait_for_light,
    write_configuration,
)
from tapetum.realtime.plugins.obs_studio import ObsStudio

WINDOW = "840:720:105:8"
"""The window of filters on a display without a window manager: width, height, left, top."""


def main(photo: Path, picture: Path) -> None:
    """Install the plugin, start OBS, and photograph it."""
    ObsStudio().install()
    with tempfile.TemporaryDirectory() as folder:
        home, port = Path(folder), free_port()
        clip = home / "photo.nut"
        still = ["-loop", "1", "-i", str(photo), "-t", "2", "-r", "30"]
        fit = "scale=640:360:force_original_aspect_ratio=increase,crop=640:360,format=yuv420p"
        run("ffmpeg", *still, "-vf", fit, "-c:v", "ffv1", str(clip))
        write_configuration(home, ObsStudio().plugin, clip, {"before": True}, websocket_port=port)
        with x_display("1280x800") as display, running_obs(home, DISPLAY=display):
            wait_for_light(home, 20, limit_s=60)
            ask_obs(port, "OpenInputFiltersDialog", inputName=SOURCE_NAME)
            time.sleep(5)
            screen = ["-f", "x11grab", "-video_size", "1280x800", "-i", display]
            run(
                "ffmpeg",
                *screen,
                "-frames:v",
                "1",
                "-vf",
                f"crop={WINDOW}",
                "-q:v",
                "3",
                str(picture),
            )


def run(program: str, *words: str) -> None:
    """Run FFmpeg over what is there."""
    subprocess.run([program, "-v", "error", "-y", *words], check=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
