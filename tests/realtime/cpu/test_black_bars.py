"""Bars around a picture: found, left black, and without effect on the picture."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from tapetum.realtime import ColorInfo, Enhancer, Frame, FrameEnhancer, make_enhancer
from tapetum.realtime.cpu.area import Area
from tapetum.realtime.cpu.black_bars import BarFinder
from tapetum.realtime.cpu.circle_of_thumbnail import find_circles
from tapetum.realtime.cpu.picture_circle import CircleFinder
from tapetum.realtime.cpu.picture_of_frame import PictureFinder
from tapetum.realtime.cpu.rgb import Order
from tapetum.realtime.cpu.thumbnail import thumbnail
from tapetum.realtime.cuda.transfer import semi_planar
from tapetum.realtime.media.av_frame import to_av
from tapetum.realtime.media.encoder import repeatable
from tapetum.realtime.media.file_source import FileSource
from tapetum.realtime.protocols import StripEnhancer

HEIGHT, WIDTH = 120, 200
Planes = list[np.ndarray]


def dark_picture(height: int = HEIGHT, width: int = WIDTH) -> Planes:
    """A dark room with a lamp, noise and some colour, limited range."""
    rng = np.random.default_rng(5)
    y, x = np.mgrid[:height, :width]
    room = 24 + 10 * np.sin(x / 17) * np.cos(y / 23)
    lamp = 150 * np.exp(-((x - width / 3) ** 2 + (y - height / 2) ** 2) / 200)
    luma = np.clip(room + lamp + rng.normal(0, 2, (height, width)), 16, 235)
    chroma = [np.full((height // 2, width // 2), level) for level in (124, 133)]
    return [luma.round().astype(np.uint8), *(plane.astype(np.uint8) for plane in chroma)]


def lit_picture(height: int = HEIGHT, width: int = WIDTH) -> Planes:
    """A dark picture that is lit at its ends, where text does not reach."""
    planes = dark_picture(height, width)
    planes[0] = np.maximum(planes[0], 30)
    return planes


def framed(planes: Planes, top: int, left: int, noise: float = 0) -> Planes:
    """A picture in the middle of a black frame."""
    height, width = planes[0].shape
    rng = np.random.default_rng(6)
    black = rng.normal(16, noise, (height + 2 * top, width + 2 * left)).round()
    grey = np.full((black.shape[0] // 2, black.shape[1] // 2), 128)
    whole = [black.clip(0, 255).astype(np.uint8), *(grey.astype(np.uint8) for _ in range(2))]
    whole[0][top : top + height, left : left + width] = planes[0]
    for plane, part in zip(whole[1:], planes[1:], strict=True):
        plane[top // 2 : (top + height) // 2, left // 2 : (left + width) // 2] = part
    return whole


def as_frame(planes: Planes, index: int = 0) -> Frame:
    color = ColorInfo(matrix=1, range=1, primaries=1, transfer=1)
    return Frame(tuple(planes), "yuv420p", pts=index, time_base=Fraction(1, 25), color=color)


def ten_bit(frame: Frame) -> Frame:
    planes = tuple(4 * plane.astype(np.uint16) for plane in frame.planes)
    return replace(frame, planes=planes, format_name="yuv420p10le")


@pytest.fixture
def grid() -> FrameEnhancer:
    return make_enhancer("grid", denoise="off")


@pytest.mark.parametrize("kind", [lambda frame: frame, ten_bit, semi_planar])
@pytest.mark.parametrize(("top", "left"), [(30, 0), (0, 80), (24, 60)], ids=str)
@pytest.mark.parametrize("noise", [0, 1.0])
def test_a_picture_is_the_same_with_bars_and_without(
    kind: Callable[[Frame], Frame], top: int, left: int, noise: float
) -> None:
    picture = dark_picture()
    alone = make_enhancer("grid")(kind(as_frame(picture))).planes
    given = kind(as_frame(framed(picture, top, left, noise)))
    area = Area(top, top + HEIGHT, left, left + WIDTH)
    result = make_enhancer("grid")(given)
    for found, wanted in zip(area.cut(result).planes, alone, strict=True):
        assert (found == wanted).all()
    bars = np.ones(given.planes[0].shape, bool)
    bars[top : top + HEIGHT, left : left + WIDTH] = False
    assert (result.planes[0] == given.planes[0])[bars].all()


def test_text_in_a_bar_does_not_undo_it(grid: FrameEnhancer) -> None:
    planes = framed(dark_picture(), 40, 0)
    planes[0][170:182, 60:140:3] = 220
    finder = BarFinder()
    area = Area(40, 40 + HEIGHT, 0, WIDTH)
    assert finder(as_frame(planes)) == area
    assert (grid(as_frame(planes)).planes[0][170:182] == planes[0][170:182]).all()
    assert finder(as_frame(framed(dark_picture(), 40, 0), 9)) == area


def test_bars_come_and_go_with_the_picture_and_not_with_its_light() -> None:
    finder = BarFinder()
    boxed = framed(dark_picture(), 30, 0)
    filled = dark_picture(HEIGHT + 60)
    area = Area(30, 30 + HEIGHT, 0, WIDTH)
    black = framed(dark_picture(), 30, 0)
    black[0][:], black[1][:], black[2][:] = 16, 128, 128
    shown = [*[filled] * 5, *[boxed] * 5, *[black] * 5, *[boxed] * 5, filled]
    found = [finder(as_frame(planes, index)) for index, planes in enumerate(shown)]
    assert found == [None] * 5 + [area] * 15 + [None]


@pytest.mark.parametrize(("top", "left"), [(30, 0), (0, 40)])
def test_a_picture_that_fades_in_from_black_has_its_bars_as_soon_as_they_are_seen(
    top: int, left: int
) -> None:
    """What its first light shows is no shape of its own: a lamp in the dark of a wider picture."""
    finder, boxed = BarFinder(), framed(lit_picture(), top, left)
    lamp = framed(dark_picture(), top, left)[0].astype(float)
    lamp[lamp < 100] = 16
    found = []
    for index in range(16):
        share = min(index / 10, 1.0)
        light = lamp if index < 3 else boxed[0].astype(float)
        luma = (16 + (light - 16) * share).round().astype(np.uint8)
        found.append(finder(as_frame([luma, *boxed[1:]], index)))
    assert found[6:] == [Area(top, top + HEIGHT, left, left + WIDTH)] * 10, found


def faded(planes: Planes, share: float) -> Planes:
    """A picture with a share of its light."""
    darker = (16 + (planes[0].astype(float) - 16) * share).round().astype(np.uint8)
    return [darker, *planes[1:]]


@pytest.mark.parametrize(("top", "left"), [(30, 0), (0, 40)])
def test_the_first_light_of_a_picture_beside_pure_black_shows_its_bars(top: int, left: int) -> None:
    finder, boxed = BarFinder(), framed(lit_picture(), top, left)
    boxed[0] = np.minimum(boxed[0], 44)
    found = [finder(as_frame(faded(boxed, index / 20), index)) for index in range(8)]
    assert found[2:] == [Area(top, top + HEIGHT, left, left + WIDTH)] * 6, found


def test_a_darker_part_of_a_picture_that_fades_in_is_no_bar() -> None:
    """It is nearly black for a while, but its light comes with that of the rest."""
    finder, room = BarFinder(), dark_picture()
    light = np.full((HEIGHT, WIDTH), 32.0)
    light[:35], light[-35:] = 22, 22
    room[0] = (light + np.random.default_rng(3).normal(0, 2, light.shape)).round().astype(np.uint8)
    found = [finder(as_frame(faded(room, index / 20), index)) for index in range(24)]
    assert found == [None] * 24


@pytest.mark.parametrize(("top", "left"), [(30, 0), (0, 40), (24, 40)])
def test_bars_that_come_again_and_again_are_believed_at_once(top: int, left: int) -> None:
    """As where scenes of other shapes were cut together: no picture is burnt for a while."""
    finder = BarFinder()
    boxed = framed(lit_picture(), top, left)
    filled = lit_picture(HEIGHT + 2 * top, WIDTH + 2 * left)
    area = Area(top, top + HEIGHT, left, left + WIDTH)
    shown = 3 * [*[boxed] * 5, *[filled] * 5]
    found = [finder(as_frame(planes, index)) for index, planes in enumerate(shown)]
    assert found == 3 * [*[area] * 5, *[None] * 5]


def test_what_moves_into_the_picture_and_out_again_is_doubted() -> None:
    """A black wall beside a pan; each time longer than before, it has to stay."""
    finder = BarFinder()
    reaches = [*range(0, 81, 4), *range(80, -1, -4)]
    found = []
    for index, black in enumerate(4 * reaches):
        planes = lit_picture()
        planes[0][:, WIDTH - black :] = 16
        planes[1][:, (WIDTH - black) // 2 :] = planes[2][:, (WIDTH - black) // 2 :] = 128
        found.append(finder(as_frame(planes, index)))
    assert found[-len(reaches) :] == [None] * len(reaches)


def test_a_scene_that_is_merely_dark_at_its_edge_has_no_bar() -> None:
    rng = np.random.default_rng(7)
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    distance = np.hypot((y - HEIGHT / 2) / HEIGHT, (x - WIDTH / 2) / WIDTH) * 2
    for noise in (0, 1, 3):
        light = 60 * np.clip(0.9 - distance, 0, 1) ** 2
        luma = np.clip(16 + light + rng.normal(0, noise, light.shape), 16, 235).round()
        planes = [luma.astype(np.uint8), *dark_picture()[1:]]
        assert BarFinder()(as_frame(planes)) is None


@pytest.mark.parametrize("steps_per_level", [4, 12])
@pytest.mark.parametrize("upright", [False, True])
def test_a_slope_that_rises_from_black_has_no_bar(upright: bool, steps_per_level: int) -> None:
    """All of a line passes the limit of a bar at one place, as at an edge, but without one."""
    slope = np.minimum(22 + np.arange(WIDTH) // steps_per_level, 235).astype(np.uint8)
    luma = np.tile(slope, (WIDTH, 1))
    grey = np.full((WIDTH // 2, WIDTH // 2), 128, np.uint8)
    assert BarFinder()(as_frame([luma.T if upright else luma, grey, grey])) is None


def test_a_coloured_wall_is_no_bar() -> None:
    planes = framed(dark_picture(), 30, 0)
    planes[1][:], planes[2][:] = 145, 140
    assert BarFinder()(as_frame(planes)) is None


def disc(planes: Planes, radius: float) -> Planes:
    """The middle of a picture through a round hole in black."""
    height, width = planes[0].shape
    y, x = np.mgrid[:height, :width] + 0.5
    outside = np.hypot(y - height / 2, x - width / 2) > radius
    cut = [np.where(outside, 16, planes[0]).astype(np.uint8)]
    return cut + [np.where(outside[::2, ::2], 128, plane).astype(np.uint8) for plane in planes[1:]]


def with_text(planes: Planes) -> Planes:
    planes[0][4:12, 4:60:3] = 220
    return planes


def with_noise(planes: Planes) -> Planes:
    rng = np.random.default_rng(8)
    noisy = planes[0] + rng.normal(0, 1, planes[0].shape).round()
    return [noisy.clip(16, 235).astype(np.uint8), *planes[1:]]


@pytest.mark.parametrize(("left", "change"), [(0, None), (60, with_text), (200, with_noise)])
def test_a_round_picture_is_bright_and_its_black_stays(
    left: int, change: Callable[[Planes], Planes] | None
) -> None:
    picture = dark_picture(240, 240)
    alone = make_enhancer("grid")(as_frame(picture)).planes[0]
    planes = framed(disc(picture, 118), 0, left)
    planes = planes if change is None else change(planes)
    result = make_enhancer("grid")(as_frame(planes)).planes[0]
    y, x = np.mgrid[:240, :240] + 0.5
    distance = np.hypot(y - 120, x - 120)
    inside = distance < 116
    bright = result[:, left : left + 240][inside]
    assert abs(float(bright.mean()) - float(alone[inside].mean())) <= 3
    assert np.mean(bright >= 235) - np.mean(alone[inside] >= 235) <= 0.01
    far = np.ones(result.shape, bool)
    far[:, left : left + 240] = distance > 123
    assert (result[far] == planes[0][far]).all()


def test_the_circles_of_two_lenses_are_found() -> None:
    one = disc(dark_picture(240, 240), 116)
    both = [np.concatenate([plane, plane[:, ::-1]], axis=1) for plane in one]
    small = thumbnail(as_frame(both))[0].max(axis=0)
    assert len(find_circles(small, 0.5)) == 2
    result = make_enhancer("grid")(as_frame(both)).planes[0]
    assert float(result[:, 100:140].mean()) > float(both[0][:, 100:140].mean()) + 30
    assert (result[:10, 230:250] == both[0][:10, 230:250]).all()


@pytest.mark.parametrize(("width", "radius"), [(240, 110), (320, 160)])
def test_the_edge_of_a_circle_is_found_behind_traces_of_coding(width: int, radius: int) -> None:
    """The second is cut off above and below, so that its edge is seen in the corners alone."""
    planes = disc(lit_picture(240, width), radius)
    y, x = np.mgrid[:240, :width] + 0.5
    beside = np.hypot(y - 120, x - width / 2) - radius
    planes[0][(beside > 0) & (beside < 7) & ((x + y) % 3 < 1)] = 21
    (circle,) = find_circles(thumbnail(as_frame(planes))[0].max(axis=0), 240 / width)
    apart = np.array(circle[2:]) - (radius * 256 / width, radius * 256 / 240)
    assert np.abs(apart).max() <= 3


@pytest.mark.parametrize("noise", [0, 1, 3])
@pytest.mark.parametrize("slope", [0.2, 0.6])
def test_a_spot_of_light_that_fades_out_is_no_circle(noise: float, slope: float) -> None:
    rng = np.random.default_rng(9)
    y, x = np.mgrid[:HEIGHT, :WIDTH] + 0.5
    light = slope * np.clip(58 - np.hypot(y - HEIGHT / 2, x - WIDTH / 2), 0, None)
    luma = np.clip(16 + light + rng.normal(0, noise, light.shape), 16, 235).round()
    grey = np.full((HEIGHT // 2, WIDTH // 2), 128, np.uint8)
    small = thumbnail(as_frame([luma.astype(np.uint8), grey, grey]))[0].max(axis=0)
    assert find_circles(small, HEIGHT / WIDTH) == ()


@pytest.mark.parametrize("reach_degrees", [15, 20])
def test_an_arch_in_the_dark_is_no_circle(reach_degrees: float) -> None:
    """As a cave at night: light that begins at once along an arch, and fades in all around it."""
    y, x = np.mgrid[:256, :256].astype(np.float32)
    across, up = (x - 110) / 130, (190 - y) / 208
    inwards = 130 * (1 - np.hypot(across, up))
    arch = np.abs(np.degrees(np.arctan2(up, across)) - 35) < reach_degrees
    luma = np.where(arch, 30, 1.1 * inwards)
    light = ((3 + np.where(inwards > 0, luma, 0)) / 255).astype(np.float32)
    assert find_circles(light, 0.625) == ()
    whole = ((3 + np.where(inwards > 0, 30, 0)) / 255).astype(np.float32)
    assert len(find_circles(whole, 0.625)) == 1


def test_half_a_disc_at_the_frames_border_is_no_circle() -> None:
    """Light on a floor, or a hill: a lens's picture is not cut off at its middle."""
    planes = disc(lit_picture(360, 240), 114)
    half = [np.ascontiguousarray(plane[plane.shape[0] // 2 - 4 :]) for plane in planes]
    small = thumbnail(as_frame(half))[0].max(axis=0)
    assert find_circles(small, half[0].shape[0] / 240) == ()
    whole = thumbnail(as_frame(planes))[0].max(axis=0)
    assert len(find_circles(whole, 360 / 240)) == 1


def test_a_circle_is_kept_while_it_is_dark() -> None:
    finder, area = CircleFinder(), Area(0, 240, 0, 240)
    bright, dark = disc(dark_picture(240, 240), 110), disc(dark_picture(240, 240), 110)
    dark[0] = np.where(dark[0] < 40, 16, dark[0]).astype(np.uint8)
    known = finder(thumbnail(as_frame(bright)), area)
    assert known is not None
    assert all(finder(thumbnail(as_frame(dark)), area) == known for _ in range(30))


def test_bars_of_an_image_stay() -> None:
    picture = np.repeat(dark_picture()[0][..., np.newaxis], 3, axis=2) - 16
    image = np.pad(picture, ((0, 0), (60, 60), (0, 0)))
    bright = Enhancer()(image)
    assert (bright[:, 60:-60] == Enhancer()(picture)).all()
    assert not bright[:, :60].any()
    assert not bright[:, -60:].any()


@pytest.mark.parametrize("side", [0, 60])
@pytest.mark.parametrize("order", ["rgb", "bgr"])
@pytest.mark.parametrize("in_place", [False, True])
def test_a_round_image_is_bright_and_its_black_stays(
    side: int, order: Order, in_place: bool
) -> None:
    picture = np.repeat(dark_picture(240, 240)[0][..., np.newaxis], 3, axis=2) - 16
    y, x = np.mgrid[:240, :240] + 0.5
    distance = np.hypot(y - 120, x - 120)
    image = np.where(distance[..., np.newaxis] > 118, 0, picture).astype(np.uint8)
    image = np.pad(image, ((0, 0), (side, side), (0, 0)))
    alone = Enhancer(denoise="off")(picture, order=order)[distance < 116]
    given = image.copy()
    out = given if in_place else None
    bright = Enhancer(denoise="off")(given, order=order, out=out)[:, side : side + 240]
    assert abs(float(bright[distance < 116].mean()) - float(alone.mean())) <= 3
    assert not bright[distance > 123].any()


@pytest.mark.parametrize("kind", ["letterbox", "pillarbox", "circle"])
def test_what_surrounds_a_picture_in_strips_stays(kind: str, grid: FrameEnhancer) -> None:
    """As large photos come: seen small, and then strip by strip."""
    assert isinstance(grid, StripEnhancer)
    picture = dark_picture(240, 240)
    top, left = {"letterbox": (60, 0), "pillarbox": (0, 80), "circle": (0, 20)}[kind]
    planes = framed(disc(picture, 118) if kind == "circle" else picture, top, left)
    whole = as_frame(planes)
    grid.look_at(whole)
    found = []
    for row in range(0, whole.height, 56):
        parts = [plane[row >> (n > 0) : (row + 56) >> (n > 0)] for n, plane in enumerate(planes)]
        strip = grid.enhance_strip(as_frame(parts), top=row, height=whole.height)
        found.append(strip.planes)
    wanted = make_enhancer("grid", denoise="off")(whole).planes
    for joined, plane in zip(map(np.concatenate, zip(*found, strict=True)), wanted, strict=True):
        assert (joined == plane).all()


def subtitled(planes: Planes, *places: int) -> Planes:
    """With lines of text 10 rows high that begin at the places."""
    for row in places:
        planes[0][row : row + 10, 30:170:4] = 230
        planes[0][row + 4, 30:170] = 230
    return planes


def coded(frames: list[Planes], path: Path, crf: int) -> Path:
    """Frames as a video of H.264."""
    options = {"crf": str(crf)} | repeatable("libx264", frames[0][0].shape[1])
    with av.open(str(path), "w") as output:
        stream = output.add_stream("libx264", rate=25, options=options)
        stream.height, stream.width = frames[0][0].shape
        stream.codec_context.thread_count = 1
        for index, planes in enumerate(frames):
            picture = to_av(as_frame(planes, index))
            picture.pts = index
            output.mux(stream.encode(picture))
        output.mux(stream.encode(None))
    return path


def areas_of(path: Path) -> list[Area | None]:
    finder = BarFinder()
    with FileSource(path) as source:
        return [finder(frame) for frame in source]


@pytest.mark.parametrize(
    ("kind", "crf"), [("plain", 20), ("plain", 32), ("window", 32), ("logo", 32), ("subtitles", 20)]
)
def test_bars_of_coarsely_coded_video_are_found(tmp_path: Path, kind: str, crf: int) -> None:
    """Coding leaves traces of the picture in the lines beside it."""
    top, left = 40, 60 if kind == "window" else 0
    shown = framed(dark_picture(), top, left)
    if kind == "subtitles":
        shown = subtitled(shown, HEIGHT + 46, HEIGHT + 60)
    if kind == "logo":
        shown[0][8:26, 150:180] = 150
    areas = areas_of(coded([shown] * 6, tmp_path / "in.mkv", crf))
    wanted = Area(top, top + HEIGHT, left, left + WIDTH)
    apart = np.abs(np.subtract(areas[-1] or (0, 0, 0, 0), wanted))
    assert apart.max() <= 2, areas[-1]


@pytest.mark.parametrize("turned", [False, True])
def test_a_bar_with_a_little_more_noise_than_its_twin_is_one(turned: bool) -> None:
    """The first blocks that a coarse encoder codes are two levels over black."""
    top, left = (0, 40) if turned else (40, 0)
    planes = framed(dark_picture(), top, left)
    border = planes[0][:, :2] if turned else planes[0][:2]
    border[::9] = border[:, ::9] = 18
    assert BarFinder()(as_frame(planes)) == Area(top, top + HEIGHT, left, left + WIDTH)


def test_one_bar_with_traces_of_the_picture_beside_it_is_one() -> None:
    planes = [
        plane[: plane.shape[0] * (HEIGHT + 40) // (HEIGHT + 80)]
        for plane in (framed(lit_picture(), 40, 0))
    ]
    planes = [np.ascontiguousarray(plane[::-1]) for plane in planes]
    planes[0][HEIGHT : HEIGHT + 6, ::12] = 20
    area = BarFinder()(as_frame(planes))
    assert area is not None
    assert abs(area.bottom - HEIGHT) <= 2
    planes[0][HEIGHT + 20, ::12] = 20  # something of the picture far from the edge
    assert BarFinder()(as_frame(planes)) is None


@pytest.mark.parametrize("crf", [20, 30])
@pytest.mark.parametrize("places", [(162, 176), (154,), (172, 8), (4, 22)], ids=str)
@pytest.mark.parametrize("without", [0, 3])
def test_text_in_bars_of_coarsely_coded_video_undoes_none(
    tmp_path: Path, places: tuple[int, ...], crf: int, without: int
) -> None:
    """Two lines of it, or one across the edge, or one in each bar; from the first frame or later.

    Nothing is left of the empty lines by which a bar is told from the picture, but at its ends.
    """
    plain = framed(lit_picture(), 40, 0)
    text = subtitled(framed(lit_picture(), 40, 0), *places)
    areas = areas_of(coded([plain] * without + [text] * 6, tmp_path / "in.mkv", crf))
    for area in areas:
        apart = np.abs(np.subtract(area or (0, 0, 0, 0), (40, 40 + HEIGHT, 0, WIDTH)))
        assert apart.max() <= 4, areas


def test_a_wall_in_the_dark_beside_what_is_lighter_is_no_bar() -> None:
    """Nearly grey, a few levels over black, and ending at an edge: but black has no even light."""
    rng = np.random.default_rng(3)
    luma = rng.normal(24.5, 1.2, (HEIGHT, WIDTH)).clip(17, 26).round()
    luma[:, :110] = rng.normal(34, 3, (HEIGHT, 110)).round()
    chroma = [np.full((HEIGHT // 2, WIDTH // 2), level, np.uint8) for level in (126, 128)]
    find = BarFinder()
    for index in range(30):
        assert find(as_frame([luma.astype(np.uint8), *chroma], index)) is None
    luma[:, 110:] = np.abs(rng.normal(0, 1, (HEIGHT, WIDTH - 110))).round() + 16
    black = [plane.copy() for plane in chroma]
    for plane in black:
        plane[:, 55:] = 128
    assert BarFinder()(as_frame([luma.astype(np.uint8), *black])) is not None


def test_a_dark_wall_at_one_side_is_no_bar() -> None:
    """A bar without a twin is black throughout, not only dark: a wall keeps some light."""
    rng = np.random.default_rng(4)
    planes = lit_picture()
    for level, bar in ((16, True), (18, False)):
        planes[0][:, 150:] = rng.integers(level, level + 2, (HEIGHT, 50))
        for plane in planes[1:]:
            plane[:, 75:] = 128
        assert (BarFinder()(as_frame(planes)) is not None) == bar


@pytest.mark.parametrize("turned", [False, True])
def test_a_light_that_fades_into_steps_of_luma_has_no_bars(turned: bool) -> None:
    height, width = 360, 640
    luma = np.full((height, width), 18, np.uint8)
    luma[::2, :320] = 19  # little light at the left, none at the right
    y, x = np.mgrid[:height, :width]
    wide = np.where(x < 300, 90, 110)
    road = 60 * np.exp(-(((x - 300) / wide) ** 2) - ((y - 230) / 70) ** 2)
    luma = np.maximum(luma, 18 + road.astype(np.uint8))
    planes = [luma, *(np.full((height // 2, width // 2), 128, np.uint8) for _ in range(2))]
    if turned:
        planes = [plane.T.copy() for plane in planes]
    assert BarFinder()(as_frame(planes)) is None


@pytest.mark.parametrize("turned", [False, True])
def test_bars_about_a_picture_that_is_black_at_one_end_are_found(turned: bool) -> None:
    top, left = (0, 40) if turned else (40, 0)
    picture = lit_picture()
    picture[0][:, :30] = 16
    if not turned:
        picture = lit_picture()
        picture[0][:30] = 16
    assert BarFinder()(as_frame(framed(picture, top, left))) == Area(
        top, top + HEIGHT, left, left + WIDTH
    )


@pytest.mark.parametrize("traces", [0, 8, 11])
def test_the_edge_of_a_bar_is_where_the_light_is(traces: int) -> None:
    """Coarse coding leaves weak traces of the picture in up to a block of lines beside it."""
    planes = framed(lit_picture(), 44, 0)
    planes[0][44 - traces : 44, ::2] += 2
    planes[0][44 + HEIGHT : 44 + HEIGHT + traces, ::2] += 2
    assert BarFinder()(as_frame(planes)) == Area(44, 44 + HEIGHT, 0, WIDTH)


def test_a_circle_whose_edge_lies_in_the_corners_alone_is_found() -> None:
    planes = disc(lit_picture(270, 480), 210)
    area = BarFinder()(as_frame(planes))
    assert area is not None
    picture = area.cut(as_frame(planes))
    (circle,) = find_circles(thumbnail(picture)[0].max(axis=0), picture.height / picture.width)
    wanted = 210 * 256 / picture.width, 210 * 256 / picture.height
    assert np.abs(np.array(circle[2:]) - wanted).max() <= 2


@pytest.mark.parametrize(("height", "width", "radius"), [(270, 480, 248), (360, 480, 275)])
def test_a_circle_of_which_small_corners_are_black_is_found(
    height: int, width: int, radius: float
) -> None:
    small = thumbnail(as_frame(disc(lit_picture(height, width), radius)))[0].max(axis=0)
    (circle,) = find_circles(small, height / width)
    apart = np.array(circle[2:]) - (radius * 256 / width, radius * 256 / height)
    assert np.abs(apart).max() <= 2


@pytest.mark.parametrize("crf", [20, 34])
def test_circles_of_coarsely_coded_video_are_found(tmp_path: Path, crf: int) -> None:
    """Coding pulls an ellipse along, but no circle."""
    shown = framed(disc(lit_picture(240, 240), 118), 0, 60)
    finder = PictureFinder()
    with FileSource(coded([shown] * 4, tmp_path / "in.mkv", crf)) as source:
        pictures = [finder(frame) for frame in source]
    for picture in pictures:
        assert picture.circles is not None
        (circle,), area = picture.circles
        height, width = area.bottom - area.top, area.right - area.left
        assert abs((circle.x + 0.5) * width / 256 + area.left - 180) <= 2
        assert abs((circle.y + 0.5) * height / 256 + area.top - 120) <= 2
        assert abs(circle.radius_x * width / 256 - 118) <= 3
        assert abs(circle.radius_y * height / 256 - 118) <= 3


def with_overlay(planes: Planes, kind: str) -> Planes:
    """With what stations, cameras and editors put into bars of 40 rows or 54 columns."""
    luma, height = planes[0], planes[0].shape[0]
    if kind == "logo":
        luma[8:36, 8:36] = 150
    elif kind == "two logos":
        luma[8:36, 8:36] = 150
        luma[-36:-8, -36:-8] = 150
    elif kind == "one above the other":
        luma[8:36, 8:36] = luma[-36:-8, 8:36] = 150
    elif kind == "see-through logo":
        luma[8:36, 8:36] = 36
    elif kind == "stamp":
        luma[0:8, 0:44:2] = luma[-9:-2, -44::2] = 220
    elif kind == "ticker":
        luma[height - 28 : height - 14, np.arange(WIDTH) % 12 < 5] = 220
    return planes


@pytest.mark.parametrize("crf", [20, 32])
@pytest.mark.parametrize(
    ("upright", "kind"),
    [
        (upright, kind)
        for kind in ("logo", "two logos", "one above the other", "see-through logo", "stamp")
        for upright in (False, True)
    ]
    + [(False, "ticker")],
)
def test_what_lies_in_bars_from_the_first_frame_undoes_none(
    tmp_path: Path, upright: bool, kind: str, crf: int
) -> None:
    """A logo in a pillar, a camera's stamp in the corner, a ticker: in much of a bar's lines."""
    top, left = (0, 54) if upright else (40, 0)
    shown = with_overlay(framed(lit_picture(), top, left), kind)
    wanted = Area(top, top + HEIGHT, left, left + WIDTH)
    for area in areas_of(coded([shown] * 4, tmp_path / "in.mkv", crf)):
        apart = np.abs(np.subtract(area or (0, 0, 0, 0), wanted))
        assert apart.max() <= 4, area


@pytest.mark.parametrize(("top", "left"), [(40, 0), (0, 54), (40, 54)])
@pytest.mark.parametrize("lines", [1, 3])
def test_a_thin_frame_around_the_picture_is_none_of_it(top: int, left: int, lines: int) -> None:
    planes = framed(lit_picture(), top, left)
    frame = planes[0][top : top + HEIGHT or None, left : left + WIDTH or None]
    if top:
        frame[:lines] = frame[-lines:] = 140
    if left:
        frame[:, :lines] = frame[:, -lines:] = 140
    area = BarFinder()(as_frame(planes))
    down, across = lines * (top > 0), lines * (left > 0)
    wanted = top + down, top + HEIGHT - down, left + across, left + WIDTH - across
    assert np.abs(np.subtract(area or (0, 0, 0, 0), wanted)).max() <= 1, area


@pytest.mark.parametrize("seed", [3, 25, 98, 115])
def test_a_few_lights_in_the_dark_leave_a_picture_between_bars(seed: int) -> None:
    """These were taken for bars that met: nothing was left of the frame, and that was an error."""
    rng = np.random.default_rng(seed)
    luma = np.full((HEIGHT, WIDTH), 16, np.uint8)
    for _ in range(rng.integers(1, 4)):
        y, x = rng.integers(0, HEIGHT), rng.integers(0, WIDTH)
        height, width = rng.integers(2, 60, 2)
        luma[y : y + height, x : x + width] = rng.integers(19, 60)
    grey = np.full((HEIGHT // 2, WIDTH // 2), 128, np.uint8)
    area = BarFinder()(as_frame([luma, grey, grey])) or Area(0, HEIGHT, 0, WIDTH)
    assert area.bottom - area.top >= HEIGHT / 10
    assert area.right - area.left >= WIDTH / 10


@pytest.mark.parametrize("upright", [False, True])
@pytest.mark.parametrize(("width", "arch"), [(24, 0), (24, 4), (28, 8), (34, 2), (34, 8)])
def test_a_window_in_a_dark_wall_has_no_bars(upright: bool, width: int, arch: int) -> None:
    """Narrower than any picture that bars leave, or with sides that are not straight."""
    side, rows = (WIDTH - width) // 2, 66
    luma = np.full((HEIGHT, WIDTH), 16, np.uint8)
    for row, bent in enumerate((arch * np.sin(np.arange(rows) / rows * np.pi)).round().astype(int)):
        luma[row, side + bent : WIDTH - side - bent] = 60
    luma[rows + 10 :: 9, ::3], luma[100:, 60:150:7] = 18, 21  # what little the room shows
    grey = np.full((HEIGHT // 2, WIDTH // 2), 128, np.uint8)
    planes = [luma, grey, grey] if upright else [plane.T.copy() for plane in (luma, grey, grey)]
    assert BarFinder()(as_frame(planes)) is None


def of_shapes(shapes: list[int], upright: bool) -> list[Area | None]:
    """The areas found of one picture of which bars of so many lines cover more, or less."""
    finder, found = BarFinder(), []
    for index, bar in enumerate(shapes):
        planes = dim_picture()
        for plane, black in zip(planes, (16, 128, 128), strict=True):
            across = plane.T if upright else plane
            lines = bar if plane is planes[0] else bar // 2
            across[:lines] = across[len(across) - lines :] = black
        found.append(finder(as_frame(planes, index)))
    return found


def dim_picture() -> Planes:
    """A picture that is darker around its middle, so that the edge of a bar is not clear."""
    planes = lit_picture()
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    inwards = np.minimum(np.minimum(y, HEIGHT - 1 - y), np.minimum(x, WIDTH - 1 - x))
    planes[0][(inwards < 48) & ((y + x) % 20 > 10)] = 16
    return planes


def bar_of(area: Area | None, upright: bool) -> int:
    return 0 if area is None else area.left if upright else area.top


@pytest.mark.parametrize("upright", [False, True])
def test_bars_that_close_or_open_are_followed(upright: bool) -> None:
    """As where a shot changes its shape little by little: no more than a fifth of a second late."""
    closing = [16] * 8 + [*range(18, 40, 2)] + [40] * 6
    found = [bar_of(area, upright) for area in of_shapes(closing, upright)]
    assert abs(found[-1] - 40) <= 4, found
    late = [max(0, bar - known) for bar, known in zip(closing, found, strict=True)]
    assert max(late) <= 12, found
    opening = closing[::-1]
    found = [bar_of(area, upright) for area in of_shapes(opening, upright)]
    assert abs(found[-1] - 16) <= 4, found


@pytest.mark.parametrize("upright", [False, True])
@pytest.mark.parametrize(("before", "after"), [(16, 40), (40, 16), (16, 24)])
def test_bars_that_become_others_at_once_are_believed_within_a_look(
    upright: bool, before: int, after: int
) -> None:
    found = of_shapes([before] * 8 + [after] * 8, upright)
    bars = [bar_of(area, upright) for area in found]
    assert all(abs(bar - after) <= 4 for bar in bars[12:]), bars


def barred(planes: Planes, top: int, left: int) -> Planes:
    """A picture of which bars cover so many lines at each side."""
    whole = [
        np.full_like(plane, black) for plane, black in zip(planes, (16, 128, 128), strict=True)
    ]
    for new, plane, y, x in zip(
        whole, planes, (top, top // 2, top // 2), (left, left // 2, left // 2), strict=True
    ):
        height, width = plane.shape
        inside = slice(y, height - y), slice(x, width - x)
        new[inside] = plane[inside]
    return whole


@pytest.mark.parametrize("turned", [False, True])
def test_bars_that_become_others_across_are_given_up_within_a_look(turned: bool) -> None:
    """Between pillars the picture does not reach the ends of lines; in a letterbox no text."""
    before, after = ((0, 54), (28, 0)) if turned else ((28, 0), (0, 54))
    finder, picture = BarFinder(), lit_picture()
    picture[0][:] = np.minimum(picture[0], 24)
    shown = [barred(picture, *before)] * 8 + [barred(picture, *after)] * 8
    found = [finder(as_frame(planes, index)) for index, planes in enumerate(shown)]
    for areas, (top, left) in (found[:8], before), (found[11:], after):
        for area in areas:
            apart = np.subtract(area or (0, 0, 0, 0), (top, HEIGHT - top, left, WIDTH - left))
            assert np.abs(apart).max() <= 2, found


@pytest.mark.parametrize("turned", [False, True])
def test_bars_go_where_the_picture_that_comes_is_nearly_black(turned: bool) -> None:
    """As a road at night: nothing of the sky above it is bright, but it is no bar."""
    finder, picture, rng = BarFinder(), lit_picture(), np.random.default_rng(10)
    picture[1][:] = picture[2][:] = 128
    boxed = barred(picture, *((0, 30) if turned else (30, 0)))
    for planes, sky in (boxed, False), (picture, True):
        across = planes[0].T if turned else planes[0]
        across[:30], across[-30:] = rng.integers(16, 20, (2, *across[:30].shape))
        if sky:
            across[:30] = np.where(rng.random(across[:30].shape) < 0.015, 21, 19)
    found = [finder(as_frame(planes, i)) for i, planes in enumerate([boxed] * 8 + [picture] * 10)]
    assert None not in found[:8]
    assert found[-3:] == [None] * 3


@pytest.mark.parametrize("crf", [20, 26])
@pytest.mark.parametrize("side", ["top", "bottom", "left", "right"])
def test_a_bar_without_a_twin_that_holds_text_is_one(tmp_path: Path, side: str, crf: int) -> None:
    """As captions are put below a picture, or beside it."""
    upright = side in {"left", "right"}
    planes = lit_picture(HEIGHT, WIDTH)
    planes = [plane.T if upright else plane for plane in planes]
    bars = zip(planes, (40, 20, 20), (16, 128, 128), strict=True)
    planes = [np.pad(p, ((0, rows), (0, 0)), constant_values=black) for p, rows, black in bars]
    planes[0][-26:-14, 30:-30:4] = planes[0][-20, 30:-30] = 230
    planes = [plane[::-1, ::-1] if side in {"top", "left"} else plane for plane in planes]
    planes = [np.ascontiguousarray(plane.T if upright else plane) for plane in planes]
    height, width = planes[0].shape
    wanted = {
        "top": (40, height, 0, width),
        "bottom": (0, height - 40, 0, width),
        "left": (0, height, 40, width),
        "right": (0, height, 0, width - 40),
    }[side]
    for area in areas_of(coded([planes] * 4, tmp_path / "in.mkv", crf)):
        assert np.abs(np.subtract(area or (0, 0, 0, 0), wanted)).max() <= 2, area


@pytest.mark.parametrize("crf", [20, 32])
@pytest.mark.parametrize("first_column", [0, WIDTH - 20])
def test_a_ticker_in_a_bar_without_a_twin_undoes_none(
    tmp_path: Path, first_column: int, crf: int
) -> None:
    """It runs over all of the bar's length, or has just begun to come in."""
    rng = np.random.default_rng(13)
    letters = np.kron(rng.random((7, 3 * WIDTH)) < 0.4, np.ones((2, 2), bool))
    letters[:, np.arange(6 * WIDTH) % 12 < 3] = False
    shown = []
    for index in range(6):
        planes = [np.concatenate([p, np.full_like(p[: len(p) // 3], 128)]) for p in lit_picture()]
        planes[0][HEIGHT:] = 16
        ticker = planes[0][HEIGHT + 14 : HEIGHT + 28, first_column:]
        ticker[letters[:, 3 * index :][:, : ticker.shape[1]]] = 220
        shown.append(planes)
    for area in areas_of(coded(shown, tmp_path / "in.mkv", crf)):
        assert np.abs(np.subtract(area or (0, 0, 0, 0), (0, HEIGHT, 0, WIDTH))).max() <= 2, area


@pytest.mark.parametrize("turned", [False, True])
def test_text_that_splits_one_bar_of_a_pair_makes_no_narrower_pair(turned: bool) -> None:
    """Black above the text is as wide as the begin of the other bar, which is black altogether."""
    planes = framed(lit_picture(HEIGHT + 80, WIDTH), 24, 0)
    planes[0][-14:-8, np.arange(WIDTH) % 8 < 6] = 220
    wanted = (24, HEIGHT + 104, 0, WIDTH)
    if turned:
        planes, wanted = [p.T.copy() for p in planes], (*wanted[2:], *wanted[:2])
    assert BarFinder()(as_frame(planes)) == Area(*wanted)


@pytest.mark.parametrize("turned", [False, True])
def test_lights_on_black_water_below_a_lit_shore_are_no_text_in_a_bar(turned: bool) -> None:
    """The shore is not straight, or passes into black over some lines."""
    for kind in ("bent", "fading"):
        planes = lit_picture()
        y, x = np.mgrid[:HEIGHT, :WIDTH]
        shore = 84 + (4 * np.sin(x / 9) if kind == "bent" else 0)
        light = np.clip((shore - y) / (1 if kind == "bent" else 12), 0, 1)
        planes[0] = (16 + (planes[0] - 16) * light).astype(np.uint8)
        planes[0][98:108, 40:160:9] = 150
        planes[1][:], planes[2][:] = 128, 128
        planes = [plane.T.copy() for plane in planes] if turned else planes
        assert BarFinder()(as_frame(planes)) is None, kind
