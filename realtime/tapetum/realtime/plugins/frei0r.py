"""The frei0r filter, tried in FFmpeg."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from tapetum.realtime.errors import PluginError
from tapetum.realtime.plugins.native_plugin import compile_plugin, compiler, remove_plugin, run

_CHECK_SIZE = "320x240"
_CHECK_PIXELS = 320 * 240 * 3
_DARK = f"testsrc2=size={_CHECK_SIZE}:rate=1,lutrgb=r=val/8:g=val/8:b=val/8"
_LEAST_GAIN = 1.3
"""How much brighter `check` wants its dark picture to become."""


class Frei0r:
    """The filter interface of FFmpeg, mpv, MLT (Kdenlive, Shotcut) and GStreamer."""

    name = "frei0r"
    used_by = "ffmpeg, mpv, melt, Kdenlive, Shotcut, GStreamer"

    @property
    def plugin(self) -> Path:
        """In the first folder of FREI0R_PATH, or else in the user's own."""
        folder = os.environ.get("FREI0R_PATH", "").split(os.pathsep)[0]
        return (Path(folder) if folder else Path.home() / ".frei0r-1" / "lib") / "tapetum.so"

    def version(self) -> str | None:
        """Of FFmpeg, if it has frei0r."""
        if shutil.which("ffmpeg") is None:
            return None
        filters = run(["ffmpeg", "-hide_banner", "-filters"]).stdout.decode(errors="replace")
        if " frei0r " not in filters:
            return None
        first = run(["ffmpeg", "-version"]).stdout.decode(errors="replace").partition("\n")[0]
        return " ".join(first.split()[:3])

    def missing(self) -> str | None:
        """A C compiler."""
        return None if compiler() else "no C compiler (cc); apt-get install gcc, or the like"

    def install(self) -> None:
        """Compile the filter for the Python that runs this."""
        compile_plugin("frei0r_tapetum.c", self.plugin)

    def uninstall(self) -> None:
        """Remove the filter."""
        remove_plugin(self.plugin)

    def check(self) -> str:
        """Compare FFmpeg's picture with the filter, and without."""
        version = self.version()
        if version is None:
            raise PluginError("found no ffmpeg with frei0r to check it with; install ffmpeg")
        before, _ = self._mean_light(_DARK)
        after, said = self._mean_light(f"{_DARK},frei0r=tapetum")
        if after < _LEAST_GAIN * before:
            why = [line for line in said.splitlines() if "frames pass unchanged" in line]
            raise PluginError(
                f"{version} left the dark picture as it was (mean {before:.1f}, then"
                f" {after:.1f}): {why[-1] if why else 'TAPETUM_LOG=1 shows what the worker says'}"
            )
        return f"{version} made a dark picture bright: mean {before:.1f}, now {after:.1f} of 255"

    @staticmethod
    def _mean_light(graph: str) -> tuple[float, str]:
        """Of what a graph makes; and what FFmpeg and the plugin said meanwhile."""
        raw = ["-frames:v", "1", "-pix_fmt", "rgb24", "-f", "rawvideo", "-"]
        done = run(["ffmpeg", "-v", "error", "-f", "lavfi", "-i", graph, *raw])
        said = done.stderr.decode(errors="replace")
        if done.returncode or len(done.stdout) != _CHECK_PIXELS:
            raise PluginError(f"ffmpeg cannot run {graph}: {' '.join(said.split())}")
        return sum(done.stdout) / _CHECK_PIXELS, said
