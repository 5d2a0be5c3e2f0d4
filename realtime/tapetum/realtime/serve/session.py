"""One open page: what it wants, what it gets told, and the end of all that it made."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

from aiohttp import WSMsgType, web

from tapetum.realtime.aim import Aim
from tapetum.realtime.background import PatientWorker
from tapetum.realtime.choices import Denoise, Device
from tapetum.realtime.errors import ServeError, TapetumError
from tapetum.realtime.serve.camera_views import CameraViews
from tapetum.realtime.serve.enhancement import Enhancement
from tapetum.realtime.serve.files import Files, FileStatus
from tapetum.realtime.serve.lighting import Lighting
from tapetum.realtime.serve.limits import Limits
from tapetum.realtime.serve.messages import (
    Cancel,
    Light,
    Look,
    Message,
    Ping,
    Stop,
    Watch,
    parse_message,
)
from tapetum.realtime.serve.stream import Stream

_STATUS_S = 0.5
_QUEUED = 1000
"""Messages that wait for a page; a page that is so far behind has gone, or will never catch up."""


@dataclass(frozen=True, slots=True)
class Offered:
    """What the server offers to every page.

    Attributes:
        models: from the names that pages show to models' names or files; the first is default.
        grids: those names whose models give grids, which pages can apply by themselves.
        strength: that pages start with.
        aim: that pages start with.
        denoise: how much noise is taken out, on every page.
        device: where pictures and files are enhanced.
        on_notice: called with a line, in any thread, when something is new of a GPU, and when a
            picture ends for another reason than what its page asked for.
        views: of the server's camera, or None.
        latency_budget_ms: how long a live frame may be with us.
        limits: how much may be asked for.
    """

    models: Mapping[str, str | Path]
    grids: Sequence[str]
    strength: float
    aim: Aim
    denoise: Denoise
    views: CameraViews | None
    latency_budget_ms: float
    limits: Limits
    device: Device = "auto"
    on_notice: Callable[[str], None] = lambda _line: None

    def enhancement(self, look: Look) -> Enhancement:
        """How to enhance with one of the models; a brightness is for those that give grids.

        Raises:
            ServeError: it is none of them.
        """
        aim = look.aim if look.model in self.grids else Aim(look.aim.when_dark)
        return Enhancement(
            self.model(look.model),
            look.strength,
            aim,
            self.denoise,
            self.latency_budget_ms,
            self.device,
            self.on_notice,
        )

    def model(self, name: str) -> str | Path:
        """The model of that name.

        Raises:
            ServeError: there is none; a page cannot name files of the server.
        """
        if name not in self.models:
            raise ServeError(f"this server has no model {name}; it has {', '.join(self.models)}")
        return self.models[name]


class Session:
    """Serves one page over its WebSocket until that closes.

    Attributes:
        secret: what the page's uploads and downloads name, so that no other page can.
        files: the files that it sent.
    """

    def __init__(self, folder: Path, offered: Offered, worker: PatientWorker) -> None:
        """Make a session; make it in a running event loop.

        Args:
            folder: does not exist yet; holds the session's files while it lasts.
            offered: what there is.
            worker: enhances the files of all sessions.
        """
        self.secret = secrets.token_urlsafe(16)
        self.files = Files(folder, offered.limits, worker, self._tell_file)
        self._offered = offered
        self._worker = worker
        self._live = ExitStack()
        self._stream: Stream | None = None
        self._number = 0
        self._lighting: Lighting | None = None
        self._to_say: asyncio.Queue[dict[str, object] | bytes] = asyncio.Queue(_QUEUED)

    async def run(self, socket: web.WebSocketResponse) -> None:
        """Talk with the page until it goes, then end and remove all that it made."""
        self._greet()
        try:
            async with asyncio.TaskGroup() as group:
                talk = (self._speak(socket), self._tell_status())
                talking = [group.create_task(one) for one in talk]
                async for received in socket:
                    if received.type is WSMsgType.TEXT:
                        await self._heed(received.data)
                    elif received.type is WSMsgType.BINARY:
                        await self._send_grid(received.data)
                for task in talking:
                    task.cancel()
        finally:
            self.files.give_up()  # first: what follows may be cut short when the server stops
            await self._end_stream()
            await self.files.close()

    def notify(self, line: str) -> None:
        """Show a line to the viewer."""
        self._say("notice", message=line)

    def _greet(self) -> None:
        offered = self._offered
        self._say(
            "welcome",
            session=self.secret,
            models=list(offered.models),
            grids=list(offered.grids),
            strength=offered.strength,
            when_dark=offered.aim.when_dark,
            brightness=offered.aim.brightness,
            camera=None if offered.views is None else offered.views.camera.label,
            upload_bytes=offered.limits.upload_bytes,
            latency_budget_ms=offered.latency_budget_ms,
        )

    async def _heed(self, text: str) -> None:
        message: Message | None = None
        try:
            message = parse_message(text)
            await self._do(message)
        except TapetumError as error:
            stream = message.stream if isinstance(message, Watch | Light) else None
            self._say("problem", message=str(error), stream=stream)

    async def _do(self, message: Message) -> None:
        match message:
            case Watch():
                await self._watch(message)
            case Light():
                await self._light(message)
            case Look():
                await self._change(message)
            case Stop():
                await self._end_stream()
            case Ping(sent_ms):
                self._say("pong", sent_ms=sent_ms, server_ms=1000 * time.monotonic())
            case Cancel(file):
                await self.files.remove(file)

    async def _change(self, look: Look) -> None:
        """Change the picture that runs, wherever it is enhanced."""
        lighting = self._lighting
        wanted = self._offered.enhancement(look)
        if lighting is not None:
            lighting.aim, lighting.strength = wanted.aim, wanted.strength
            if wanted.model != lighting.model:
                await asyncio.to_thread(lighting.load, wanted.model)
        if self._stream is not None:
            self._stream.change(wanted)

    async def _watch(self, wanted: Watch) -> None:
        views = self._offered.views if wanted.camera == "server" else None
        if wanted.camera == "server" and views is None:
            raise ServeError("this server has no camera; start it with --camera or --source")
        enhancement = self._offered.enhancement(wanted.look)
        await self._end_stream()
        self._live.enter_context(self._worker.giving_way())
        self._number = wanted.stream
        stream = self._stream = Stream(
            enhancement, self._offered.limits, partial(self._tell_end, wanted.stream)
        )
        try:
            sdp = await stream.answer(wanted.sdp, views)
        except TapetumError:
            await self._end_stream()
            raise
        self._say("answer", stream=wanted.stream, sdp=sdp)

    async def _light(self, wanted: Light) -> None:
        enhancement = self._offered.enhancement(wanted.look)
        await self._end_stream()
        self._live.enter_context(self._worker.giving_way())
        lighting = self._lighting = Lighting(enhancement.aim)
        lighting.strength = enhancement.strength
        lit = await asyncio.to_thread(lighting.load, enhancement.model)
        self._number = wanted.stream
        denoise = self._offered.denoise
        self._say("lit", stream=wanted.stream, denoise=denoise, **asdict(lit))

    async def _send_grid(self, thumbnail: bytes) -> None:
        """Answer a thumbnail; the page sends the next one when it has the answer."""
        lighting = self._lighting
        if lighting is None:
            return  # one that was on its way when the page stopped
        was_well_lit = lighting.well_lit
        try:
            self._put(await asyncio.to_thread(lighting.grid, thumbnail))
            if lighting.well_lit != was_well_lit:
                self._say("well_lit", stream=self._number, value=lighting.well_lit)
        except TapetumError as error:
            self._lighting = None
            self._tell_end(self._number, error)

    async def _end_stream(self) -> None:
        self._live.close()
        self._lighting = None
        stream, self._stream = self._stream, None
        if stream is not None:
            await stream.close()

    async def _speak(self, socket: web.WebSocketResponse) -> None:
        """Send what is to say, in order; a page that does not listen delays nobody else."""
        with suppress(ConnectionError):
            while True:
                match await self._to_say.get():
                    case bytes(grid):
                        await socket.send_bytes(grid)
                    case fields:
                        await socket.send_json(fields)

    async def _tell_status(self) -> None:
        while True:
            await asyncio.sleep(_STATUS_S)
            status = None if self._stream is None else self._stream.status
            if status is not None:
                self._say("status", stream=self._number, **asdict(status))

    def _tell_end(self, stream: int, error: TapetumError | None) -> None:
        if error is not None and not isinstance(error, ServeError):  # which is the page's own fault
            self._offered.on_notice(str(error))
        self._say("ended", stream=stream, message="" if error is None else str(error))

    def _tell_file(self, status: FileStatus) -> None:
        self._say("file", **asdict(status))

    def _say(self, kind: str, **fields: object) -> None:
        self._put({"type": kind, **fields})

    def _put(self, message: dict[str, object] | bytes) -> None:
        if self._to_say.full():
            self._to_say.get_nowait()  # the page has not listened for a long time
        self._to_say.put_nowait(message)
