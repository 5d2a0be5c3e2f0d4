"""OBS Studio: a filter for cameras and media."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from pathlib import Path

from tapetum.realtime.errors import PluginError
from tapetum.realtime.plugins.native_plugin import compile_plugin, compiler, remove_plugin, run

_OLDEST = 28
_LEAST_GAIN = 1.3
_CHECK_LIMIT_S = 90
_SANDBOXES = ("/var/lib/flatpak/app", "~/.local/share/flatpak/app")


class ObsStudio:
    """OBS Studio 28 and newer, as a distribution's package or built by hand."""

    name = "obs"
    used_by = "OBS Studio 28 and newer"

    @property
    def plugin(self) -> Path:
        """In the user's own folder of plugins."""
        configuration = os.environ.get("XDG_CONFIG_HOME") or str(Path.home() / ".config")
        return Path(configuration) / "obs-studio/plugins/tapetum/bin/64bit/tapetum.so"

    def version(self) -> str | None:
        """What OBS says of itself."""
        if shutil.which("obs") is None:
            return None
        said = run(["obs", "--version"]).stdout.decode(errors="replace")
        found = re.search(r"OBS Studio - ([\d.]+)", said)
        return f"OBS Studio {found[1]}" if found else None

    def missing(self) -> str | None:
        """A C compiler, or an OBS that can have the plugin."""
        if not compiler():
            return "no C compiler (cc); apt-get install gcc, or the like"
        version = self.version()
        if version is not None and int(version.split()[-1].split(".")[0]) < _OLDEST:
            return f"{version} is too old; {_OLDEST} or newer"
        boxes = (Path(folder).expanduser() / "com.obsproject.Studio" for folder in _SANDBOXES)
        if version is None and any(box.exists() for box in boxes):
            return "OBS is a Flatpak here, which cannot start Tapetum; install your system's own"
        return None

    def install(self) -> None:
        """Compile the filter for the Python that runs this."""
        compile_plugin("obs_tapetum.c", self.plugin)

    def uninstall(self) -> None:
        """Remove the filter, and its folders."""
        remove_plugin(self.plugin, folders=3)

    def check(self) -> str:
        """Record a dark clip in the real OBS, with a configuration of its own."""
        from tapetum.realtime.plugins import obs_run

        version = self.version()
        if version is None:
            raise PluginError("found no obs to check it with; apt-get install obs-studio")
        with tempfile.TemporaryDirectory(prefix="tapetum-obs-") as folder:
            home = Path(folder)
            clip = home / "dark.nut"
            obs_run.write_dark_clip(clip)
            before = obs_run.light_of(clip)[0]
            obs_run.write_configuration(home, self.plugin, clip, {})
            with obs_run.running_obs(home):
                light = obs_run.wait_for_light(home, _LEAST_GAIN * before, limit_s=_CHECK_LIMIT_S)
            said = (home / "obs.log").read_text(errors="replace")
        if not light:
            raise PluginError(f"{version} recorded nothing: {_last_line(said)}")
        after = light[-1]
        if after < _LEAST_GAIN * before:
            why = [line for line in said.splitlines() if "frames pass unchanged" in line]
            raise PluginError(
                f"{version} left the dark picture as it was (mean {before:.1f}, then"
                f" {after:.1f}): {why[-1] if why else 'it did not load the plugin'}"
            )
        return f"{version} made a dark picture bright: mean {before:.1f}, now {after:.1f} of 255"


def _last_line(text: str) -> str:
    lines = text.strip().splitlines()
    return lines[-1] if lines else "it said nothing"
