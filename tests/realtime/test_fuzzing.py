"""Three hundred damaged inputs, always the same; `scripts/fuzz` makes as many as are wanted."""

from __future__ import annotations

import random
import shutil
from pathlib import Path

import pytest
from support.fuzzing import Case, faults, fuzz, times_ms
from support.mutations import PARSERS, mutate
from support.whole_files import make_seeds

needs_ffprobe = pytest.mark.skipif(
    shutil.which("ffprobe") is None, reason="needs ffprobe: apt-get install ffmpeg"
)


@pytest.mark.slow
@pytest.mark.timeout(1800)
@needs_ffprobe
def test_nothing_is_lost_or_wrong_in_silence_whatever_is_damaged() -> None:
    report = fuzz(range(300), seed=0)
    assert [str(finding) for finding in report.findings] == []
    assert report.statuses[1] > 30, "the damage is too small to tell anything"
    assert report.statuses[0] + report.statuses[3] > 30, "the damage leaves nothing to enhance"


@pytest.fixture(scope="module")
def seeds(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return make_seeds(tmp_path_factory.mktemp("seeds"))


def test_parsers_find_the_parts_of_whole_files(seeds: list[Path]) -> None:
    for seed in seeds:
        if (parser := PARSERS.get(seed.suffix)) is not None:
            data, parts = seed.read_bytes(), list(parser(seed.read_bytes()))
            assert len(parts) >= 2, seed.name
            assert all(0 <= part.begin <= part.body <= part.end <= len(data) for part in parts)


def test_damage_is_the_same_every_time_and_never_fails(seeds: list[Path]) -> None:
    for seed in seeds:
        data = seed.read_bytes()
        for number in range(40):
            once, again = (mutate(data, seed.suffix, random.Random(number)) for _ in range(2))
            assert once == again


def test_what_does_not_hold_is_found(tmp_path: Path) -> None:
    missing = Case(0, tmp_path / "in.mp4", "", ("enhance",), tmp_path / "out.mp4")
    good = {"status": 1, "said": "error: no", "cpu_s": 1.0, "peak_mb": 300.0}
    assert list(faults(missing, good)) == []
    assert "hangs" in next(faults(missing, None))
    for name, value in (("status", 9), ("said", "Traceback"), ("cpu_s", 99.0), ("peak_mb", 9e9)):
        assert len(list(faults(missing, good | {name: value}))) == 1, name
    assert list(faults(missing, good | {"said": "line\n" * 13})) == ["13 lines"]
    (tmp_path / "out.mp4").touch()
    assert list(faults(missing, good)) == ["status 1, and the output is there"]


@needs_ffprobe
def test_ffprobe_tells_the_times_of_pictures(sample_clip: Path) -> None:
    assert times_ms(sample_clip)[:3] == [0, 40, 80]
