"""The reader of pictures with decoders that fail, as those of GPUs do."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import av
import pytest
from av.error import FFmpegError, InvalidDataError
from support.media import Clip, make_clip
from support.simulated_codecs import simulate_codecs
from support.simulated_gpu import SimulatedGPU

from tapetum.realtime.cuda.device import CudaDevice
from tapetum.realtime.cuda.nvdec_source import NvdecSource
from tapetum.realtime.errors import DeviceError
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
    assert decoder.packets == reader.corrupt_packets == LIMIT
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


def test_nvdec_without_a_decoder_for_a_file_says_so(
    clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """FFmpeg opens the file, and then no packet decodes; the file is left to the CPU."""

    def opened(*_: object) -> VideoInput:
        container = av.open(str(clip))
        stream = container.streams.video[0]
        decoder: Any = Failing(stream.codec_context, failures=60)
        return VideoInput(container, stream, decoder)

    monkeypatch.setattr(NvdecSource, "_open", opened)
    device: Any = type("Device", (), {"name": "cuda:0", "index": 0})()
    expected = r"NVDEC on cuda:0 decodes none of the first 8 packets of .*in\.mp4 \(.*no hardware"
    with pytest.raises(DeviceError, match=expected):
        NvdecSource(clip, device)


def test_a_gpu_that_is_lost_in_mid_file_is_no_damage(
    clip: Path, gpu: SimulatedGPU, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every packet fails from then on: the output would end there, as if the file did."""
    simulate_codecs(monkeypatch)
    monkeypatch.setattr(NvdecSource, "_format_name", lambda *_: "nv12")
    source = NvdecSource(clip, CudaDevice())
    decoder: Any = Failing(source._reader._decoder, failures=2 * LIMIT)
    source._reader._decoder = decoder
    pictures = iter(source._reader)
    next(pictures)
    gpu.lost = True
    with pytest.raises(DeviceError, match="cuda:0 cannot be used: cudaErrorDevicesUnavailable"):
        list(pictures)
    source.close()
