"""The programs that Tapetum has plugins for: where theirs goes, how it is made, whether it works.

A host is a `Host` in `HOSTS`, with a module of its own; the rest of the project knows no host by
name.
"""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from tapetum.realtime.plugins.frei0r import Frei0r
from tapetum.realtime.plugins.gstreamer import GStreamer
from tapetum.realtime.plugins.obs_studio import ObsStudio


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

    def uninstall(self) -> None:
        """Remove the plugin.

        Raises:
            PluginError: there is none, or it cannot be removed.
        """

    def check(self) -> str:
        """Run a dark frame through the real program, and say what came of it.

        Raises:
            PluginError: the frame did not become brighter, or there is no such program.
        """


HOSTS: dict[str, Host] = {host.name: host for host in (ObsStudio(), Frei0r(), GStreamer())}
"""Every host, by the name that a person types."""
