"""`python -m tapetum.benchmarks batch`: what it makes is whole, and what it simulates is sane."""

from __future__ import annotations

import struct
from itertools import pairwise
from pathlib import Path

import av
import pytest
from support.media import Clip, make_clip
from support.small_clips import write_noisy_clip

from tapetum.benchmarks.experiments import batch
from tapetum.benchmarks.experiments.memory import repeat_clip


@pytest.mark.parametrize("name", ["in.mkv", "in.mp4", "in.ts", "cut.mp4"])
def test_a_repeated_clip_has_every_picture(name: str, tmp_path: Path) -> None:
    """Matroska tells no decode times of the first packets of B-frames, of which one is the key.

    A cut MP4 begins before its time 0.
    """
    clip = make_clip(tmp_path / name, Clip(frames=20, options={"bf": "3", "g": "10"}))
    if name == "cut.mp4":
        begin_later(clip)
    repeat_clip(clip, tmp_path / "long.mp4", 3)
    with av.open(str(tmp_path / "long.mp4")) as reader:
        times = [frame.pts or 0 for frame in reader.decode(video=0)]
    assert len(times) == 60
    assert all(one < other for one, other in pairwise(times))


def begin_later(clip: Path) -> None:
    """Have a clip's edit list say that it begins in the middle of a group of pictures."""
    data = bytearray(clip.read_bytes())
    media_time_at = data.index(b"elst") + 16
    (media_time,) = struct.unpack_from(">i", data, media_time_at)
    struct.pack_into(">i", data, media_time_at, 4 * media_time)
    clip.write_bytes(data)
    with av.open(str(clip)) as reader:
        assert next(packet.pts or 0 for packet in reader.demux(video=0)) < 0


def test_what_is_simulated_is_no_better_than_linear() -> None:
    costs = batch.Costs(open_s=0.3, segment_s=30.0, warm_up_s=3.0, join_s=0.05, begin_s=3.0)
    shares = [batch.simulate(costs, workers=count, films=200) for count in (1, 2, 16)]
    assert all(0.8 < float(str(found["of_linear"])) <= 1 for found in shares)
    nobody_dies = batch.simulate(costs, workers=1, films=200, dying=0.0)
    assert float(str(nobody_dies["of_linear"])) > 0.99


@pytest.mark.slow
def test_a_kill_costs_no_byte(tmp_path: Path) -> None:
    clip = write_noisy_clip(tmp_path / "in.mkv", frames=50, rate=25, width=256, height=144)
    found = batch.kills(clip, count=1, workers=2, seconds=65)
    assert (found["kills"], found["equal_to_undisturbed"]) == (1, 1)
