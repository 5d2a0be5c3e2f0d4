"""How a plugin's C file is compiled, a program run, and a plugin removed."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from importlib.resources import as_file, files
from pathlib import Path

from tapetum.gan.whole_file import whole_file
from tapetum.realtime.errors import PluginError
from tapetum.realtime.other_programs import environment_of_others


def run(words: list[str]) -> subprocess.CompletedProcess[bytes]:
    """Run a program that needs no input, for two minutes at most."""
    return subprocess.run(
        words,
        env=environment_of_others(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
        timeout=120,
    )


def compiler() -> str | None:
    """The machine's C compiler, or None."""
    return shutil.which(os.environ.get("CC") or "cc")


def compile_plugin(source: str, plugin: Path) -> None:
    """Compile a plugin's C file and the client with it, for the Python that runs this.

    Args:
        source: the file's name in `native`.
        plugin: what is made, whole or not at all; an older one is replaced.

    Raises:
        PluginError: there is no compiler, or the plugin cannot be made.
    """
    found = compiler()
    if found is None:
        raise PluginError("compiling the plugin needs a C compiler: apt-get install gcc")
    try:
        plugin.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise PluginError(f"cannot make {plugin.parent}: {error.strerror}") from error
    python = sys.executable.replace("\\", "\\\\").replace('"', '\\"')
    flags = ["-std=c11", "-O2", "-fPIC", "-shared", "-fvisibility=hidden", "-pthread"]
    libraries = ["-lm", "-ldl"]
    # A new file takes the old one's name: a host that runs keeps the one that it has open.
    with (
        as_file(files("tapetum.realtime.plugins") / "native") as native,
        whole_file(plugin, error=PluginError) as made,
    ):
        sources = [str(native / source), str(native / "tapetum_client.c")]
        done = run(
            [found, *flags, f'-DTAPETUM_PYTHON="{python}"', *sources, "-o", str(made), *libraries]
        )
        if done.returncode:
            said = " ".join(done.stderr.decode(errors="replace").split())
            raise PluginError(f"{found} cannot compile the plugin: {said[:400]}")


def remove_plugin(plugin: Path, *, folders: int = 0) -> None:
    """Remove a plugin, and so many of the folders around it as long as they are empty.

    Raises:
        PluginError: there is none, or it cannot be removed.
    """
    try:
        plugin.unlink()
        for folder in list(plugin.parents)[:folders]:
            if any(folder.iterdir()):
                return
            folder.rmdir()
    except FileNotFoundError:
        raise PluginError(f"there is no {plugin}; nothing to remove") from None
    except OSError as error:
        raise PluginError(f"cannot remove {plugin}: {error.strerror}") from error
