"""The page's server: its addresses, its sessions, and the camera that they share."""

from __future__ import annotations

import asyncio
import errno
import socket
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager, suppress
from itertools import count
from pathlib import Path

from aiohttp import WSCloseCode, web

from tapetum.realtime.aim import Aim
from tapetum.realtime.background import PatientWorker
from tapetum.realtime.enhancer import (
    check_device_is_there,
    check_model,
    checked_denoise,
    checked_strength,
)
from tapetum.realtime.errors import ModelError, ServeError, TapetumError
from tapetum.realtime.serve.access import Access, is_loopback, new_token, set_security_headers
from tapetum.realtime.serve.camera_views import CameraViews
from tapetum.realtime.serve.connections import guarded, in_time
from tapetum.realtime.serve.lighting import gives_grids
from tapetum.realtime.serve.messages import parse_look
from tapetum.realtime.serve.playout import offer_playout_delay
from tapetum.realtime.serve.server_camera import ServerCamera
from tapetum.realtime.serve.session import Offered, Session
from tapetum.realtime.serve.settings import ServerSettings

_PAGE = Path(__file__).parent / "page"
_BRIGHTEN = "brighten"
"""The browser modules that the page shares with the extension: `web/brighten` in a checkout."""
_HEARTBEAT_S = 10.0
"""A page that answers no ping for about so long is gone."""
_GRIDS_OF_PAGES = "what a browser enhances by itself gets its grids from the CPU here"
_GRACE_S = 3.0
"""How long requests may go on when the server stops."""


class Server:
    """Pages, their sessions, and the camera that they share; use `running`."""

    def __init__(
        self,
        settings: ServerSettings,
        folder: Path,
        *,
        on_notice: Callable[[str], None] = lambda _line: None,
    ) -> None:
        """Check the settings and open the camera once.

        Args:
            settings: how to serve.
            folder: an empty one, for files of sessions.
            on_notice: called with a line, which pages get too, when the camera gives something
                else than what was asked for, is lost or is back; in any thread.

        Raises:
            ModelError: there is no such model, or a brightness is wanted and none gives grids.
            MediaError: the source cannot be opened.
            DeviceError: the GPU, or what it needs, is missing, or it cannot do what is wanted.
            ValueError: a number is out of its range.
        """
        self._settings = settings
        self._folder = folder
        self._on_notice = on_notice
        self._last_notice = ""
        self._token = None if is_loopback(settings.host) else new_token()
        self._sessions: dict[str, tuple[Session, web.WebSocketResponse]] = {}
        self._numbers = count()
        self._worker = PatientWorker()
        self._loop = asyncio.get_running_loop()
        models = _models(settings.models)
        camera, views = None, None
        if settings.source is not None:
            camera = ServerCamera(
                settings.source,
                size=settings.size,
                rate=settings.rate,
                loop=settings.loop,
                most_pixels=settings.limits.frame_pixels,
                on_notice=self._notify,
            )
            views = CameraViews(camera)
        grids = [name for name, model in models.items() if gives_grids(model)]
        if settings.brightness is not None and not grids:
            raise ModelError(f"brightness is for grid models; {', '.join(models)} is none")
        offer_playout_delay()
        self._camera = camera
        self._offered = Offered(
            models,
            grids,
            checked_strength(settings.strength),
            Aim(settings.when_dark, settings.brightness),
            checked_denoise(settings.denoise),
            views,
            settings.latency_budget_ms,
            settings.limits,
            settings.device,
            self._say_once,
        )
        self._said: set[str] = set()
        choice = check_device_is_there(settings.device)
        if choice is not None:
            for line in (*choice.notices, _GRIDS_OF_PAGES):
                self._say_once(line)

    @property
    def description(self) -> str:
        """One line: the camera, the models, and where the limits are."""
        camera = "no camera of this machine" if self._camera is None else self._camera.description
        words = [
            camera,
            f"models: {', '.join(self._offered.models)}",
            f"{self._offered.latency_budget_ms:g} ms budget",
            f"up to {self._offered.limits.sessions} pages",
        ]
        return " | ".join(words)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[str]:
        """Serve inside the `async with` block, which gets the URL to open.

        Raises:
            ServeError: the address or port cannot be used.
        """
        runner = web.AppRunner(self._app(), access_log=None, shutdown_timeout=_GRACE_S)
        await runner.setup()
        try:
            site = web.TCPSite(runner, self._settings.host, self._settings.port)
            await _start(site, self._settings)
            assert runner.server is not None  # it was set up
            with guarded(runner.server, self._settings.limits, self._on_notice):
                yield self._url(runner.addresses[0][1])
        finally:
            await runner.cleanup()
            if self._camera is not None:
                await self._camera.close()
            self._worker.shutdown()

    def _app(self) -> web.Application:
        access = Access(self._settings.host, self._token)
        app = web.Application(middlewares=[access.middleware])
        app.on_response_prepare.append(set_security_headers)
        app.on_shutdown.append(self._close_sessions)
        app.router.add_get("/", _page)
        app.router.add_static("/page/", _PAGE)
        app.router.add_static("/brighten/", _brighten())
        app.router.add_get("/session", self._serve_session)
        app.router.add_post("/session/{session}/files", self._receive_file)
        app.router.add_get("/session/{session}/files/{file}", self._send_file)
        return app

    def _url(self, port: int) -> str:
        host = _address_of_this_machine(self._settings.host)
        shown = f"[{host}]" if ":" in host else host
        return f"http://{shown}:{port}/" + (f"?token={self._token}" if self._token else "")

    async def _serve_session(self, request: web.Request) -> web.WebSocketResponse:
        limits = self._offered.limits
        socket = web.WebSocketResponse(
            heartbeat=_HEARTBEAT_S, max_msg_size=limits.message_bytes, compress=False
        )
        await socket.prepare(request)
        if len(self._sessions) >= limits.sessions:
            message = f"too many pages are open, the limit is {limits.sessions}; close another one"
            await socket.send_json({"type": "full", "message": message})
            await socket.close(code=WSCloseCode.TRY_AGAIN_LATER)
            return socket
        session = Session(self._folder / str(next(self._numbers)), self._offered, self._worker)
        self._sessions[session.secret] = (session, socket)
        try:
            await session.run(socket)
        finally:
            del self._sessions[session.secret]
        return socket

    async def _receive_file(self, request: web.Request) -> web.Response:
        session = self._session(request)
        try:
            enhancement = self._offered.enhancement(parse_look(request.query))
            chunks = in_time(aiter(request.content.iter_chunked(1 << 18)), self._offered.limits)
            name = await session.files.receive(chunks, enhancement, request.content_length)
        except TapetumError as error:
            raise web.HTTPBadRequest(text=str(error)) from None
        return web.json_response({"file": name})

    async def _send_file(self, request: web.Request) -> web.FileResponse:
        try:
            result = self._session(request).files.result(request.match_info["file"])
        except ServeError as error:
            raise web.HTTPNotFound(text=str(error)) from None
        # Without a name: the page knows the one that the user gave.
        headers = {"Content-Type": result.media_type, "Content-Disposition": "attachment"}
        return web.FileResponse(result.path, headers=headers)

    def _session(self, request: web.Request) -> Session:
        known = self._sessions.get(request.match_info["session"])
        if known is None:
            raise web.HTTPNotFound(text="this session has ended; reload the page")
        return known[0]

    def _say_once(self, line: str) -> None:
        """Tell our owner what is new of a GPU, once for all pages; called in any thread."""
        if line not in self._said:
            self._said.add(line)
            self._on_notice(line)

    def _notify(self, line: str) -> None:
        """Tell our owner and all pages; called in the camera's thread."""
        if line != self._last_notice:  # a camera says anew what it gives each time it is opened
            self._last_notice = line
            self._on_notice(line)
        self._loop.call_soon_threadsafe(self._tell_sessions, line)

    def _tell_sessions(self, line: str) -> None:
        for session, _ in self._sessions.values():
            session.notify(line)

    async def _close_sessions(self, _app: web.Application) -> None:
        sockets = [socket for _, socket in self._sessions.values()]
        closing = [socket.close(code=WSCloseCode.GOING_AWAY) for socket in sockets]
        await asyncio.gather(*closing, return_exceptions=True)


async def _page(_request: web.Request) -> web.FileResponse:
    return web.FileResponse(_PAGE / "index.html")


def _brighten() -> Path:
    """Where the shared browser modules are: in a wheel beside the page."""
    packaged = Path(__file__).parent / _BRIGHTEN
    return packaged if packaged.is_dir() else Path(__file__).parents[4] / "web" / _BRIGHTEN


def _models(models: Sequence[str | Path]) -> dict[str, str | Path]:
    """From the names that pages show to the models, which must exist."""
    for model in models:
        check_model(model)
    files = {Path(model).absolute(): model for model in models}  # each once
    return {_short_name(path, files): model for path, model in files.items()}


def _short_name(path: Path, paths: Iterable[Path]) -> str:
    """As much of the end of a path as no other of them has: pages need not know our folders."""
    for length in range(1, len(path.parts) + 1):
        name = path.parts[-length:]
        if sum(other.parts[-length:] == name for other in paths) == 1:
            break
    return str(Path(*name))


def _address_of_this_machine(host: str) -> str:
    """`host`, or where it means all addresses, the one that others in the network can use."""
    if host not in ("0.0.0.0", "::"):
        return host
    family = socket.AF_INET6 if host == "::" else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as probe, suppress(OSError):
        probe.connect(("2001:db8::1" if host == "::" else "192.0.2.1", 9))  # sends nothing
        return str(probe.getsockname()[0])
    return "::1" if host == "::" else "127.0.0.1"


async def _start(site: web.TCPSite, settings: ServerSettings) -> None:
    host, port = settings.host, settings.port
    try:
        await site.start()
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise ServeError(
                f"port {port} of {host} is in use; stop what uses it, or give another --port"
                " (0 takes any that is free)"
            ) from error
        raise ServeError(f"cannot listen on {host} port {port}: {error.strerror}") from error
