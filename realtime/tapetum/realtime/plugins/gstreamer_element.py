"""The GStreamer element `tapetum`; `gstreamer.py` copies this file to where GStreamer looks.

It runs in the Python that GStreamer's loader brings, which scans it in a process of its own and
remembers for long what failed there. So it imports only `gi` and the standard library; Tapetum
itself is imported when an element starts, and what goes wrong with that is an element's error.
"""

from __future__ import annotations

import math
import sys
import time
import traceback
import weakref
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstBase", "1.0")
gi.require_version("GstVideo", "1.0")

from gi.repository import GLib, GObject, Gst, GstBase, GstVideo  # noqa: E402

if TYPE_CHECKING:
    import numpy as np

    from tapetum.realtime import ColorInfo, Enhancer
    from tapetum.realtime.frame import Plane

INSTALLED_FOR = ""
"""`sys.implementation.cache_tag` of the Python that installed this; `install` writes it here."""
INSTALLED_FROM = ""
"""The folder of that Python's packages; `install` writes it here."""

FORMATS = {
    "I420": "yuv420p",
    "NV12": "nv12",
    "P010_10LE": "p010le",
    "I420_10LE": "yuv420p10le",
    "Y42B": "yuv422p",
    "I422_10LE": "yuv422p10le",
    "Y444": "yuv444p",
    "Y444_10LE": "yuv444p10le",
}
"""GStreamer's names of pixel formats, and those of `tapetum.realtime.pixel_format`."""

_JUMP_NS = Gst.SECOND
"""A step in time after which frames no longer belong together: somebody has seeked."""
_NS = 1_000_000_000

_MUTABLE = (
    GObject.ParamFlags.READWRITE
    | Gst.PARAM_CONTROLLABLE
    | GObject.ParamFlags(Gst.PARAM_MUTABLE_PLAYING)
)


def _caps() -> Any:  # noqa: ANN401 - gi has no types
    return Gst.Caps.from_string(f"video/x-raw, format={{ {', '.join(FORMATS)} }}")


def _pad(name: str, direction: Any) -> Any:  # noqa: ANN401
    return Gst.PadTemplate.new(name, direction, Gst.PadPresence.ALWAYS, _caps())


class InstallationError(Exception):
    """The Tapetum that this file was installed for cannot be used here."""


def _add_packages() -> None:
    """Let this Python find the packages of the one that installed this file.

    Raises:
        InstallationError: they are gone, incomplete, or for another version of Python.
    """
    if "tapetum.realtime" in sys.modules or not INSTALLED_FROM:
        return  # a Python program with a Tapetum of its own
    again = "run `tapetum plugin install gstreamer` again"
    here = sys.implementation.cache_tag
    if here != INSTALLED_FOR:
        raise InstallationError(
            f"GStreamer runs {here}, and Tapetum was installed for {INSTALLED_FOR}; install it in"
            f" a virtual environment of GStreamer's own Python, and {again}"
        )
    if not Path(INSTALLED_FROM).is_dir():
        raise InstallationError(f"there is no {INSTALLED_FROM} any more; {again}")
    import site

    # Before what the system has: its NumPy may be too old. `.pth` files add their folders too.
    before = sys.path[:]
    site.addsitedir(INSTALLED_FROM)
    added = [folder for folder in sys.path if folder not in before]
    sys.path[:] = [*added, *before]
    try:
        from tapetum.realtime import Enhancer, Frame  # noqa: F401
    except ImportError as error:
        raise InstallationError(f"Tapetum is not in {INSTALLED_FROM}: {error}; {again}") from error


@dataclass(frozen=True)
class _Layout:
    """Where the planes of the frames lie that come, and what they mean."""

    format_name: str
    width: int
    height: int
    strides: tuple[int, ...]
    offsets: tuple[int, ...]
    color: ColorInfo

    @classmethod
    def of(cls, caps: Any) -> _Layout:  # noqa: ANN401
        """Read caps."""
        info = GstVideo.VideoInfo.new_from_caps(caps)
        return cls(
            FORMATS[info.finfo.name],
            info.width,
            info.height,
            tuple(info.stride),
            tuple(info.offset),
            _color(info, caps.get_structure(0)),
        )

    def planes(self, data: memoryview, meta: Any) -> tuple[Plane, ...]:  # noqa: ANN401
        """Views of a mapped buffer; its own strides go over those of the caps."""
        import numpy as np

        from tapetum.realtime.pixel_format import pixel_format

        strides = self.strides if meta is None else tuple(meta.stride)
        offsets = self.offsets if meta is None else tuple(meta.offset)
        layout = pixel_format(self.format_name)
        kind: type[np.uint8 | np.uint16] = np.uint8 if layout.depth == 8 else np.uint16
        return tuple(
            np.ndarray(shape, kind, data, offset, (stride, np.dtype(kind).itemsize))
            for shape, stride, offset in zip(
                layout.plane_shapes(self.width, self.height), strides, offsets, strict=False
            )
        )


def _color(info: Any, said: Any) -> ColorInfo:  # noqa: ANN401
    """What caps say of colours; what they do not say is left to Tapetum, as for files."""
    from tapetum.realtime import ColorInfo

    site = int(info.chroma_site) if said.has_field("chroma-site") else 0
    place = {1: 2, 2: 1, 4: 4, 6: 3}.get(site, 0)  # middle, left, top, top left
    if not said.has_field("colorimetry"):
        return ColorInfo(chroma_location=place)
    colors = info.colorimetry
    return ColorInfo(
        matrix=GstVideo.video_color_matrix_to_iso(colors.matrix),
        range={1: 2, 2: 1}.get(int(colors.range), 0),  # full, limited
        primaries=GstVideo.video_color_primaries_to_iso(colors.primaries),
        transfer=GstVideo.video_transfer_function_to_iso(colors.transfer),
        chroma_location=place,
    )


class Tapetum(GstBase.BaseTransform):
    """Brightens the frames that go through, in place."""

    __gtype_name__ = "GstTapetum"
    __gstmetadata__ = (
        "Low-light enhancer",
        "Filter/Effect/Video",
        "Makes dark video bright",
        "The Tapetum developers",
    )
    __gsttemplates__ = (_pad("sink", Gst.PadDirection.SINK), _pad("src", Gst.PadDirection.SRC))
    __gproperties__ = {  # noqa: RUF012 - gi reads it as it is
        "strength": (
            *(float, "strength", "0 leaves pictures as they are, 1 is the model's output"),
            *(0.0, 2.0, 1.0, _MUTABLE),
        ),
        "model": (str, "model", "grid, unet, or a model file", "grid", _MUTABLE),
        "denoise": (
            *(str, "denoise", "auto, off, or the share of the noise to take out, 0 to 1"),
            *("off", _MUTABLE),
        ),
        "when-dark": (bool, "when dark", "leave well-lit pictures as they are", True, _MUTABLE),
    }

    def __init__(self) -> None:
        is_from_factory = _has_object(self)
        super().__init__()
        if is_from_factory and not self.is_floating():
            # PyGObject 3.42 keeps the reference that is its maker's, who then says that it lacks.
            self._ref()
            self._force_floating()
        self.set_in_place(True)
        self.set_qos_enabled(True)
        # gi cannot override `query`, whose name two base classes have. This sees answers.
        answers = Gst.PadProbeType.QUERY_UPSTREAM | Gst.PadProbeType.PULL
        self.srcpad.add_probe(answers, _add_latency, weakref.ref(self))
        self._settings: dict[str, Any] = {
            "strength": 1.0,
            "model": "grid",
            "denoise": "off",
            "when-dark": True,
        }
        self._enhancer: Enhancer | None = None
        self._made_for: tuple[Any, ...] = ()
        self._layout: _Layout | None = None
        self._last_ns: int | None = None
        self.latency_ns = 0

    def do_get_property(self, prop: Any) -> Any:  # noqa: ANN401
        """What a property is."""
        return self._settings[prop.name]

    def do_set_property(self, prop: Any, value: Any) -> None:  # noqa: ANN401
        """Take a value, which holds from the next frame on."""
        self._settings[prop.name] = value

    def do_start(self) -> bool:
        """Load the model."""
        try:
            _add_packages()
            self._ready_enhancer()
        except Exception as error:  # noqa: BLE001 - the pipeline is told, and its program goes on
            return self._failed(error)
        return True

    def do_stop(self) -> bool:
        """Let the model go."""
        self._enhancer, self._last_ns = None, None
        return True

    def do_set_caps(self, caps: Any, _out: Any) -> bool:  # noqa: ANN401
        """Take the frames' format, and see how long such a frame takes."""
        try:
            self._layout = _Layout.of(caps)
            self._measure_latency(self._layout)
        except Exception as error:  # noqa: BLE001
            return self._failed(error)
        return True

    def do_transform_ip(self, buffer: Any) -> Any:  # noqa: ANN401
        """Enhance one frame where it lies."""
        try:
            with buffer.map(Gst.MapFlags.READ | Gst.MapFlags.WRITE) as mapped:
                self._enhance(mapped.data, GstVideo.buffer_get_video_meta(buffer), buffer.pts)
        except Exception as error:  # noqa: BLE001
            self._failed(error)
            return Gst.FlowReturn.ERROR
        return Gst.FlowReturn.OK

    def _enhance(self, data: memoryview, meta: Any, pts: int) -> None:  # noqa: ANN401
        from fractions import Fraction

        from tapetum.realtime import Frame

        layout, enhancer = self._layout, self._ready_enhancer()
        assert layout is not None, "buffers come after their caps"
        time_ns = None if pts == Gst.CLOCK_TIME_NONE else pts
        last_ns, self._last_ns = self._last_ns, time_ns
        step_ns = 0 if last_ns is None or time_ns is None else time_ns - last_ns
        if not 0 <= step_ns <= _JUMP_NS:
            enhancer.reset()
        planes = layout.planes(data, meta)
        frame = Frame(planes, layout.format_name, time_ns, Fraction(1, _NS), layout.color)
        bright = enhancer.enhance_frame(frame)
        if bright is not frame:
            for place, plane in zip(planes, bright.planes, strict=True):
                place[...] = plane

    def _ready_enhancer(self) -> Enhancer:
        """The enhancer that the properties ask for; a new one where they changed it."""
        settings = self._settings
        wanted = (settings["model"], settings["denoise"], settings["when-dark"])
        if self._enhancer is None or wanted != self._made_for:
            from tapetum.realtime import Enhancer

            model, denoise, when_dark = wanted
            self._enhancer = Enhancer(model, denoise=_share(denoise), when_dark=when_dark)
            self._made_for = wanted
        self._enhancer.strength = settings["strength"]
        return self._enhancer

    def _measure_latency(self, layout: _Layout) -> None:
        """Time a frame of this size; the one before it finds kernels not yet loaded."""
        from tapetum.realtime import SyntheticSource

        enhancer = self._ready_enhancer()
        took_s = 0.0
        for frame in SyntheticSource(
            layout.width,
            layout.height,
            frames=2,
            format_name=layout.format_name,
            color=layout.color,
        ):
            begin_s = time.monotonic()
            enhancer.enhance_frame(frame)
            took_s = time.monotonic() - begin_s
        enhancer.reset()
        latency_ns = math.ceil(took_s * 1000) * Gst.MSECOND
        if latency_ns != self.latency_ns:
            self.latency_ns = latency_ns
            self.post_message(Gst.Message.new_latency(self))

    def _failed(self, error: Exception) -> bool:
        """Tell the pipeline; False, for who returns it."""
        text = " ".join(str(error).split()) or type(error).__name__
        problem = GLib.GError.new_literal(
            Gst.LibraryError.quark(), f"Tapetum: {text}", int(Gst.LibraryError.FAILED)
        )
        known = isinstance(error, (InstallationError, ValueError)) or _is_ours(error)
        details = "" if known else "".join(traceback.format_exception(error))
        self.post_message(Gst.Message.new_error(self, problem, details))
        return False


def _add_latency(_pad: Any, info: Any, element: weakref.ref[Tapetum]) -> Any:  # noqa: ANN401
    """Add the time that a frame takes to the latency of what comes before."""
    query, itself = info.get_query(), element()
    if itself is not None and query.type == Gst.QueryType.LATENCY:
        live, least, most = query.parse_latency()
        if most != Gst.CLOCK_TIME_NONE:
            most += itself.latency_ns
        query.set_latency(live, least + itself.latency_ns, most)
    return Gst.PadProbeReturn.OK


def _has_object(element: Tapetum) -> bool:
    """Whether GStreamer's object was there before its Python, as where a factory makes it."""
    try:
        return bool(element.__grefcount__)
    except TypeError:
        return False


def _is_ours(error: Exception) -> bool:
    """Whether its message is all that a person needs; Tapetum may not be importable."""
    return any(kind.__name__ == "TapetumError" for kind in type(error).__mro__)


def _share(denoise: str) -> Any:  # noqa: ANN401
    try:
        return float(denoise)
    except ValueError:
        return denoise


GObject.type_register(Tapetum)
__gstelementfactory__ = ("tapetum", Gst.Rank.NONE, Tapetum)
