"""The reader of pictures with decoders that fail, as those of GPUs do."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import av
import pytest
from av.error import FFmpegError, InvalidDataError
from support.media import Clip, make_clip

from tapetum.realtime.media.picture_reader import MANY_FAILURES, PictureReader, VideoInput

LIMIT = MANY_FAILURES


class Failing:
    """A decoder that has no hardware for the first packets that it gets."""

    def __init__(self, decoder: Any, failures: int) -> None:
        self._decoder = decoder
        self._left = failures
        self.packets = self.doubted = 0

    def decode(self, packet: Any) -> Any:
        self.packets += 1
        if self._left:
            self._left -= 1
            raise InvalidDataError(1, "no hardware")
        return self._decoder.decode(packet)


def reader_with(path: Path, failures: int) -> tuple[PictureReader, list[Failing]]:
    decoders: list[Failing] = []

    def opened() -> VideoInput:
        container = av.open(str(path))
        stream = container.streams.video[0]
        decoders.append(Failing(stream.codec_context, failures))
        decoder: Any = decoders[0]
        return VideoInput(container, stream, decoder)

    def doubt(error: FFmpegError) -> None:
        if not reader.count:
            raise error
        decoders[0].doubted += 1

    reader = PictureReader(opened, on_failures=doubt)
    return reader, decoders


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    options = {"bf": "0", "g": "4"}
    return make_clip(tmp_path_factory.mktemp("clip") / "in.mp4", Clip(frames=60, options=options))


def test_a_decoder_that_fails_at_every_packet_is_given_up_soon(clip: Path) -> None:
    reader, (decoder,) = reader_with(clip, failures=60)
    with pytest.raises(FFmpegError, match="no hardware"):
        reader.first()
    assert (decoder.packets, reader.corrupt_packets) == (LIMIT, LIMIT - 1)
    reader.close()


def test_a_few_damaged_packets_at_the_begin_are_read_over(clip: Path) -> None:
    reader, _ = reader_with(clip, failures=LIMIT - 1)
    numbers = [picture.pts // 512 for picture in reader if picture.pts is not None]
    assert numbers[-50:] == list(range(10, 60))
    assert reader.corrupt_packets == LIMIT - 1
    reader.close()


def test_damage_after_the_first_picture_gives_nothing_up(clip: Path) -> None:
    reader, (decoder,) = reader_with(clip, failures=0)
    assert reader.first() is not None
    decoder._left = 2 * LIMIT
    list(reader)
    assert decoder.doubted == 2
    assert reader.ended
    assert reader.corrupt_packets >= 2 * LIMIT
    reader.close()
