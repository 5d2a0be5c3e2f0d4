"""A dark clip for a browser's fake camera whose pictures are numbered by their own pixels."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

BITS = 6
"""Bits of a number: the clip has 64 pictures, after which it starts anew."""
_STRIP = 0.13
"""Part of the height, at the bottom, that shows the number."""
_BLACK, _WHITE = 16, 76


@dataclass(frozen=True, slots=True)
class NumberedClip:
    """What the camera shows.

    Attributes:
        width: in pixels, even.
        height: in pixels, even.
        rate: pictures a second.
        luma: of the picture, but for the number.
    """

    width: int
    height: int
    rate: int
    luma: int = 30

    def write(self, path: Path) -> Path:
        """Write it as y4m, and return the path."""
        with path.open("wb") as clip:
            header = f"YUV4MPEG2 W{self.width} H{self.height} F{self.rate}:1 Ip A1:1 C420jpeg\n"
            clip.write(header.encode())
            chroma = bytes([128]) * (self.width * self.height // 2)
            for number in range(1 << BITS):
                clip.write(b"FRAME\n" + self._picture(number).tobytes() + chroma)
        return path

    def _picture(self, number: int) -> npt.NDArray[np.uint8]:
        """A picture's luma; the bit that is worth most is on the left."""
        luma = np.full((self.height, self.width), self.luma, np.uint8)
        for bit in range(BITS):
            left, right = (self.width * (bit + end) // BITS for end in (0, 1))
            is_set = number >> (BITS - 1 - bit) & 1
            luma[-round(_STRIP * self.height) :, left:right] = _WHITE if is_set else _BLACK
        return luma


PIXEL_AGES_MS = """
(async () => {
  const bits = 6, width = 96, height = 54;
  const canvas = new OffscreenCanvas(width, height);
  const pen = canvas.getContext("2d", { willReadFrequently: true });
  const numberIn = (video) => {
    pen.drawImage(video, 0, 0, width, height);
    const row = pen.getImageData(0, height - 4, width, 1).data;
    const levels = [...Array(bits).keys()].map((bit) => row[4 * (16 * bit + 8) + 1]);
    const brightest = Math.max(...levels), darkest = Math.min(...levels);
    if (brightest - darkest < 20) return null;
    const middle = (brightest + darkest) / 2;
    return levels.reduce((number, level) => 2 * number + (level > middle ? 1 : 0), 0);
  };
  let over = false;
  const follow = (id, seen) => {
    const video = document.getElementById(id);
    const shown = (now, metadata) => {
      if (over) return;
      const number = numberIn(video);
      if (number !== null) seen(number, metadata);
      video.requestVideoFrameCallback(shown);
    };
    video.requestVideoFrameCallback(shown);
  };
  const captured = new Map();
  const ages = [];
  follow("original-video", (number, { captureTime }) => captured.set(number, captureTime));
  follow("enhanced", (number, { expectedDisplayTime }) => {
    if (captured.has(number)) ages.push(expectedDisplayTime - captured.get(number));
  });
  await new Promise((resolve) => setTimeout(resolve, %d));
  over = true;
  return ages;
})()
"""
"""JavaScript for the page of `tapetum serve` (put in a time in ms by %): the ages of the pictures
that it shows in that time, from the camera's capture to the display, told by their numbers alone.
Numbers 0 and 63, which have only one level, are left out."""

SHOWN_LEVEL = """
(() => {
  const pen = new OffscreenCanvas(1, 1).getContext("2d");
  const video = document.getElementById("enhanced");
  pen.drawImage(video, 0, 0, video.videoWidth, video.videoHeight / 2, 0, 0, 1, 1);
  return pen.getImageData(0, 0, 1, 1).data[1];
})()
"""
"""JavaScript for the same page: green, from 0 to 255, of the picture that comes back, without its
number."""
