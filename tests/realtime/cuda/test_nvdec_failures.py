"""NVDEC that fails in mid-file, simulated: the CPU decodes on, and knows what is damaged."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import pytest
from av.error import ExternalError
from support.media import Clip, make_clip
from support.simulated_codecs import simulate_codecs
from support.simulated_gpu import SimulatedGPU
from support.tolerance import EXACT, assert_planes_close

from tapetum.realtime.cuda import nvdec_source
from tapetum.realtime.cuda.device import CudaDevice
from tapetum.realtime.cuda.kernel_arguments import device_planes
from tapetum.realtime.cuda.nvdec_source import NvdecSource
from tapetum.realtime.cuda.transfer import semi_planar
from tapetum.realtime.enhance_media import enhance_file
from tapetum.realtime.errors import DeviceLostError
from tapetum.realtime.media.av_frame import color_range
from tapetum.realtime.media.file_source import FileSource

FRAMES, LIMITED = 30, 1
Fails = Callable[[int, Any], bool]


class Nvdec:
    """A decoder that gives NV12 and P010, and fails at some packets, by their number and size."""

    def __init__(self, decoder: Any, fails: Fails) -> None:
        self._decoder, self._fails, self._packets = decoder, fails, 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._decoder, name)

    def decode(self, packet: Any) -> list[av.VideoFrame]:
        self._packets += 1
        if self._fails(self._packets, packet):
            raise ExternalError(1, "hardware accelerator failed to decode picture")
        return [self._on_device(picture) for picture in self._decoder.decode(packet)]

    @staticmethod
    def _on_device(picture: av.VideoFrame) -> av.VideoFrame:
        deep = picture.format.components[0].bits > 8
        levels = color_range(picture) or LIMITED
        name = "p010le" if deep else "nv12"
        made = picture.reformat(format=name, src_color_range=levels, dst_color_range=levels)
        made.color_range = levels
        return made


@pytest.fixture
def failing(gpu: SimulatedGPU, monkeypatch: pytest.MonkeyPatch) -> Callable[[Fails], None]:
    """Sets where NVDEC fails."""
    del gpu

    def set_up(fails: Fails) -> None:
        simulate_codecs(monkeypatch)
        monkeypatch.setattr(
            NvdecSource, "_decoder", lambda _, stream: Nvdec(stream.codec_context, fails)
        )

    return set_up


def sticky(first: int) -> Fails:
    """A decoder that is out of order from a packet on."""
    return lambda number, _packet: number >= first


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("clips")


def clip_of(folder: Path, name: str, **given: Any) -> Path:
    path = folder / name
    if not path.exists():
        options = {"bf": "2", "g": "10"}
        make_clip(path, Clip(frames=FRAMES, options=options, **given))
    return path


def assert_as_on_cpu(path: Path, *, start_s: float = 0.0) -> NvdecSource:
    """The frames and the damage of a file that NVDEC decodes in part."""
    device = CudaDevice()
    with NvdecSource(path, device, start_s=start_s) as there:
        with FileSource(path, start_s=start_s) as here:
            for found, wanted in zip(there, here, strict=True):
                assert (found.pts, found.duration) == (wanted.pts, wanted.duration)
                planes = [device.get(plane) for plane in device_planes(found)]
                assert_planes_close(planes, semi_planar(wanted).planes, EXACT)
        assert there.corrupt_packets == here.corrupt_packets
        assert there.damaged_frames == here.damaged_frames
        assert there.truncated == here.truncated
    return there


def said(source: NvdecSource) -> list[str]:
    return [line for line in source.notices if line.startswith("decoded on the CPU after ")]


@pytest.mark.parametrize("suffix", ["mp4", "mkv", "ts", "h264"])
@pytest.mark.parametrize("first", [5, 17, FRAMES])
def test_where_nvdec_stops_the_cpu_goes_on_and_nothing_is_damaged(
    failing: Callable[[Fails], None], clips: Path, suffix: str, first: int
) -> None:
    failing(sticky(first))
    source = assert_as_on_cpu(clip_of(clips, f"in.{suffix}"))
    (line,) = said(source)
    assert line.endswith(
        f"NVDEC on cuda:0 fails at {source.path} ([Errno 1] hardware accelerator failed to decode"
        " picture)"
    )
    assert (source.corrupt_packets, source.truncated) == (0, False)


def test_one_packet_that_fails_or_the_flush_is_enough(
    failing: Callable[[Fails], None], clips: Path
) -> None:
    """Of which no run of failures tells: the pictures would be missing, or the end."""
    clip = clip_of(clips, "in.mp4")
    failing(lambda number, _packet: number == 12)
    assert len(said(assert_as_on_cpu(clip))) == 1
    failing(lambda _number, packet: not packet.size)
    assert len(said(assert_as_on_cpu(clip))) == 1


def test_a_part_of_a_file_goes_on_too(failing: Callable[[Fails], None], clips: Path) -> None:
    failing(sticky(12))
    assert len(said(assert_as_on_cpu(clip_of(clips, "in.mp4"), start_s=0.5))) == 1


def test_what_the_cpu_cannot_decode_either_is_damage(
    failing: Callable[[Fails], None], clips: Path, tmp_path: Path
) -> None:
    clip = clip_of(clips, "in.mp4")
    with av.open(str(clip)) as container:
        packets = [packet for packet in container.demux(video=0) if packet.size]
    broken = [number for number, packet in enumerate(packets) if not packet.is_keyframe][4:7]
    data = bytearray(clip.read_bytes())
    for number in broken:
        place, size = packets[number].pos or 0, packets[number].size
        data[place : place + size] = b"\xff" * size
    damaged = tmp_path / "damaged.mp4"
    damaged.write_bytes(data)
    failing(lambda number, _packet: number - 1 in broken)
    source = assert_as_on_cpu(damaged)
    assert source.corrupt_packets == len(broken)
    assert len(said(source)) == 1


def joined(folder: Path, name: str, *parts: Clip) -> Path:
    """Streams of H.264, one behind the other."""
    whole = b""
    for number, part in enumerate(parts):
        whole += make_clip(folder / f"{name}-{number}.h264", part).read_bytes()
    path = folder / f"{name}.h264"
    path.write_bytes(whole)
    return path


@pytest.mark.parametrize(
    ("second", "said_too"),
    [
        ({"width": 96, "height": 80}, "the picture size changes; all is scaled to "),
        ({"pixel_format": "yuv420p10le"}, ""),
        ({"color": (2, 2, 2, 2)}, "the range of the colours changes; all are brought to that of"),
    ],
)
@pytest.mark.parametrize("refused", [False, True])
def test_another_size_or_depth_in_mid_file_is_for_the_cpu(
    failing: Callable[[Fails], None],
    tmp_path: Path,
    second: dict[str, Any],
    said_too: str,
    refused: bool,
) -> None:
    """Whether NVDEC decodes it, or is no decoder for it."""
    given: dict[str, Any] = {"frames": 10, "options": {"bf": "0"}}
    path = joined(tmp_path, "joined", Clip(**given), Clip(**given | second))
    failing(sticky(11) if refused else lambda *_: False)
    source = assert_as_on_cpu(path)
    assert len(said(source)) == 1
    assert not said_too or any(line.startswith(said_too) for line in source.notices)
    assert source.corrupt_packets == 0


def test_a_gpu_that_is_lost_is_no_reason_for_another_decoder(
    failing: Callable[[Fails], None], gpu: SimulatedGPU, clips: Path
) -> None:
    failing(lambda *_: gpu.lost)
    source = NvdecSource(clip_of(clips, "in.mp4"), CudaDevice())
    frames = iter(source)
    next(frames)
    gpu.lost = True
    with pytest.raises(DeviceLostError):
        list(frames)
    assert not [line for line in source.notices if "on the CPU" in line]
    source.close()


@pytest.mark.slow
def test_such_a_file_is_enhanced_whole_and_is_intact(
    failing: Callable[[Fails], None], clips: Path, tmp_path: Path
) -> None:
    failing(sticky(20))
    clip = clip_of(clips, "in.mp4")
    result = enhance_file(clip, tmp_path / "out.mkv", device="cuda", denoise="off")
    assert (result.frames, result.intact) == (FRAMES, True)
    assert "decoding on cuda:0: NVDEC" in result.notices
    assert len([line for line in result.notices if line.startswith("decoded on the CPU")]) == 1


def test_a_decoder_that_never_works_leaves_the_whole_file_to_the_cpu(
    failing: Callable[[Fails], None], clips: Path
) -> None:
    failing(sticky(1))
    opened = nvdec_source.open_on_device(clip_of(clips, "in.mp4"), CudaDevice())
    assert opened.decoder.startswith("decoded on the CPU: NVDEC on cuda:0 fails at ")
    assert len(list(opened.frames)) == FRAMES
    opened.file.close()
