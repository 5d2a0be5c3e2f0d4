"""How somebody's network takes and gives pictures, as they declare it for `--vs onnxruntime:FILE`.

`onnxruntime:FILE:layout=nhwc:range=0..255:order=bgr` is a network that was trained on OpenCV's
images. What is declared here is done here; a network that needs more has to carry it inside.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tapetum.benchmarks.bench.errors import BenchmarkError
from tapetum.benchmarks.bench.peer_options import chosen

Floats = npt.NDArray[np.float32]

OPTIONS = {
    "layout": "nchw|nhwc",
    "range": "LOW..HIGH",
    "output-range": "LOW..HIGH",
    "order": "rgb|bgr",
    "multiple": "PIXELS",
    "output": "NAME",
}
_RANGE = re.compile(r"(-?\d+(?:\.\d+)?)\.\.(-?\d+(?:\.\d+)?)")


@dataclass(frozen=True)
class PictureFormat:
    """What stands between RGB in [-1, 1] and a network.

    Attributes:
        layout: `nchw`, or `nhwc` with channels last.
        input_range: numbers that stand for black and white in its input.
        output_range: the same in its output.
        order: of the channels, in both.
        multiple: height and width are padded, by reflection, to multiples of this.
        output: the output that is the picture; None is the first.
    """

    layout: str = "nchw"
    input_range: tuple[float, float] = (0.0, 1.0)
    output_range: tuple[float, float] = (0.0, 1.0)
    order: str = "rgb"
    multiple: int = 1
    output: str | None = None

    def packed(self, rgb: Floats) -> Floats:
        """The network's input for a picture.

        Args:
            rgb: (3, H, W) in [-1, 1].

        Returns:
            A float32 batch of one picture in the network's layout, order and range.
        """
        low, high = self.input_range
        picture = rgb if self.order == "rgb" else rgb[::-1]
        height, width = rgb.shape[1:]
        if height % self.multiple or width % self.multiple:
            rows, columns = -height % self.multiple, -width % self.multiple
            picture = np.pad(picture, ((0, 0), (0, rows), (0, columns)), mode="reflect")
        scaled = (picture + 1) * np.float32((high - low) / 2) + np.float32(low)
        if self.layout == "nhwc":
            scaled = scaled.transpose(1, 2, 0)
        return np.ascontiguousarray(scaled[np.newaxis], np.float32)

    def unpacked(self, batch: npt.NDArray[np.generic], height: int, width: int) -> Floats:
        """The picture in the network's output: (3, H, W) in [-1, 1], clipped.

        Raises:
            BenchmarkError: the output has no such picture.
        """
        picture = batch[0] if batch.ndim == 4 else batch
        if self.layout == "nhwc" and picture.ndim == 3:
            picture = picture.transpose(2, 0, 1)
        if picture.ndim != 3 or picture.shape[0] != 3 or picture.shape[1] < height:
            raise BenchmarkError(
                f"the network gave {list(batch.shape)} in layout {self.layout} for a picture of"
                f" {width}x{height}; declare its layout, or name another output"
            )
        low, high = self.output_range
        kept = picture[:, :height, :width].astype(np.float32)
        rgb = (kept - np.float32(low)) * np.float32(2 / (high - low)) - 1
        return np.asarray(np.clip(rgb if self.order == "rgb" else rgb[::-1], -1, 1), np.float32)


def picture_format(peer: str, options: Mapping[str, str]) -> PictureFormat:
    """Read the options of a peer.

    Raises:
        BenchmarkError: a value is none that there is.
    """
    input_range = _range(peer, options.get("range", "0..1"))
    output = options.get("output-range")
    multiple = options.get("multiple", "1")
    if not multiple.isdecimal() or int(multiple) < 1:
        raise BenchmarkError(f"{peer}: multiple is a number of pixels; got {multiple}")
    return PictureFormat(
        layout=chosen(peer, options, "layout", ("nchw", "nhwc")),
        input_range=input_range,
        output_range=input_range if output is None else _range(peer, output),
        order=chosen(peer, options, "order", ("rgb", "bgr")),
        multiple=int(multiple),
        output=options.get("output"),
    )


def _range(peer: str, text: str) -> tuple[float, float]:
    match = _RANGE.fullmatch(text)
    if match is None or float(match[1]) >= float(match[2]):
        raise BenchmarkError(f"{peer}: a range is LOW..HIGH, like -1..1; got {text}")
    return float(match[1]), float(match[2])
