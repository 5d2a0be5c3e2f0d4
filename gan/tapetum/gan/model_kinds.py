"""The two kinds of model, and the shapes that they have; needs no torch.

A `grid` model maps a thumbnail, RGB in [0, 1], (1, 3, 256, 256), to a bilateral grid
(1, 8, 8, 16, 16). A `unet` model maps RGB in [-1, 1], (1, 3, H, W) with H and W multiples of 16,
to the same shape. It takes the picture as it is, or, if its file says that it has a light, what a
`grid` model made of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Literal, NamedTuple, get_args

Kind = Literal["grid", "unet"]
"""`grid`: real time on a CPU. `unet`: EnlightenGAN's generator, slower and heavier."""
KINDS: tuple[Kind, ...] = get_args(Kind)
"""Also the names of the models that ship, one of each kind."""

Shape = tuple[int, ...]
"""Length of each axis; 0 for what may vary."""
Size = tuple[int, int]
"""Height and width in pixels."""

THUMBNAIL = 256
"""Height and width of the picture that a `grid` network looks at."""
CELLS = 16
"""Rows and columns of a bilateral grid."""
LEVELS = 8
"""Luma levels of a bilateral grid."""
COEFFICIENTS = ("gain", "offset", "m_uu", "m_uv", "m_vu", "m_vv", "c_u", "c_v")
"""Names of a bilateral grid's channels, in order."""
STRIDE = 16
"""Heights and widths that a `unet` network takes are multiples of this: four poolings by 2."""

THUMBNAIL_SHAPE = (1, 3, THUMBNAIL, THUMBNAIL)
"""What a `grid` network takes."""
GRID_SHAPE = (len(COEFFICIENTS), LEVELS, CELLS, CELLS)
"""A bilateral grid: coefficient, luma level, row, column."""
GRID_OUTPUT_SHAPE = (1, *GRID_SHAPE)
"""What a `grid` network gives."""

MARK = "tapetum.generator"
"""Key of an ONNX file's metadata that names the kind."""
LIGHT_MARK = "tapetum.light"
"""Key of an ONNX file's metadata that names the model which makes its input bright."""
LIGHT = "grid"
"""The one model that can be a light: the `grid` that ships."""


def padded_size(height: int, width: int) -> Size:
    """Height and width, each rounded up to a multiple of `STRIDE`."""
    return height + -height % STRIDE, width + -width % STRIDE


class ModelDescription(NamedTuple):
    """What a model is.

    Attributes:
        kind: "grid" or "unet".
        input: what it takes, in words.
        output: what it gives, in words.
        input_shape: of its input, (1, 3, height, width).
        output_shape: of its output.
        light: the model that makes its input bright, `LIGHT`, where there is one.
    """

    kind: Kind
    input: str
    output: str
    input_shape: Shape
    output_shape: Shape
    light: str | None = None

    @property
    def has_grid(self) -> bool:
        """Whether it is a grid, or gets what one made bright."""
        return self.kind == "grid" or self.light is not None

    @property
    def fixed_size(self) -> Size | None:
        """The only height and width that it takes; None for all multiples of `STRIDE`."""
        height, width = self.input_shape[2:]
        return (height, width) if height and width else None

    @property
    def metadata(self) -> dict[str, str]:
        """What an ONNX file says of itself, by which it is known again."""
        light = {} if self.light is None else {LIGHT_MARK: self.light}
        said = {MARK: self.kind, "tapetum.input": self.input, "tapetum.output": self.output}
        return said | light


DESCRIPTIONS: Mapping[Kind, ModelDescription] = {
    "grid": ModelDescription(
        "grid",
        f"picture reduced to {THUMBNAIL}x{THUMBNAIL}, RGB in [0, 1], float32",
        f"bilateral grid of {', '.join(COEFFICIENTS)}; luma level, row, column",
        THUMBNAIL_SHAPE,
        GRID_OUTPUT_SHAPE,
    ),
    "unet": ModelDescription(
        "unet",
        f"picture, RGB in [-1, 1], float32; height and width are multiples of {STRIDE}",
        "picture, RGB in [-1, 1], to be clipped; as large as the input",
        (1, 3, 0, 0),
        (1, 3, 0, 0),
        LIGHT,
    ),
}
"""What Tapetum's own models are."""


def described_network(
    metadata: Mapping[str, str], input_shape: Sequence[int], output_shape: Sequence[int]
) -> ModelDescription | None:
    """Say what a network is: by its metadata, or else by its shapes.

    Args:
        metadata: of its ONNX file.
        input_shape: of its one input; 0 for what may vary.
        output_shape: of its one output; empty where the file does not say it.

    Returns:
        What it is; None where it is of neither kind, or its shapes are not those of its kind.
    """
    marked = metadata.get(MARK)
    if not output_shape:
        is_grid = tuple(input_shape) == THUMBNAIL_SHAPE
        output_shape = GRID_OUTPUT_SHAPE if is_grid else input_shape
    for description in DESCRIPTIONS.values():
        own_shapes = description.input_shape, description.output_shape
        if marked in {description.kind, None} and _fit((input_shape, output_shape), own_shapes):
            known = (given or own for given, own in zip(input_shape, own_shapes[0], strict=True))
            light = metadata.get(LIGHT_MARK)
            return description._replace(input_shape=tuple(known), light=light)
    return None


def _fit(shapes: Iterable[Sequence[int]], wanted: Iterable[Shape]) -> bool:
    """Whether a network's shapes can be the wanted ones."""
    return all(
        len(shape) == len(want)
        and all(a == b or not a or not b for a, b in zip(shape, want, strict=True))
        for shape, want in zip(shapes, wanted, strict=True)
    )
