"""A dark y4m clip for Chromium's fake camera, whose pictures can be told from each other."""

from __future__ import annotations

from pathlib import Path

import numpy as np

WIDTH, HEIGHT, RATE = 320, 180, 10
DARK = 30
"""Luma of the picture, but for its lowest rows."""
BITS = 6
MARK_ROWS = 24
_BLACK, _WHITE = 16, 76


def write_dark_clip(path: Path) -> Path:
    """Write 64 pictures; the lowest rows show their number, most significant bit left."""
    with path.open("wb") as clip:
        clip.write(f"YUV4MPEG2 W{WIDTH} H{HEIGHT} F{RATE}:1 Ip A1:1 C420jpeg\n".encode())
        chroma = bytes([128]) * (WIDTH * HEIGHT // 2)
        for number in range(1 << BITS):
            clip.write(b"FRAME\n" + _luma(number).tobytes() + chroma)
    return path


def _luma(number: int) -> np.ndarray[tuple[int, int], np.dtype[np.uint8]]:
    luma = np.full((HEIGHT, WIDTH), DARK, np.uint8)
    for bit in range(BITS):
        left, right = (WIDTH * (bit + end) // BITS for end in (0, 1))
        is_set = number >> (BITS - 1 - bit) & 1
        luma[-MARK_ROWS:, left:right] = _WHITE if is_set else _BLACK
    return luma


PIXEL_AGE_MS = f"""
(async () => {{
  const canvas = new OffscreenCanvas({WIDTH}, {HEIGHT});
  const pen = canvas.getContext("2d", {{ willReadFrequently: true }});
  const numberIn = (video) => {{
    pen.drawImage(video, 0, 0, {WIDTH}, {HEIGHT});
    const row = pen.getImageData(0, {HEIGHT - MARK_ROWS // 2}, {WIDTH}, 1).data;
    const bit = (index) => row[4 * Math.floor({WIDTH} * (index + 0.5) / {BITS}) + 1];
    const levels = [...Array({BITS}).keys()].map(bit);
    const middle = (Math.max(...levels) + Math.min(...levels)) / 2;
    return levels.reduce((number, level) => 2 * number + (level > middle ? 1 : 0), 0);
  }};
  const captured = new Map();
  const ages = [];
  const follow = (video, seen) => {{
    const shown = (now, metadata) => {{
      seen(numberIn(video), metadata);
      video.requestVideoFrameCallback(shown);
    }};
    video.requestVideoFrameCallback(shown);
  }};
  follow(document.getElementById("original-video"),
    (number, {{ captureTime }}) => captured.set(number, captureTime));
  follow(document.getElementById("enhanced"), (number, {{ expectedDisplayTime }}) => {{
    if (captured.has(number)) ages.push(expectedDisplayTime - captured.get(number));
  }});
  await new Promise((resolve) => setTimeout(resolve, 5000));
  ages.sort((a, b) => a - b);
  return ages[Math.floor(ages.length / 2)];
}})()
"""
"""JavaScript: the median age of the enhanced picture in ms, told by the numbers in the pixels of
the camera's picture and the enhanced one."""
