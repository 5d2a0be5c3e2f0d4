"""What holds of any option, time and text: properties, tried on values that Hypothesis makes up."""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import suppress
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import av
import pytest
import typer
from av.packet import Packet
from av.stream import Stream
from hypothesis import example, given, settings
from hypothesis import strategies as st
from support.media import Clip, make_clip
from support.transcoding import transcode

from tapetum.realtime.command import options
from tapetum.realtime.command.cli import run_command
from tapetum.realtime.media.decode_time import DecodeTimes
from tapetum.realtime.media.packet_order import PacketOrder
from tapetum.realtime.media.presentation_times import PresentationTimes

PARSERS = (
    options.number,
    options.parse_strength,
    options.parse_brightness,
    options.parse_denoise,
    options.parse_time_s,
    options.parse_duration_s,
    options.parse_moment_s,
    options.parse_size,
    options.parse_rate,
    options.parse_budget_ms,
)
near_numbers = st.from_regex(r"[-+]?[0-9]{0,5}[.:/xe]?[0-9]{0,12}(ms|s|m|d)?", fullmatch=True)
any_text = st.one_of(near_numbers, st.text(max_size=30))

# Options ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("parse", PARSERS, ids=lambda parse: parse.__name__)
@given(text=any_text)
@example(text="9" * 5000)
@example(text="1:" + "9" * 5000)
@example(text="9" * 5000 + "x1")
@example(text="1e999999999")
@example(text="1e-999999999")
@example(text="nan")
@example(text="-inf")
@example(text="\N{ARABIC-INDIC DIGIT FOUR}")
def test_an_option_is_understood_or_refused(parse: Callable[[str], object], text: str) -> None:
    with suppress(typer.BadParameter):
        value = parse(text)
        numbers = value if isinstance(value, tuple) else (value,)
        assert all(isinstance(n, str) or n is None or math.isfinite(n) for n in numbers)


@given(hours=st.integers(0, 99), minutes=st.integers(0, 59), ms=st.integers(0, 59_999))
def test_a_time_is_the_same_however_it_is_written(hours: int, minutes: int, ms: int) -> None:
    seconds = hours * 3600 + minutes * 60 + ms / 1000
    written = (
        f"{hours}:{minutes:02}:{ms / 1000:06.3f}",
        f"{seconds:.3f}",
        f"{seconds:.3f}s",
        f"{round(1000 * seconds)}ms",
    )
    assert [options.parse_time_s(text) for text in written] == pytest.approx([seconds] * 4)


@given(rate=st.fractions(Fraction(1, 1000), 1000, max_denominator=1001))
def test_a_rate_comes_back_as_it_was_written(rate: Fraction) -> None:
    assert options.parse_rate(str(rate)) == rate


OPTIONS = (
    *("--strength", "--brightness", "--denoise", "--start", "--duration", "--rate", "--crf"),
    *("--codec", "--preset", "--model", "--device", "--compare"),
)


@pytest.mark.slow
@settings(max_examples=60)
@given(option=st.sampled_from(OPTIONS), value=any_text)
def test_whatever_an_option_says_the_answer_is_a_line(option: str, value: str) -> None:
    assert run_command(["enhance", "/no/such/clip.mp4", "/no/such/out.mp4", option, value]) in {
        1,
        2,
    }


@pytest.mark.slow
@settings(max_examples=40)
@given(words=st.lists(any_text, max_size=4))
def test_whatever_a_person_types_the_answer_is_a_status(words: list[str]) -> None:
    assert run_command(["enhance", *(f"/no/such/{word}" for word in words)]) in {1, 2}


# Times --------------------------------------------------------------------------------------------

ticks = st.integers(-(2**40), 2**40)


@given(times=st.lists(st.one_of(st.none(), ticks), min_size=1, max_size=40), damaged=st.booleans())
def test_the_times_of_pictures_rise_and_those_in_order_stay(
    times: list[int | None], damaged: bool
) -> None:
    with av.open("nothing", "w", format="null") as output:
        settling = PresentationTimes(output.add_stream("mpeg4", rate=25), Fraction(1, 25))
    settled = []
    for pts in times:
        picture = av.VideoFrame(16, 16, "gray")
        picture.pts = pts
        if settling.settle(picture, damaged=damaged):
            settled.append((pts, picture.pts))
    found = [after for _, after in settled if after is not None]
    assert len(found) == len(settled) >= 1
    assert all(before < after for before, after in pairwise(found))
    assert len(settled) + settling.dropped == len(times)
    if None not in times and all(a < b for a, b in pairwise(times)):  # type: ignore[operator]
        assert found == times
        assert settling.mended == settling.moved == settling.guessed == 0


@given(
    steps=st.lists(st.integers(1, 100_000), min_size=1, max_size=30),
    reorder=st.integers(0, 2),
    begin=st.integers(0, 1000),
)
def test_decode_times_rise_and_are_never_behind_showing(
    steps: list[int], reorder: int, begin: int
) -> None:
    times = [begin]
    for step in steps:
        times.append(times[-1] + step)
    decoding = DecodeTimes(Fraction(1, 90_000), Fraction(25))
    order = list(times)
    if reorder:  # each picture to which others refer comes before those that are shown before it
        order = times[:1]
        for group in range(1, len(times), reorder + 1):
            some = times[group : group + reorder + 1]
            order += some[-1:] + some[:-1]
    found = []
    for pts in times:
        decoding.expect(pts)
    for number, pts in enumerate(order):
        packet: Packet[Stream] = Packet(b"picture")
        packet.pts, packet.dts = pts, times[max(0, number - 1)] - (number < 1) * 1800
        decoding.set(packet)
        found.append((packet.dts or 0, pts))
    assert all(dts <= pts for dts, pts in found)
    assert all(one[0] < other[0] for one, other in pairwise(found))


@given(times=st.lists(st.one_of(st.none(), ticks), min_size=1, max_size=40))
def test_the_times_of_copied_sound_rise_whatever_they_were(times: list[int | None]) -> None:
    with av.open("nothing", "w", format="null") as output:
        order = PacketOrder(output.add_stream("pcm_s16le", rate=48_000))
    settled = []
    for time in times:
        packet: Packet[Stream] = Packet(b"sound")
        packet.pts = packet.dts = time
        packet.duration = 21
        settled += order.add(packet)
    settled += order.finish()
    found = [packet.dts for packet in settled]
    without_one = next((n for n, time in enumerate(times) if time is not None), len(times))
    assert len(found) == len(times) - without_one  # nothing says when those before it are
    assert all(a is not None and b is not None and a < b for a, b in pairwise(found))


# Texts --------------------------------------------------------------------------------------------

any_words = st.text(
    st.characters(blacklist_categories=("Cs", "Cc"), blacklist_characters="\ufeff"),
    min_size=1,
    max_size=40,
).filter(lambda text: text == text.strip() and bool(text))


@pytest.mark.slow
@pytest.mark.parametrize("suffix", [".mkv", ".mp4"])
@settings(max_examples=12)
@given(title=any_words, artist=any_words)
def test_what_a_file_says_of_itself_is_kept_in_any_script(
    suffix: str, title: str, artist: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder: Path = tmp_path_factory.mktemp("texts")
    said = {"title": title, "artist": artist}
    source = make_clip(folder / f"in{suffix}", Clip(frames=2, metadata=said))
    with av.open(str(source)) as container:
        before = {key.lower(): value for key, value in container.metadata.items()}
    transcode(source, folder / f"out{suffix}")
    with av.open(str(folder / f"out{suffix}")) as container:
        after = {key.lower(): value for key, value in container.metadata.items()}
    assert {key: after.get(key) for key in said} == {key: before.get(key) for key in said} == said
