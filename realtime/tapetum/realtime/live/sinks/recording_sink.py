"""A recording that can be played however it ends: the process stopped, killed, or the power gone.

A file is written under its own name at once, in pieces that are whole by themselves: MP4 in
fragments, Matroska in clusters, of half a second or one group of pictures each.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress
from fractions import Fraction
from itertools import count
from pathlib import Path

from tapetum.realtime.errors import MediaError
from tapetum.realtime.frame import Frame
from tapetum.realtime.live.live_device import LiveEncoding
from tapetum.realtime.live.sinks.encoded_output import EncodedOutput
from tapetum.realtime.live.sinks.steady_output import SteadyOutput
from tapetum.realtime.media.containers import Container, container_for
from tapetum.realtime.media.encoder import EncoderSettings
from tapetum.realtime.media.output_path import check_output

_FRAGMENTS = {
    "movflags": "+empty_moov+default_base_moof+frag_keyframe",
    "frag_duration": "500000",
    "flush_packets": "1",
}
_CLUSTERS = {"cluster_time_limit": "500", "flush_packets": "1"}


class RecordingSink:
    """A `FrameSink` that records to a file; its suffix (.mp4, .mkv, .mov, .webm) says how.

    Attributes:
        takes_any_memory: see `TakesAnyMemory`.
    """

    takes_any_memory = True

    def __init__(
        self,
        path: str | Path,
        *,
        rate: Fraction | None = None,
        encoder: EncoderSettings = EncoderSettings(),  # noqa: B008 - it is frozen
        overwrite: bool = False,
        inputs: Iterable[Path] = (),
        encoding: LiveEncoding | None = None,
        on_notice: Callable[[str], None] = lambda _line: None,
    ) -> None:
        """Check the path; the file is opened by the first frame.

        Args:
            path: the file.
            rate: frames per second to expect; each frame keeps its own time whatever this says.
            encoder: codec, quality and speed.
            overwrite: whether an existing file may be replaced.
            inputs: files that it must not replace all the same.
            encoding: what encodes, as long as it does; None is the CPU. Where it fails later, the
                recording goes on in a second file, like "out-2.mkv".
            on_notice: called with a line where the CPU takes over.

        Raises:
            MediaError: the file cannot or must not be written.
        """
        self.path = Path(path)
        self._rate = rate
        self._settings = encoder
        check_output(self.path, overwrite=overwrite, inputs=inputs)
        self._container = _in_pieces(container_for(self.path))
        self._on_notice = on_notice
        self._output = SteadyOutput(self._opened, encoding, name=str(path), on_notice=on_notice)
        self._ended = False

    def write(self, frame: Frame) -> None:
        """Encode one frame.

        Raises:
            MediaError: the file cannot be written, or was closed: it would be begun anew.
        """
        if self._ended:
            raise MediaError(f"{self.path} is closed; no frame can follow")
        self._output.write(frame)

    def close(self) -> None:
        """Finish the file.

        Raises:
            MediaError: the rest cannot be written.
        """
        self._ended = True
        self._output.close()

    def discard(self) -> None:
        """Finish the file as far as that can be done: what was recorded is kept."""
        with suppress(MediaError):  # why it is given up is known
            self.close()

    def _opened(
        self, first: Frame, encoding: LiveEncoding | None, *, goes_on: bool
    ) -> EncodedOutput:
        path = _next_part(self.path) if goes_on else self.path
        if goes_on:
            self._on_notice(f"{self.path} goes on in {path}")
        return EncodedOutput(
            f"file:{path}",
            self._container,
            first,
            name=str(path),
            rate=self._rate,
            settings=self._settings,
            encoding=encoding,
            from_zero=True,
        )


def _next_part(path: Path) -> Path:
    """The first of "out-2.mkv", "out-3.mkv" and so on that is not there."""
    parts = (path.with_stem(f"{path.stem}-{number}") for number in count(2))
    return next(part for part in parts if not part.exists())


def _in_pieces(container: Container) -> Container:
    return container._replace(options=_FRAGMENTS if container.is_mov else _CLUSTERS)
