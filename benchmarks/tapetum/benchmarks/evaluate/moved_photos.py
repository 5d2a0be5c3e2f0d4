"""Clips whose every motion is known: a photo that is panned, turned, snowed on, faded, ..."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial

import cv2
import numpy as np
import numpy.typing as npt

from tapetum.gan.photos import Photo

HEIGHT, WIDTH = 272, 480
_MARGIN = 80
"""Pixels that a photo is larger on each side, for what comes into view."""
_GAMMA = 2.2

Pictures = Iterator[Photo]
"""(HEIGHT, WIDTH, 3) each."""
Motion = Callable[[Photo, int], Pictures]
"""What makes so many pictures of a photo of `enlarged`."""
_Places = npt.NDArray[np.float32]
_Light = Callable[[int], float | _Places]
"""By frame, relative: of all of it, or (HEIGHT, 1, 1) of each row."""


def enlarged(photo: Photo) -> Photo:
    """A photo made large enough to move in."""
    height, width = photo.shape[:2]
    scale = max((HEIGHT + 2 * _MARGIN) / height, (WIDTH + 2 * _MARGIN) / width)
    size = -(-int(width * scale * 16) // 16), -(-int(height * scale * 16) // 16)
    way = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(photo, size, interpolation=way), np.uint8)


def _panned(photo: Photo, count: int, *, right: float, down: float = 0) -> Pictures:
    """By so many pixels a frame."""
    for step in range(count):
        yield _seen(photo, left=10 + right * step, top=10 + down * step)


def _held(photo: Photo, count: int, *, pixels: float) -> Pictures:
    """As by a hand: its steps are noise, which a filter smooths."""
    steps = np.random.default_rng(1).normal(0, pixels, (count, 2)).astype(np.float32)
    places = cv2.blur(np.cumsum(steps, axis=0), (1, 5))
    for right, down in places:
        yield _seen(photo, left=_MARGIN + right, top=_MARGIN + down)


def _turned(photo: Photo, count: int, *, degrees: float = 0, growth: float = 1) -> Pictures:
    """Around its middle, and made larger, by so much a frame."""
    middle = photo.shape[1] / 2, photo.shape[0] / 2
    for step in range(count):
        matrix = cv2.getRotationMatrix2D(middle, degrees * step, growth**step).astype(np.float64)
        matrix[:, 2] += WIDTH / 2 - middle[0], HEIGHT / 2 - middle[1]
        yield _warped(photo, matrix, cv2.INTER_CUBIC)


def _swaying(photo: Photo, count: int, *, pixels: float, wide: float) -> Pictures:
    """Bent by waves that go on: leaves, by few pixels in short waves, or people."""
    still = _seen(photo, left=_MARGIN, top=_MARGIN)
    down, right = np.mgrid[:HEIGHT, :WIDTH].astype(np.float32)
    inside = np.clip(1.4 - np.hypot(right / WIDTH - 0.5, down / HEIGHT - 0.5) * 2.4, 0, 1)
    for step in range(count):
        across = pixels * inside * np.sin(0.45 * step + right / wide + down / (1.3 * wide))
        along = pixels / 2 * inside * np.sin(0.37 * step + right / wide)
        yield _remapped(still, right + across, down + along)


def _passed(photo: Photo, count: int, *, right: float) -> Pictures:
    """By a round piece of itself, so many pixels a frame."""
    still = _seen(photo, left=_MARGIN, top=_MARGIN)
    down, across = np.mgrid[:HEIGHT, :WIDTH]
    for step in range(count):
        place = 60 + right * step
        piece = _seen(photo, left=2 * _MARGIN - place, top=0)
        share = np.clip(50 - np.hypot(across - place, down - HEIGHT / 2), 0, 1)[..., np.newaxis]
        yield np.rint(still + share * (piece.astype(np.float32) - still)).astype(np.uint8)


def _fallen_through(
    photo: Photo, count: int, *, many: int, tall: float, fast: float, bright: float
) -> Pictures:
    """By snow or rain: streaks so tall that fall so fast, in pixels a frame."""
    still = _seen(photo, left=_MARGIN, top=_MARGIN).astype(np.float32)
    rng, fine = np.random.default_rng(1), 4
    places, speeds = rng.uniform(0, 1, (many, 2)), rng.uniform(0.6, 1.4, many)
    for step in range(count):
        drawn = np.zeros((HEIGHT * fine, WIDTH * fine), np.float32)
        for (x, y), speed in zip(places, speeds, strict=True):
            left = (x * WIDTH + speed * step) % WIDTH
            top = (y * HEIGHT + speed * fast * step) % HEIGHT
            ends = [(left, top), (left + speed, top + speed * tall)]
            first, last = (tuple(int(fine * part) for part in end) for end in ends)
            cv2.line(drawn, first, last, bright, round(fine * (1 if tall > 4 else 2 * speed)))
        share = cv2.resize(drawn, (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA)[..., np.newaxis]
        yield np.rint(still + share * (235 - still)).astype(np.uint8)


def _text(_photo: Photo, count: int, *, down: float) -> Pictures:
    """Light text on a dark ground that scrolls by so many pixels a frame, and no photo."""
    page = np.full((HEIGHT + 300, WIDTH, 3), 25, np.uint8)
    for line in range(40):
        words = f"{line:02d} Noise comes and goes, and letters stay as they are {line * 37 % 91}"
        place = 8, 18 + 15 * line
        cv2.putText(page, words, place, cv2.FONT_HERSHEY_SIMPLEX, 0.42, (210,) * 3, 1, cv2.LINE_AA)
    for step in range(count):
        yield _seen(page, left=0, top=down * step)


def _lit(photo: Photo, count: int, *, moving: Motion, light: _Light) -> Pictures:
    """By a light that changes."""
    for step, picture in enumerate(moving(photo, count)):
        gain = np.power(light(step), 1 / _GAMMA)
        yield np.rint(np.clip(picture * gain, 0, 255)).astype(np.uint8)


def _fade(step: int) -> float:
    return min(0.25 + 0.035 * step, 1)


def _flicker(step: int) -> float:
    return 1.25 if step % 3 == 0 else 1


def _beat(step: int) -> _Places:
    """Of a lamp on an alternating current, which a rolling shutter sees in bands."""
    rows = np.arange(HEIGHT, dtype=np.float32).reshape(-1, 1, 1)
    return np.asarray(1 + 0.12 * np.sin(2 * np.pi * (rows / 90 + 0.31 * step)), np.float32)


def _cut(photo: Photo, count: int) -> Pictures:
    """To what is beside, every ninth frame."""
    for step in range(count):
        yield _seen(photo, left=2 * _MARGIN * (step // 9 % 2), top=_MARGIN)


def _repeated(photo: Photo, count: int) -> Pictures:
    """A pan of which every frame is there twice."""
    for step in range(count):
        yield _seen(photo, left=10 + 3 * (step // 2), top=10)


def _seen(photo: Photo, *, left: float, top: float) -> Photo:
    return _warped(photo, np.array([[1, 0, -left], [0, 1, -top]], np.float64), cv2.INTER_CUBIC)


def _warped(photo: Photo, matrix: npt.NDArray[np.float64], way: int) -> Photo:
    border = cv2.BORDER_REFLECT
    return np.asarray(cv2.warpAffine(photo, matrix, (WIDTH, HEIGHT), flags=way, borderMode=border))


def _remapped(photo: Photo, across: _Places, down: _Places) -> Photo:
    places = across.astype(np.float32), down.astype(np.float32)
    return np.asarray(cv2.remap(photo, *places, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT))


MOTIONS: dict[str, Motion] = {
    "pan, 0.4 pixels a frame": partial(_panned, right=0.4, down=0.2),
    "pan, 1.3 pixels": partial(_panned, right=1.3, down=0.4),
    "pan, 3 pixels": partial(_panned, right=2.7),
    "pan, 4 pixels": partial(_panned, right=4, down=1),
    "held in a hand": partial(_held, pixels=0.6),
    "zoom, 0.3 % a frame": partial(_turned, growth=1.003),
    "zoom, 1 %": partial(_turned, growth=1.01),
    "zoom, 3 %": partial(_turned, growth=1.03),
    "turn, 0.2 degrees a frame": partial(_turned, degrees=0.2),
    "turn, 2 degrees": partial(_turned, degrees=2),
    "people": partial(_swaying, pixels=14, wide=70),
    "leaves": partial(_swaying, pixels=1.2, wide=22),
    "a thing that passes, 1 pixel a frame": partial(_passed, right=0.8),
    "a thing that passes, 7 pixels": partial(_passed, right=7),
    "snow": partial(_fallen_through, many=200, tall=1, fast=3.3, bright=0.75),
    "rain": partial(_fallen_through, many=160, tall=18, fast=16, bright=0.35),
    "heavy rain": partial(_fallen_through, many=300, tall=18, fast=16, bright=0.35),
    "text, 0.3 pixels a frame": partial(_text, down=0.3),
    "text, 2 pixels": partial(_text, down=2),
    "a pan that fades in": partial(_lit, moving=partial(_panned, right=0.8), light=_fade),
    "a lamp that flickers": partial(
        _lit, moving=partial(_swaying, pixels=14, wide=70), light=_flicker
    ),
    "a lamp that beats with the lines": partial(
        _lit, moving=partial(_swaying, pixels=14, wide=70), light=_beat
    ),
    "cuts": _cut,
    "frames that come twice": _repeated,
}
"""By what they are called."""


def motions_of(photos: Sequence[Photo], count: int) -> Iterator[tuple[str, list[Photo]]]:
    """Each motion, by name, of the next of some photos."""
    for number, (name, motion) in enumerate(MOTIONS.items()):
        yield name, list(motion(enlarged(photos[number % len(photos)]), count))
