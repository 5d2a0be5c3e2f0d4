"""The programs that Tapetum has plugins for: where theirs goes, how it is made, whether it works.

A host is a `Host` in `HOSTS`; the rest of the project knows no host by name.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from importlib.resources import as_file, files
from pathlib import Path
from typing import Protocol

from tapetum.gan.whole_file import whole_file
from tapetum.realtime.errors import PluginError
from tapetum.realtime.plugins.gstreamer_host import GStreamer

_CHECK_SIZE = "320x240"
_CHECK_PIXELS = 320 * 240 * 3
_DARK = f"testsrc2=size={_CHECK_SIZE}:rate=1,lutrgb=r=val/8:g=val/8:b=val/8"
_LEAST_GAIN = 1.3
"""How much brighter `check` wants its dark picture to become."""


class Host(Protocol):
    """A program that loads plugins."""

    @property
    def name(self) -> str:
        """What a person types."""

    @property
    def used_by(self) -> str:
        """The programs that load such plugins."""

    @property
    def plugin(self) -> Path:
        """Where the plugin of this user lies, or would."""

    def version(self) -> str | None:
        """Of the program that `check` runs, or None where there is none."""

    def missing(self) -> str | None:
        """What keeps the plugin from being installed, with what to do; None if nothing does."""

    def install(self) -> None:
        """Put the plugin there, over an older one.

        Raises:
            PluginError: it cannot be made.
        """

    def check(self) -> str:
        """Run a dark frame through the real program, and say what came of it.

        Raises:
            PluginError: the frame did not become brighter, or there is no such program.
        """


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
        filters = _run(["ffmpeg", "-hide_banner", "-filters"]).stdout.decode(errors="replace")
        if " frei0r " not in filters:
            return None
        first = _run(["ffmpeg", "-version"]).stdout.decode(errors="replace").partition("\n")[0]
        return " ".join(first.split()[:3])

    def missing(self) -> str | None:
        """A C compiler."""
        return None if _compiler() else "no C compiler (cc); apt-get install gcc, or the like"

    def install(self) -> None:
        """Compile the filter for the Python that runs this."""
        _compile("frei0r_tapetum.c", self.plugin)

    def check(self) -> str:
        """Compare FFmpeg's picture with the filter, and without."""
        version = self.version()
        if version is None:
            raise PluginError("found no ffmpeg with frei0r to check it with; install ffmpeg")
        before, after = self._mean_light(_DARK), self._mean_light(f"{_DARK},frei0r=tapetum")
        if after < _LEAST_GAIN * before:
            raise PluginError(
                f"{version} left the dark picture as it was (mean {before:.1f}, then"
                f" {after:.1f}); TAPETUM_LOG=1 shows what the worker says"
            )
        return f"{version} made a dark picture bright: mean {before:.1f}, now {after:.1f} of 255"

    @staticmethod
    def _mean_light(graph: str) -> float:
        raw = ["-frames:v", "1", "-pix_fmt", "rgb24", "-f", "rawvideo", "-"]
        done = _run(["ffmpeg", "-v", "error", "-f", "lavfi", "-i", graph, *raw])
        if done.returncode or len(done.stdout) != _CHECK_PIXELS:
            said = " ".join(done.stderr.decode(errors="replace").split())
            raise PluginError(f"ffmpeg cannot run {graph}: {said}")
        return sum(done.stdout) / _CHECK_PIXELS


HOSTS: dict[str, Host] = {host.name: host for host in (Frei0r(), GStreamer())}
"""Every host, by the name that a person types."""


def _run(words: list[str]) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        words, stdin=subprocess.DEVNULL, capture_output=True, check=False, timeout=120
    )


def _compiler() -> str | None:
    return shutil.which(os.environ.get("CC") or "cc")


def _compile(source: str, plugin: Path) -> None:
    """Compile a plugin's C file and the client with it, whole or not at all."""
    compiler = _compiler()
    if compiler is None:
        raise PluginError("compiling the plugin needs a C compiler: apt-get install gcc")
    try:
        plugin.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise PluginError(f"cannot make {plugin.parent}: {error.strerror}") from error
    python = sys.executable.replace("\\", "\\\\").replace('"', '\\"')
    flags = ["-std=c11", "-O2", "-fPIC", "-shared", "-fvisibility=hidden", "-pthread"]
    # A new file takes the old one's name: a host that runs keeps the one that it has open.
    with (
        as_file(files("tapetum.realtime.plugins") / "native") as native,
        whole_file(plugin, error=PluginError) as made,
    ):
        sources = [str(native / source), str(native / "tapetum_client.c")]
        done = _run(
            [compiler, *flags, f'-DTAPETUM_PYTHON="{python}"', *sources, "-o", str(made), "-lm"]
        )
        if done.returncode:
            said = " ".join(done.stderr.decode(errors="replace").split())
            raise PluginError(f"{compiler} cannot compile the plugin: {said[:400]}")
