"""GStreamer as a host: where its element goes, and whether it works.

The element is Python that GStreamer's own loader runs: the system's Python, whose version must be
that of the Python here.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from importlib.resources import files
from pathlib import Path

from tapetum.gan.whole_file import whole_file
from tapetum.realtime.errors import PluginError
from tapetum.realtime.other_programs import environment_of_others
from tapetum.realtime.plugins.native_plugin import remove_plugin

_APT = (
    "apt-get install gstreamer1.0-tools gstreamer1.0-python3-plugin-loader"
    " gir1.2-gst-plugins-base-1.0"
)
_CHECK_SIZE = (320, 240)
_LEAST_GAIN = 1.3
"""How much brighter `check` wants its dark picture to become."""


class GStreamer:
    """The element `tapetum`, for `gst-launch-1.0` and every program that is made of elements."""

    name = "gstreamer"
    used_by = "gst-launch-1.0, and programs on GStreamer"

    @property
    def plugin(self) -> Path:
        """In the first folder of GST_PLUGIN_PATH, or else in the user's own."""
        named = os.environ.get("GST_PLUGIN_PATH_1_0") or os.environ.get("GST_PLUGIN_PATH", "")
        folder = named.split(os.pathsep)[0]
        place = Path(folder) if folder else Path.home() / ".gstreamer-1.0" / "plugins"
        # Not "tapetum.py": the loader imports it by its name, and that is the package's.
        return place / "python" / "tapetum_element.py"

    def version(self) -> str | None:
        """What `gst-launch-1.0` says of itself."""
        if shutil.which("gst-launch-1.0") is None:
            return None
        lines = _run(["gst-launch-1.0", "--version"]).stdout.splitlines()
        return next((line for line in lines if line.startswith("GStreamer")), None)

    def missing(self) -> str | None:
        """GStreamer's tools, its loader of Python elements, or a Python like the loader's."""
        if shutil.which("gst-inspect-1.0") is None:
            return f"no gst-inspect-1.0; {_APT}"
        loader = _loader()
        if loader is None:
            return f"GStreamer has no loader of Python elements; {_APT}"
        theirs = re.search(rb"libpython(3\.\d+)", loader.read_bytes())
        ours = f"{sys.version_info.major}.{sys.version_info.minor}"
        if theirs is not None and theirs[1].decode() != ours:
            return (
                f"GStreamer's elements run Python {theirs[1].decode()}, and this is Python {ours};"
                " install Tapetum in a virtual environment that /usr/bin/python3 makes"
            )
        return None

    def install(self) -> None:
        """Copy the element to where the loader looks, with the place of this Python's packages."""
        missing = self.missing()
        if missing is not None:
            raise PluginError(missing)
        source = (files("tapetum.realtime.plugins") / "gstreamer_element.py").read_text()
        for name, value in (
            ("INSTALLED_FOR", sys.implementation.cache_tag),
            ("INSTALLED_FROM", sysconfig.get_path("purelib")),
        ):
            source = source.replace(f'{name} = ""\n', f"{name} = {value!r}\n", 1)
        try:
            self.plugin.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise PluginError(f"cannot make {self.plugin.parent}: {error.strerror}") from error
        # A new file, not new text in the old one: by that the registry sees that it changed.
        with whole_file(self.plugin, error=PluginError) as made:
            made.write_text(source)
        try:
            _find_element()
        except PluginError:
            self.plugin.unlink()
            raise

    def uninstall(self) -> None:
        """Remove the element."""
        remove_plugin(self.plugin)

    def check(self) -> str:
        """Send a dark frame through `gst-launch-1.0`."""
        version = self.version()
        if version is None:
            raise PluginError(f"found no gst-launch-1.0 to check it with; {_APT}")
        _find_element()
        before, after = _mean_luma_before_and_after()
        if after < _LEAST_GAIN * before:
            raise PluginError(
                f"{version} left the dark picture as it was (mean {before:.1f}, then {after:.1f})"
            )
        # Without a look at the registry: what fails here would stay failed in every shell.
        here = environment_of_others() | {"GST_REGISTRY_UPDATE": "no"}
        if _run(["gst-inspect-1.0", "tapetum"], here).returncode:
            raise PluginError(
                "the element works, but not in this shell: GStreamer's Python takes its packages"
                f" from beside {shutil.which('python3')}, and there is no gi; run `deactivate`, or"
                " take that folder from PATH"
            )
        return f"{version} made a dark picture bright: mean {before:.1f}, now {after:.1f} of 255"


def _run(
    words: list[str], environment: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a program, by default so that GStreamer's Python finds its packages.

    It takes them from beside the `python3` that PATH has first: in a virtual environment that is
    active, from there, where is no `gi`.
    """
    if environment is None:
        folders = os.pathsep.join(["/usr/bin", os.environ.get("PATH", os.defpath)])
        environment = environment_of_others() | {"PATH": folders}
    return subprocess.run(
        words,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
        timeout=120,
    )


def _inspect(name: str) -> subprocess.CompletedProcess[str]:
    """Ask GStreamer for an element or plugin; where it knows none, from an empty registry.

    What once failed to load stays so in the registry, which is a cache, until it is removed.
    """
    done = _run(["gst-inspect-1.0", name])
    if done.returncode == 0:
        return done
    for registry in _registries():
        registry.unlink(missing_ok=True)
    return _run(["gst-inspect-1.0", name])


def _registries() -> list[Path]:
    named = os.environ.get("GST_REGISTRY_1_0") or os.environ.get("GST_REGISTRY")
    if named:
        return [Path(named)]
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return list(Path(cache, "gstreamer-1.0").glob("registry.*.bin"))


def _loader() -> Path | None:
    """The library that loads Python elements."""
    shown = re.search(r"Filename\s+(\S+)", _inspect("python").stdout)
    return Path(shown[1]) if shown is not None and Path(shown[1]).is_file() else None


def _find_element() -> None:
    """Let GStreamer find the element, whatever it remembers.

    Raises:
        PluginError: it does not.
    """
    done = _inspect("tapetum")
    if done.returncode:
        raise PluginError(f"GStreamer does not load the element: {_said(done)}; {_APT}")


def _mean_luma_before_and_after() -> tuple[float, float]:
    """The light of a dark picture, and of what comes out of a real pipeline with the element.

    Raises:
        PluginError: the pipeline fails.
    """
    import numpy as np

    from tapetum.realtime.synthetic_source import SyntheticSource

    width, height = _CHECK_SIZE
    (frame,) = SyntheticSource(width, height, frames=1)
    with tempfile.TemporaryDirectory() as folder:
        dark, bright = Path(folder, "dark"), Path(folder, "bright")
        dark.write_bytes(b"".join(np.ascontiguousarray(plane).tobytes() for plane in frame.planes))
        caps = f"video/x-raw,format=I420,width={width},height={height},framerate=1/1"
        source = ["filesrc", f"location={dark}", f"blocksize={dark.stat().st_size}", "!", caps]
        sink = ["!", "tapetum", "!", "filesink", f"location={bright}"]
        done = _run(["gst-launch-1.0", "-q", *source, *sink])
        if done.returncode or bright.stat().st_size != dark.stat().st_size:
            raise PluginError(f"the pipeline with the element failed: {_said(done)}")
        made = np.fromfile(bright, np.uint8)[: width * height]
        return float(frame.planes[0].mean()), float(made.mean())


def _said(done: subprocess.CompletedProcess[str]) -> str:
    """What went wrong."""
    lines = [line for line in done.stderr.splitlines() if line]
    errors = [line for line in lines if line.startswith("ERROR: from")]
    return " ".join(" ".join(errors or lines[-2:]).split())[:400]
