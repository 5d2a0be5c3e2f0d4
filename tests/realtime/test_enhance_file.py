"""`enhance_file` on real videos, and what it refuses."""

from __future__ import annotations

import os
from pathlib import Path

import av
import numpy as np
import pytest
from support.media import Clip, blank_packet, make_clip
from support.small_clips import write_clip

from tapetum.realtime import (
    DeviceError,
    EnhanceResult,
    FileSource,
    MediaError,
    ModelError,
    Progress,
    Started,
    enhance_file,
    make_enhancer,
)
from tapetum.realtime.aim import Aim

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("no_thread_is_left")]


def frames_of(path: Path) -> list[av.VideoFrame]:
    with av.open(path) as container:
        return list(container.decode(video=0))


def luma_of(path: Path) -> list[float]:
    return [float(frame.to_ndarray(format="gray").mean()) for frame in frames_of(path)]


def test_every_frame_comes_out_brighter_at_its_own_time(
    short_clip: Path, gain_model: Path, tmp_path: Path
) -> None:
    output = tmp_path / "bright.mp4"
    result = enhance_file(short_clip, output, model=gain_model)
    before, after = frames_of(short_clip), frames_of(output)
    assert [frame.time for frame in after] == [frame.time for frame in before]
    for dark, bright in zip(luma_of(short_clip), luma_of(output), strict=True):
        assert bright == pytest.approx(3 * dark, rel=0.05)
    with av.open(output) as container:
        assert len(container.streams.audio) == 1
    assert result.frames == 12
    assert result.intact


def test_the_result_says_what_was_done(short_clip: Path, gain_model: Path, tmp_path: Path) -> None:
    output = tmp_path / "bright.mkv"
    result = enhance_file(short_clip, output, model=gain_model)
    assert isinstance(result, EnhanceResult)
    assert (result.input_path, result.output_path) == (short_clip, output)
    assert result.enhancer == make_enhancer(gain_model).description
    assert result.encoder.startswith("libx264")
    assert (result.width, result.height) == (96, 64)
    assert result.media_s == pytest.approx(0.48)
    assert result.size_bytes == output.stat().st_size
    assert result.fps > 0
    assert result.speed == pytest.approx(result.fps / 25)


def test_callbacks_hear_of_the_start_and_of_every_frame(
    short_clip: Path, gain_model: Path, tmp_path: Path
) -> None:
    starts: list[Started] = []
    steps: list[Progress] = []
    enhance_file(
        short_clip,
        tmp_path / "bright.mp4",
        model=gain_model,
        on_start=starts.append,
        on_progress=steps.append,
    )
    (start,) = starts
    assert start.description.startswith(
        "short.mp4 96x64 yuv420p 25 fps -> bright.mp4 | grid on CPU, OpenVINO "
    )
    assert "| libx264 crf" in start.description
    assert start.total_frames == 12
    assert [step.frames for step in steps] == list(range(1, 13))
    assert steps[-1].eta_s == 0


def test_a_part_of_the_input_is_enhanced(
    short_clip: Path, gain_model: Path, tmp_path: Path
) -> None:
    output = tmp_path / "part.mp4"
    result = enhance_file(short_clip, output, model=gain_model, start_s=0.16, duration_s=0.2)
    assert result.frames == len(frames_of(output)) == 5


@pytest.mark.parametrize(
    ("compare", "size"), [("side-by-side", (192, 64)), ("wipe", (96, 64)), (None, (96, 64))]
)
def test_compare_shows_the_original_on_the_left(
    compare: str | None, size: tuple[int, int], short_clip: Path, gain_model: Path, tmp_path: Path
) -> None:
    output = tmp_path / "compared.mp4"
    result = enhance_file(short_clip, output, model=gain_model, compare=compare)  # type: ignore[arg-type] # parametrized
    first = frames_of(output)[0]
    assert (first.width, first.height) == (result.width, result.height) == size
    luma = first.to_ndarray(format="gray").astype(float)
    left, right = luma[:, : size[0] // 3].mean(), luma[:, -size[0] // 3 :].mean()
    assert right > (2 * left if compare else 0)


@pytest.mark.parametrize("degrees", [0, 90, 180, 270])
def test_a_rotated_video_has_its_original_on_the_left_as_it_is_shown(
    degrees: int, gain_model: Path, tmp_path: Path
) -> None:
    options = {"crf": "12"}
    clip = Clip(frames=3, rotation=(degrees, False) if degrees else None, options=options)
    video = make_clip(tmp_path / "rotated.mp4", clip)
    output = tmp_path / "compared.mp4"
    enhance_file(
        video, output, model=gain_model, strength=0.3, when_dark=False, compare="side-by-side"
    )
    coded = frames_of(output)[0].to_ndarray(format="gray").astype(float)
    shown = np.rot90(coded, degrees // 90)
    middle = shown.shape[1] // 2
    assert shown[:, middle:].mean() > 1.2 * shown[:, :middle].mean()


def test_the_encoder_settings_are_used(short_clip: Path, gain_model: Path, tmp_path: Path) -> None:
    output = tmp_path / "bright.mkv"
    enhance_file(short_clip, output, model=gain_model, codec="libx265", crf=30, preset="ultrafast")
    with av.open(output) as container:
        assert container.streams.video[0].codec_context.name == "hevc"


def test_damaged_packets_are_counted_and_the_rest_is_kept(
    clip_copy: Path, gain_model: Path, tmp_path: Path
) -> None:
    blank_packet(clip_copy, 6)
    result = enhance_file(clip_copy, tmp_path / "bright.mp4", model=gain_model)
    assert not result.intact
    assert result.frames >= 6
    assert result.notices


def test_a_frame_damaged_in_part_is_kept_and_counted(
    sample_clip: Path, gain_model: Path, tmp_path: Path
) -> None:
    data = bytearray(sample_clip.read_bytes())
    with av.open(sample_clip) as container:
        key = next(packet for packet in container.demux(video=0) if packet.is_keyframe)
        position, size = key.pos, key.size
    assert position is not None
    middle = position + size // 2
    data[middle : middle + 40] = bytes(byte ^ 0x5A for byte in data[middle : middle + 40])
    clip = tmp_path / "spotted.mp4"
    clip.write_bytes(data)
    result = enhance_file(clip, tmp_path / "bright.mp4", model=gain_model, duration_s=1)
    assert result.damaged_frames > 0
    assert not result.intact


def test_a_truncated_file_is_enhanced_as_far_as_it_goes(gain_model: Path, tmp_path: Path) -> None:
    whole = tmp_path / "whole.mkv"
    write_clip(whole, frames=100)
    cut = tmp_path / "cut.mkv"
    cut.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    result = enhance_file(cut, tmp_path / "bright.mp4", model=gain_model)
    assert result.truncated
    assert 0 < result.frames < 100


def left_in(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


@pytest.mark.parametrize("name", ["missing.mp4", "empty.mp4", "text.mp4", "folder.mp4"])
def test_an_input_that_is_no_video_leaves_nothing(
    name: str, gain_model: Path, tmp_path: Path
) -> None:
    path = tmp_path / "in" / name
    path.parent.mkdir()
    if name == "empty.mp4":
        path.touch()
    elif name == "text.mp4":
        path.write_text("Dear diary, it was a dark and stormy night.\n" * 50)
    elif name == "folder.mp4":
        path.mkdir()
    with pytest.raises(MediaError, match=name) as caught:
        enhance_file(path, tmp_path / "bright.mp4", model=gain_model)
    assert "\n" not in str(caught.value)
    assert left_in(tmp_path) == {"in"}


def test_a_pipe_is_refused_before_anybody_waits_for_it(gain_model: Path, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe.mp4"
    os.mkfifo(pipe)
    with pytest.raises(MediaError, match=r"pipe\.mp4 is no file"):
        enhance_file(pipe, tmp_path / "bright.mp4", model=gain_model)
    assert left_in(tmp_path) == {"pipe.mp4"}


def test_an_existing_output_is_kept_unless_told_otherwise(
    short_clip: Path, gain_model: Path, tmp_path: Path
) -> None:
    output = tmp_path / "bright.mp4"
    output.write_text("precious")
    with pytest.raises(MediaError, match="exists"):
        enhance_file(short_clip, output, model=gain_model)
    assert output.read_text() == "precious"
    enhance_file(short_clip, output, model=gain_model, overwrite=True)
    assert len(frames_of(output)) == 12


def test_the_input_is_never_overwritten(clip_copy: Path, gain_model: Path) -> None:
    before = clip_copy.read_bytes()
    with pytest.raises(MediaError, match="is the input itself"):
        enhance_file(clip_copy, clip_copy, model=gain_model, overwrite=True)
    assert clip_copy.read_bytes() == before


def test_an_output_folder_must_exist(short_clip: Path, gain_model: Path, tmp_path: Path) -> None:
    with pytest.raises(MediaError, match="does not exist"):
        enhance_file(short_clip, tmp_path / "no" / "bright.mp4", model=gain_model)


def test_an_address_is_no_output(short_clip: Path, gain_model: Path) -> None:
    with pytest.raises(
        MediaError, match=r"^output http://host/out\.mp4 is an address; outputs are"
    ):
        enhance_file(short_clip, "http://host/out.mp4", model=gain_model)


def test_a_photo_is_read_from_no_address(gain_model: Path, tmp_path: Path) -> None:
    with pytest.raises(MediaError, match="photos are read from files; save it first"):
        enhance_file("http://host/photo.jpg", tmp_path / "out.png", model=gain_model)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_read_only_folder_is_refused(short_clip: Path, gain_model: Path, tmp_path: Path) -> None:
    folder = tmp_path / "read-only"
    folder.mkdir(mode=0o500)
    with pytest.raises(MediaError, match="read-only"):
        enhance_file(short_clip, folder / "bright.mp4", model=gain_model)


def test_a_broken_model_leaves_nothing(short_clip: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken.onnx"
    broken.write_bytes(b"\x08\x07broken")
    with pytest.raises(ModelError, match=r"broken\.onnx"):
        enhance_file(short_clip, tmp_path / "bright.mp4", model=broken)
    assert left_in(tmp_path) == {"broken.onnx"}


def test_an_interrupt_leaves_nothing(short_clip: Path, gain_model: Path, tmp_path: Path) -> None:
    def interrupt(progress: Progress) -> None:
        if progress.frames == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        enhance_file(short_clip, tmp_path / "bright.mp4", model=gain_model, on_progress=interrupt)
    assert left_in(tmp_path) == set()


def test_options_out_of_range_are_refused(short_clip: Path, tmp_path: Path) -> None:
    output = tmp_path / "bright.mp4"
    with pytest.raises(ValueError, match="got 3"):
        enhance_file(short_clip, output, strength=3)
    with pytest.raises(ValueError, match="got -1"):
        enhance_file(short_clip, output, start_s=-1)
    with pytest.raises(ValueError, match="got 0"):
        enhance_file(short_clip, output, duration_s=0)
    with pytest.raises(DeviceError, match="NVIDIA"):
        enhance_file(short_clip, output, device="cuda")


def test_light_levels_that_no_longer_hold_are_dropped_with_a_note(tmp_path: Path) -> None:
    display = "G(13250,34500)B(7500,3000)R(34000,16000)WP(15635,16450)L(10000000,1)"
    clip = Clip(
        codec="libx265",
        pixel_format="yuv420p10le",
        color=(9, 1, 9, 16),
        frames=3,
        options={
            "x265-params": f"log-level=none:master-display={display}:max-cll=1000,400",
            "preset": "ultrafast",
        },
    )
    source = make_clip(tmp_path / "in.mp4", clip)
    for strength, level in ((1.0, None), (0.0, (1000, 400))):
        output = tmp_path / f"{strength}.mp4"
        result = enhance_file(source, output, strength=strength, codec="libx265")
        with FileSource(output) as written:
            assert written.info.hdr is not None
            assert written.info.hdr.luminance == (10_000_000, 1)
            assert written.info.hdr.light_level == level
        assert any("MaxCLL" in notice for notice in result.notices) == (level is None)


@pytest.mark.parametrize(("when_dark", "notes"), [(True, 1), (False, 0)])
def test_a_well_lit_video_stays_and_that_is_said(
    tmp_path: Path, gain_model: Path, when_dark: bool, notes: int
) -> None:
    clip = make_clip(tmp_path / "day.mp4", Clip(frames=5))
    result = enhance_file(clip, tmp_path / "out.mp4", model=gain_model, when_dark=when_dark)
    assert sum("it is well lit, and stays as it is" in line for line in result.notices) == notes


def test_a_dark_video_is_not_said_to_be_well_lit(
    sample_clip: Path, tmp_path: Path, gain_model: Path
) -> None:
    """Though an enhancer that served a well-lit one before makes it."""
    day = make_clip(tmp_path / "day.mp4", Clip(frames=5))
    enhancer = make_enhancer(gain_model, aim=Aim())
    for source, notes in ((day, 1), (sample_clip, 0), (day, 1)):
        enhancer.reset()
        result = enhance_file(
            source, tmp_path / "out.mp4", enhancer=enhancer, duration_s=0.2, overwrite=True
        )
        assert sum("well lit" in line for line in result.notices) == notes
