"""Makes `dark_room.mp4`: three hand-held shots of a dim room, with sound.

The photos are public-domain ones from scikit-image's wheel (see README.md here); light, camera
and noise are simulated. The same seed gives the same pictures.

    pip install scikit-image av
    python samples/make_sample.py samples/dark_room.mp4
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt
import skimage.data
from scipy import ndimage

Floats = npt.NDArray[np.float64]

WIDTH, HEIGHT, RATE = 640, 360, 25
SAMPLE_RATE = 48000
SHOT_FRAMES = 64
FULL_WELL = 1500
"""Photo-electrons of a white pixel at the simulated high gain."""
READ_NOISE = 3.0
"""Standard deviation of the sensor's read noise, in electrons."""


@dataclass(frozen=True)
class Shot:
    """One photo, filmed.

    Attributes:
        photo: name in `skimage.data`.
        begin: centre (row, column as parts of the photo) and width (part) of the first view.
        end: the same of the last view.
        ambient: how bright the room is at the begin and the end; 1 is daylight.
        lamp: where a warm lamp shines from (row, column, in frame heights) and how strongly.
        lamp_on: the part of the shot at which the lamp is switched on.
    """

    photo: str
    begin: tuple[float, float, float]
    end: tuple[float, float, float]
    ambient: tuple[float, float]
    lamp: tuple[float, float, float] = (0.0, 0.0, 0.0)
    lamp_on: float = 0.0


SHOTS = (
    Shot("coffee", (0.52, 0.46, 0.80), (0.50, 0.54, 0.94), (0.060, 0.022), (-0.2, 1.7, 0.10)),
    Shot("astronaut", (0.34, 0.50, 0.98), (0.32, 0.47, 0.74), (0.030, 0.014), (0.2, -0.3, 0.08)),
    Shot("chelsea", (0.46, 0.56, 0.98), (0.42, 0.50, 0.78), (0.020, 0.010), (0.1, 1.9, 0.12), 0.45),
)


def linear_photo(name: str) -> Floats:
    """A photo as linear light in [0, 1], (H, W, 3)."""
    encoded = np.asarray(getattr(skimage.data, name)(), np.float64)[..., :3] / 255
    return encoded**2.2


def hand_shake(frames: int, generator: np.random.Generator) -> Floats:
    """(frames, 2) offsets in pixels of a hand that holds a camera."""
    steps = generator.normal(size=(frames + 50, 2))
    smooth = ndimage.gaussian_filter1d(steps, 5, axis=0)[25:-25]
    return np.asarray(2.5 * smooth / smooth.std())


def view(photo: Floats, place: Floats, shake: Floats) -> Floats:
    """The (HEIGHT, WIDTH, 3) part of a photo at (row, column, width) as parts of the photo."""
    step = place[2] * photo.shape[1] / WIDTH
    center = place[:2] * photo.shape[:2] + shake * step
    origin = center - step * np.array([HEIGHT, WIDTH]) / 2
    channels = [
        ndimage.affine_transform(
            photo[..., channel], [step, step], origin, (HEIGHT, WIDTH), order=1, mode="nearest"
        )
        for channel in range(3)
    ]
    return np.stack(channels, -1)


def light(shot: Shot, progress: float) -> Floats:
    """(HEIGHT, WIDTH, 3) light that falls on the scene: bluish dusk, and perhaps a lamp."""
    rows, columns = np.mgrid[:HEIGHT, :WIDTH] / HEIGHT
    begin, end = shot.ambient
    ambient = begin * (end / begin) ** progress * np.array([0.85, 0.95, 1.15])
    row, column, power = shot.lamp
    distance = (rows - row) ** 2 + (columns - column) ** 2
    switched = np.clip((progress - shot.lamp_on) * 20, 0, 1) if shot.lamp_on else 1.0
    lamp = switched * power / (1 + 6 * distance)
    vignette = 1 - 0.25 * ((rows - 0.5) ** 2 + (columns - WIDTH / HEIGHT / 2) ** 2)
    return np.asarray(
        (ambient + lamp[..., None] * np.array([1.2, 0.85, 0.5])) * vignette[..., None]
    )


def sensor(scene: Floats, generator: np.random.Generator) -> npt.NDArray[np.uint8]:
    """What a cheap sensor makes of linear light: shot noise, read noise, gamma, 8 bits."""
    electrons = generator.poisson(scene * FULL_WELL) + generator.normal(0, READ_NOISE, scene.shape)
    encoded = np.clip(electrons / FULL_WELL, 0, 1) ** (1 / 2.2)
    return np.rint(255 * encoded).astype(np.uint8)


def pictures(generator: np.random.Generator) -> Iterator[npt.NDArray[np.uint8]]:
    """All frames of the clip, (HEIGHT, WIDTH, 3) uint8 RGB."""
    for shot in SHOTS:
        photo = linear_photo(shot.photo)
        shake = hand_shake(SHOT_FRAMES, generator)
        for index in range(SHOT_FRAMES):
            progress = index / (SHOT_FRAMES - 1)
            eased = (1 - np.cos(np.pi * progress)) / 2
            place = np.array(shot.begin) + eased * (np.array(shot.end) - np.array(shot.begin))
            yield sensor(view(photo, place, shake[index]) * light(shot, progress), generator)


def sound(seconds: float, generator: np.random.Generator) -> npt.NDArray[np.float32]:
    """(2, samples) stereo: a clock that ticks, a music box, and the hiss of the room."""
    times = np.arange(int(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    stereo = 0.002 * generator.normal(size=(2, times.size))
    for beat in np.arange(0, seconds, 0.5):
        since_s = np.maximum(times - beat, 0)
        stereo += 0.08 * np.sin(2 * np.pi * 2100 * since_s) * np.exp(-220 * since_s)
    for index, beat in enumerate(np.arange(0.25, seconds - 0.5, 0.5)):
        pitch_hz = 440 * 2 ** ((0, 4, 7, 12, 9, 7, 4, 2)[index % 8] / 12)
        since_s = np.maximum(times - beat, 0)
        note = np.sin(2 * np.pi * pitch_hz * since_s) * np.exp(-4 * since_s)
        pan = (1 + np.sin(index)) / 2
        stereo += 0.12 * note * np.array([[1 - pan], [pan]])
    return stereo.astype(np.float32)


def make(path: Path, seed: int = 7) -> None:
    """Write the clip."""
    generator = np.random.default_rng(seed)
    seconds = len(SHOTS) * SHOT_FRAMES / RATE
    with av.open(path, "w", options={"movflags": "+faststart"}) as output:
        output.metadata["title"] = "A dim room"
        video = output.add_stream(
            "libx264", RATE, options={"crf": "25", "preset": "slow", "profile": "high"}
        )
        video.width, video.height, video.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        context = video.codec_context
        context.colorspace = context.color_primaries = context.color_trc = 1
        context.color_range = 1
        audio = output.add_stream("aac", SAMPLE_RATE, layout="stereo", bit_rate=80_000)
        for index, picture in enumerate(pictures(generator)):
            rgb = av.VideoFrame.from_ndarray(picture, "rgb24")
            frame = rgb.reformat(format="yuv420p", dst_colorspace=1, dst_color_range=1)
            frame.pts, frame.time_base = index, Fraction(1, RATE)
            output.mux(video.encode(frame))
        samples = av.AudioFrame.from_ndarray(sound(seconds, generator), "fltp", "stereo")
        samples.sample_rate, samples.pts = SAMPLE_RATE, 0
        output.mux(audio.encode(samples))
        output.mux(video.encode())
        output.mux(audio.encode())


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("path", metavar="target", type=Path)
    make(**vars(parser.parse_args()))
