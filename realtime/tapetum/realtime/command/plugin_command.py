"""`tapetum plugin`: puts Tapetum into other programs, and out of them again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from tapetum.realtime.errors import PluginError

if TYPE_CHECKING:
    from tapetum.realtime.plugins.hosts import Host

plugin = typer.Typer(
    no_args_is_help=True, help="Put Tapetum into other programs: ffmpeg, mpv, Kdenlive and more."
)

HostArgument = Annotated[
    str, typer.Argument(metavar="HOST", help="One that [b]tapetum plugin list[/b] names.")
]


@plugin.command("list")
def list_hosts() -> None:
    """Say which hosts there are, whether they are here, and where their plugins go."""
    from tapetum.realtime.plugins.hosts import HOSTS

    for host in HOSTS.values():
        state = "installed" if host.plugin.exists() else "not installed"
        typer.echo(f"{host.name}: {state}")
        typer.echo(f"  for      {host.used_by}")
        typer.echo(f"  program  {host.version() or 'not found'}")
        typer.echo(f"  plugin   {host.plugin}")
        if (missing := host.missing()) is not None:
            typer.echo(f"  missing  {missing}")


@plugin.command()
def install(name: HostArgument) -> None:
    """Make a host's plugin, and put it where the host looks for it."""
    host = _host(name)
    host.install()
    typer.echo(f"installed {host.plugin}; try it: tapetum plugin check {name}")


@plugin.command()
def uninstall(name: HostArgument) -> None:
    """Remove a host's plugin."""
    host = _host(name)
    host.uninstall()
    typer.echo(f"removed {host.plugin}")


@plugin.command()
def check(name: HostArgument) -> None:
    """Run a dark frame through the real program with the plugin."""
    host = _host(name)
    if not host.plugin.exists():
        raise PluginError(f"there is no {host.plugin}; tapetum plugin install {name} makes it")
    typer.echo(host.check())


def _host(name: str) -> Host:
    from tapetum.realtime.plugins.hosts import HOSTS

    if name not in HOSTS:
        known = ", ".join(sorted(HOSTS))
        raise typer.BadParameter(f"there is no host {name}; there is {known}")
    return HOSTS[name]
