"""`tapetum serve`: the command line of the browser page."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from tapetum.gan.model_kinds import KINDS
from tapetum.realtime.command.options import (
    BrightnessOption,
    DenoiseOption,
    DeviceOption,
    LoopOption,
    RateOption,
    SizeOption,
    StrengthOption,
    WhenDarkOption,
    camera_name,
    model_name,
    one_source,
    parse_budget_ms,
    parse_size,
)
from tapetum.realtime.enhancer import check_model
from tapetum.realtime.errors import ModelError, ServeError
from tapetum.realtime.serve.limits import MB, Limits
from tapetum.realtime.serve.settings import ServerSettings

if TYPE_CHECKING:
    from tapetum.realtime.serve.server import Server

_ACCESS = "Who may come in"
_LIMITS = "Limits"
_DEFAULTS = ServerSettings()


def serve(
    *,
    source: Annotated[
        str | None,
        typer.Option(
            metavar="SOURCE",
            help="Offer a source of this machine too: a URL (rtsp, http, udp), a file,"
            " [b]screen[/b], a test pattern as lavfi:PATTERN, or a camera.",
            show_default=False,
        ),
    ] = None,
    camera: Annotated[
        str | None,
        typer.Option(
            metavar="DEVICE",
            callback=camera_name,
            help="Offer a camera of this machine too: its number, device or name.",
            show_default=False,
        ),
    ] = None,
    size: SizeOption = None,
    rate: RateOption = None,
    loop: LoopOption = _DEFAULTS.loop,
    models: Annotated[
        list[str] | None,
        typer.Option(
            "--model",
            metavar="grid|unet|FILE",
            help="A model to offer; may be given several times, the first one is the default."
            " Without it: all that ship.",
            show_default=False,
        ),
    ] = None,
    strength: StrengthOption = _DEFAULTS.strength,
    when_dark: WhenDarkOption = _DEFAULTS.when_dark,
    brightness: BrightnessOption = _DEFAULTS.brightness,
    device: DeviceOption = _DEFAULTS.device,
    denoise: DenoiseOption = _DEFAULTS.denoise,
    budget_ms: Annotated[
        float | None,
        typer.Option(
            "--latency-budget",
            parser=parse_budget_ms,
            metavar="TIME",
            help="How long a live frame may be in work here, like 50ms or 0.1s, before a cheaper"
            " mode is taken.",
            show_default=f"{_DEFAULTS.latency_budget_ms:g}ms",
        ),
    ] = None,
    open_browser: Annotated[
        bool,
        typer.Option("--open", help="Open the page in the browser.", show_default=False),
    ] = False,
    host: Annotated[
        str,
        typer.Option(
            metavar="ADDRESS",
            help=f"Address to listen on. With another one than {_DEFAULTS.host} others can reach"
            " the page, if they have its whole URL with the token in it.",
            rich_help_panel=_ACCESS,
        ),
    ] = _DEFAULTS.host,
    port: Annotated[
        int,
        typer.Option(
            min=0, max=65535, help="TCP port; 0 takes any that is free.", rich_help_panel=_ACCESS
        ),
    ] = _DEFAULTS.port,
    max_pages: Annotated[
        int, typer.Option(min=1, help="Pages open at a time.", rich_help_panel=_LIMITS)
    ] = _DEFAULTS.limits.sessions,
    max_upload_mb: Annotated[
        int, typer.Option(min=1, help="Size of a file to enhance.", rich_help_panel=_LIMITS)
    ] = _DEFAULTS.limits.upload_bytes // MB,
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="Print the URL, errors and warnings only.")
    ] = False,
) -> None:
    """Open a page in the browser: your camera or files, made bright.

    The page takes the browser's own camera, or one of this machine, and
    files that are dropped on it. Video goes to this machine and nowhere
    else; nothing is kept when the page is closed. Ctrl-C ends it.

    For example:

      tapetum serve --open

      tapetum serve --camera 0 --size 1280x720 --rate 30

      tapetum serve --host 0.0.0.0 --source rtsp://camera.local/main
    """
    wanted_source = one_source(source, camera)
    wanted_size = None if size is None else parse_size(size)
    for name in models or ():
        model_name(name)
    _check_packages()

    from tapetum.realtime.serve.serve import serve as run

    settings = ServerSettings(
        host=host,
        port=port,
        source=wanted_source,
        size=wanted_size,
        rate=rate,
        loop=loop,
        models=models or _models_that_ship(),
        strength=strength,
        when_dark=when_dark,
        brightness=brightness,
        device=device,
        denoise=denoise,
        latency_budget_ms=budget_ms or _DEFAULTS.latency_budget_ms,
        limits=Limits(sessions=max_pages, upload_bytes=max_upload_mb * MB),
    )

    def start(url: str, server: Server) -> None:
        if not quiet:
            typer.echo(server.description, err=True)
        typer.echo(url)
        if open_browser:
            _open(url)

    def notice(line: str) -> None:
        typer.echo(f"note: {line}", err=True)

    run(settings, start, on_notice=notice)


def _models_that_ship() -> list[str]:
    return [name for name in KINDS if _ships(name)]


def _ships(name: str) -> bool:
    try:
        check_model(name)
    except ModelError:
        return False
    return True


def _check_packages() -> None:
    try:
        import aiohttp  # noqa: F401 - only looked for
        import aiortc  # noqa: F401
    except ImportError as error:
        raise ServeError(f"the page needs {error.name}: pip install 'tapetum[live]'") from error


def _open(url: str) -> None:
    import webbrowser

    if not webbrowser.open(url):
        typer.echo("note: found no browser to open; open the address above yourself", err=True)
