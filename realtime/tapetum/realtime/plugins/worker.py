"""The process that enhances frames for plugins: `python -m tapetum.realtime.plugins.worker`.

`native/tapetum_client.c` starts it, with one end of a socket as descriptor 3. Through that come the
sockets of streams, and through each of them requests and, with the first of a size, the shared
memory in which frames lie. A socket that closes ends its stream, the first one the process.
"""

from __future__ import annotations

import argparse
import mmap
import os
import socket
import stat
import struct
import sys
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from tapetum.realtime.choices import Denoise
from tapetum.realtime.cpu.rgb import Order
from tapetum.realtime.enhancer import Enhancer
from tapetum.realtime.errors import MediaError, TapetumError
from tapetum.realtime.frame import ColorInfo, Frame, Plane
from tapetum.realtime.pixel_format import pixel_format
from tapetum.realtime.worker import Worker

assert sys.platform != "win32", "plugins hand frames over by Unix sockets, which Windows has not"

PROTOCOL = 2
REQUEST = struct.Struct("=4IQqQ3f4BB7x1024s")
ANSWER = struct.Struct("=QI500s")
"""`request` and `answer` of native/tapetum_client.c."""
_SEQUENCE, _SEQUENCE_AT = struct.Struct("=Q"), 16

_SOCKET = 3
_NO_TIME = -(2**63)
_AUTO = -1
"""`TAPETUM_DENOISE_AUTO` of the client."""
_JUMP_NS = 1_000_000_000
"""A step in time after which frames no longer belong together: the host has seeked."""

_PLANAR = {1: "yuv420p", 2: "nv12", 3: "p010le", 7: "yuv422p", 8: "yuv444p", 9: "yuv420p10le"}
_PACKED = {4: (0, 1, 3), 10: (1, 0, 2), 11: (0, 3, 1)}
"""Of YUY2, UYVY and YVYU: where the first Y, the U and the V of two pixels lie in four bytes."""
_ORDERED: dict[int, Order] = {5: "rgb", 6: "bgr"}

Bytes = npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Request:
    """What a host wants done with the frame that lies in the shared memory.

    Attributes:
        layout: `tapetum_format` of the client.
        width: in pixels.
        height: in pixels.
        sequence: its number, for the answer.
        time_ns: on the stream's clock, or None.
        output_offset: where in the memory the enhanced frame goes; it comes at 0.
        strength: from 0 to 2.
        denoise: `auto`, `off`, or from 0 to 1.
        before: how much of the width, from the left, stays as it was; from 0 to 1.
        when_dark: whether what is well lit stays as it is.
        color: what its numbers mean.
        model: name or file.
    """

    layout: int
    width: int
    height: int
    sequence: int
    time_ns: int | None
    output_offset: int
    strength: float
    denoise: Denoise
    before: float
    when_dark: bool
    color: ColorInfo
    model: str

    @classmethod
    def parse(cls, message: bytes) -> Request:
        """Read a client's message.

        Raises:
            MediaError: the client is of another version.
        """
        if len(message) != REQUEST.size or message[:4] != struct.pack("=I", PROTOCOL):
            raise MediaError(
                "the plugin is of another version of Tapetum; run `tapetum plugin install` again"
            )
        _, layout, width, height, sequence, time_ns, offset, *values, model = REQUEST.unpack(
            message
        )
        strength, denoise, before, matrix, color_range, primaries, transfer, always = values
        return cls(
            layout,
            width,
            height,
            sequence,
            None if time_ns == _NO_TIME else time_ns,
            offset,
            strength,
            "auto" if denoise == _AUTO else denoise or "off",
            before,
            not always,
            ColorInfo(matrix, color_range, primaries, transfer),
            model.rstrip(b"\0").decode(errors="replace"),
        )


class Stream:
    """One video of a host: its enhancer, with the state that belongs to it."""

    def __init__(self) -> None:
        self._made_for: tuple[str, Denoise, bool] | None = None
        self._enhancer: Enhancer | None = None
        self._last_ns: int | None = None

    def enhance(self, request: Request, memory: memoryview) -> None:
        """Enhance the frame at the start of `memory` to where the request says.

        Raises:
            TapetumError: the model or the format cannot be used.
            ValueError: strength or denoise is out of its range.
        """
        enhancer = self._prepared(request)
        source = np.frombuffer(memory, np.uint8)
        target = source[request.output_offset :]
        if request.layout in _ORDERED:
            self._enhance_pixels(request, enhancer, source, target)
        elif request.layout in _PACKED:
            self._enhance_packed(request, enhancer, source, target)
        else:
            self._enhance_planes(request, enhancer, source, target)

    def _prepared(self, request: Request) -> Enhancer:
        wanted = (request.model, request.denoise, request.when_dark)
        if self._enhancer is None or wanted != self._made_for:
            self._enhancer = Enhancer(
                request.model,
                request.strength,
                denoise=request.denoise,
                when_dark=request.when_dark,
            )
            self._made_for = wanted
        self._enhancer.strength = request.strength
        last_ns, self._last_ns = self._last_ns, request.time_ns
        if last_ns is not None and request.time_ns is not None:
            step_ns = request.time_ns - last_ns
            if not 0 <= step_ns <= _JUMP_NS:
                self._enhancer.reset()
        return self._enhancer

    @staticmethod
    def _enhance_planes(request: Request, enhancer: Enhancer, source: Bytes, target: Bytes) -> None:
        format_name = _PLANAR.get(request.layout)
        if format_name is None:
            raise MediaError(f"pixel format {request.layout} of the plugin is unknown")
        given = _planes(source, format_name, request)
        places = _planes(target, format_name, request)
        enhancer.enhance_frame(_frame(request, format_name, given), out=places)
        layout, cut = pixel_format(format_name), _cut(request)
        for number, (old, place) in enumerate(zip(given, places, strict=True)):
            kept = cut if number == 0 or layout.semi_planar else cut >> layout.chroma_x
            place[:, :kept] = old[:, :kept]

    @staticmethod
    def _enhance_pixels(request: Request, enhancer: Enhancer, source: Bytes, target: Bytes) -> None:
        shape = (request.height, request.width, 4)
        size = request.height * request.width * 4
        given, made = source[:size].reshape(shape), target[:size].reshape(shape)
        enhancer(
            given,
            order=_ORDERED[request.layout],
            time_s=None if request.time_ns is None else request.time_ns / 1e9,
            out=made,
        )
        cut = _cut(request)
        made[:, :cut] = given[:, :cut]

    @staticmethod
    def _enhance_packed(request: Request, enhancer: Enhancer, source: Bytes, target: Bytes) -> None:
        """As 4:2:2 in planes; the pixel beside an odd last one is kept."""
        width, height = request.width, request.height
        size = height * 4 * -(-width // 2)
        packed = source[:size].reshape(height, -1)
        y, u, v = _PACKED[request.layout]
        luma = slice(y, y + 2 * width - 1, 2)
        planes = tuple(
            np.ascontiguousarray(part)
            for part in (packed[:, luma], packed[:, u::4], packed[:, v::4])
        )
        bright = enhancer.enhance_frame(_frame(request, "yuv422p", planes))
        made = target[:size].reshape(height, -1)
        made[...] = packed
        made[:, luma], made[:, u::4], made[:, v::4] = bright.planes
        cut = 2 * _cut(request)
        made[:, :cut] = packed[:, :cut]


def _cut(request: Request) -> int:
    """Columns that stay as they were: an even number, so that chroma has as many."""
    share = request.before if 0 <= request.before <= 1 else 0
    return 2 * int(request.width * share / 2)


def _planes(memory: Bytes, format_name: str, request: Request) -> tuple[Plane, ...]:
    """Views of planes that are packed one after the other."""
    layout = pixel_format(format_name)
    samples: Plane = memory
    if layout.depth > 8:
        samples = memory[: memory.size // 2 * 2].view(np.uint16)
    planes, begin = [], 0
    for rows, columns in layout.plane_shapes(request.width, request.height):
        planes.append(samples[begin : begin + rows * columns].reshape(rows, columns))
        begin += rows * columns
    return tuple(planes)


def _frame(request: Request, format_name: str, planes: tuple[Plane, ...]) -> Frame:
    return Frame(
        planes,
        format_name,
        pts=request.time_ns,
        time_base=Fraction(1, 1_000_000_000),
        color=request.color,
    )


def serve_stream(connection: socket.socket) -> None:
    """Answer a stream's requests until its host closes it."""
    stream = Stream()
    memory = memoryview(b"")
    with connection:
        while True:
            message, descriptors, _, _ = socket.recv_fds(connection, REQUEST.size, 1)
            if not message:
                return
            for descriptor in descriptors:
                memory = memoryview(mmap.mmap(descriptor, 0))
                os.close(descriptor)
            connection.send(_answer(stream, message, memory))


def _answer(stream: Stream, message: bytes, memory: memoryview) -> bytes:
    # The same place in every version, so that one of another gets to read that it is.
    (sequence,) = _SEQUENCE.unpack_from(message.ljust(_SEQUENCE_AT + _SEQUENCE.size), _SEQUENCE_AT)
    try:
        stream.enhance(Request.parse(message), memory)
    except (TapetumError, ValueError) as error:
        return ANSWER.pack(sequence, 1, _line(str(error)))
    except Exception as error:  # noqa: BLE001 - the host is told, and the worker goes on
        return ANSWER.pack(sequence, 1, _line(f"{type(error).__name__}: {error}"))
    return ANSWER.pack(sequence, 0, b"")


def _line(text: str) -> bytes:
    return " ".join(text.split()).encode()[:499]


def main() -> None:
    """Serve streams until the host is gone."""
    parser = argparse.ArgumentParser(
        description="Enhances frames for Tapetum's plugins, which start it: a host is needed."
    )
    parser.parse_args()
    if not _is_socket(_SOCKET):
        parser.error(f"no plugin is on descriptor {_SOCKET}; it starts this by itself")
    # What the host had open without closing it for others: its files are not ours to hold.
    os.closerange(_SOCKET + 1, os.sysconf("SC_OPEN_MAX"))
    with socket.socket(fileno=_SOCKET) as control:
        while True:
            message, descriptors, _, _ = socket.recv_fds(control, 1, 1)
            if not message:
                os._exit(0)  # at once: there is nothing to save, and nobody to wait
            for descriptor in descriptors:
                _start(socket.socket(fileno=descriptor))


def _is_socket(descriptor: int) -> bool:
    try:
        return stat.S_ISSOCK(os.fstat(descriptor).st_mode)
    except OSError:
        return False


def _start(connection: socket.socket) -> None:
    def stop() -> None:
        connection.shutdown(socket.SHUT_RDWR)

    Worker(lambda: serve_stream(connection), name="tapetum stream", stop=stop).start()


if __name__ == "__main__":
    main()
