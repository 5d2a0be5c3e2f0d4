"""What a stream's frames tell of its noise over time, by blocks that are followed through them.

They tell how much there is of it, by luma, and of what kind: a sensor leaves as much of it in each
block, about new in each cell; a codec leaves it wider, and in some blocks alone.
"""

from __future__ import annotations

import numpy as np

from tapetum.realtime.cpu.fixed_point import Fixed
from tapetum.realtime.cpu.followed_blocks import BLOCK, follow_blocks
from tapetum.realtime.cpu.noise_histogram import (
    BINS,
    VALUES,
    Bins,
    Counts,
    Deviations,
    of_all_bins,
    quantiles,
)

_BLOCKS = 250
"""Blocks that are followed, about, in one frame."""
_FEWEST = 12
"""Blocks that a bin needs to be believed."""
_KEPT = 0.6
"""Share of what was counted that still counts with the next frame."""
_RESTING = 0.3
"""Blocks that rest, by those that moved, from which they are many: in noise, some seem to move."""
_LOST = 0.25
"""Blocks that are not in the frame before, by all that are followed, from which there was a cut;
or where it goes on, a light that beats."""
_AT_REST, _OF_MOVED = (0.3, 0.7), (0.1, 0.3)
"""Quantiles that count, for noise of a sensor, and for what a codec left, not in all alike."""
_AT_REST_PER_DEVIATION, _OF_MOVED_PER_DEVIATION = (1.05, 1.28), (0.925, 1.09)
"""What these are for noise of deviation 1."""
_NARROW, _WIDE, _MOVED = 0.595, 0.66, 0.01
"""Noise at a quarter of the size by that at half, both by what neighbours differ by: up to which it
is a sensor's, whose colour filters spread it a little, and from which a codec left it. White noise
has 0.5; what is left of texture in blocks that moved adds as much as this."""
_SPREAD = np.array([0.5, 0.9], np.float32)
_ALIKE, _UNLIKE = 2.6, 3.6
"""The second of these quantiles of blocks that rest by the first: up to which it is noise by which
they differ, and from which it is motion that was not seen, of few of them."""
_FULL, _FULL_OF_CODED = (0.3, 0.5), (0.5, 0.8)
"""How full of what differs blocks are that differ at all: up to which it is things that move in a
picture without noise, and from which noise; and the same for what a codec left."""
_UNEXPLAINED = 0.28, 0.38
"""Share of the blocks that moved of which texture does not explain what differs: up to which it may
be texture in all of them, and from which it is noise."""
_FEWEST_OF_FRAME = 40
"""Blocks of one frame that must rest for a surge of noise to be seen."""
_LEAST_SURGE, _MOST_SURGE = 1.3, 4.0
"""How many times as much noise as before is a surge; and is believed at most."""


class NoiseOverTime:
    """What the blocks of one stream differ by from where they came from.

    Attributes:
        surge: how many times as much of it the last frame had as those before, where it is sure to
            be noise: a codec's key frames have more.
    """

    def __init__(self, bins: Bins) -> None:
        """Start with no past.

        Args:
            bins: (256,) by luma.
        """
        self._bins = bins
        self._counts: Counts = np.zeros((2 * BINS, VALUES), np.float32)
        self._widths = np.zeros((2, 4))
        self._shift = np.zeros(2, np.int32)
        self._frames, self._was_lost = 1, False
        self.surge = 1.0

    def measure(self, half: Fixed, last: Fixed) -> None:
        """Follow some blocks into one more frame.

        Args:
            half: (h, w) luma at half size.
            last: that of the frame before, as bright as this one.
        """
        rows, columns = (side // BLOCK for side in half.shape)
        every = max(round(rows * columns / _BLOCKS), 1)
        self._frames += 1
        phase, found = self._frames % every, np.zeros((rows * columns // every + 1, 2), np.int32)
        counts, widths = np.zeros_like(self._counts), np.zeros_like(self._widths)
        many, lost = follow_blocks(
            half, last, self._bins, self._shift, phase, every, found, counts, widths
        )
        self._counts *= np.float32(_KEPT)
        self._widths *= _KEPT
        self.surge = self._surge(counts, widths)
        is_lost = lost >= _LOST * many
        if not is_lost or self._was_lost:  # a cut lasts one frame
            self._counts += counts
            self._widths += widths
        self._was_lost = is_lost
        if many:
            ranked = np.sort(found[:many], axis=0)  # many times quicker than numpy's median
            self._shift = ((ranked[(many - 1) // 2] + ranked[many // 2]) / 2).astype(np.int32)

    def _surge(self, counts: Counts, widths: Deviations) -> float:
        """See `surge`.

        Args:
            counts: (2 BINS, VALUES) of the new frame.
            widths: (2, 4) of it.
        """
        resting, before = counts[:BINS].sum(axis=0), self._counts[:BINS].sum(axis=0)
        many = min(float(resting.sum()), float(before.sum()))
        if many < _FEWEST_OF_FRAME or resting.sum() < _RESTING * counts[BINS:].sum():
            return 1.0
        _, full, different, _ = widths[0].tolist()
        if _spread(resting) > _ALIKE or full < _FULL_OF_CODED[1] * different:
            return 1.0  # some of it moves
        shares = np.full(2, _AT_REST[0], np.float32)
        now, held = quantiles(np.stack([resting, before]), shares)[0].tolist()
        ratio: float = now / held
        return min(ratio, _MOST_SURGE) if ratio >= _LEAST_SURGE else 1.0

    @property
    def tells(self) -> bool:
        """Whether enough blocks differed of late; those that a codec skipped say nothing."""
        return bool(self._widths[:, 2].sum() >= _FEWEST)

    @property
    def width(self) -> float:
        """0 for noise of a sensor, at half size about new in each cell; 1 for what a codec leaves.

        Texture does not change it. It is 1 where nothing tells.
        """
        (rest, many, *_), (moved, others, *_) = self._widths.tolist()
        if max(many, others) < _FEWEST:
            return 1.0
        if many >= _RESTING * others:
            return _ramp(rest / many, _NARROW, _WIDE)
        return _ramp(moved / others - _MOVED, _NARROW, _WIDE)

    @property
    def codedness(self) -> float:
        """1 where blocks differ by what a codec left of noise, 0 where by a sensor's.

        It is 0 too where few of those that rest differ by far more than the others, or most in a
        part of them alone: these move.
        """
        resting, alike = self._counts[:BINS].sum(axis=0), 1.0
        if resting.sum() >= _FEWEST:
            alike = _ramp(_spread(resting), _UNLIKE, _ALIKE)
        return self.width * self._fullness(*_FULL_OF_CODED) * alike

    def deviation(self, coded: float, *, coloured: bool) -> Deviations:
        """(BINS,) of the noise, fixed-point.

        Args:
            coded: how much of it a codec left, from 0 to 1.
            coloured: whether there is noise in chroma, so that what moved differs by noise too, and
                not by texture that turned.
        """
        shares = (_mixed(way, coded) for way in (_AT_REST, _OF_MOVED))
        values, many = quantiles(self._counts, np.repeat([*shares], BINS).astype(np.float32))
        (at_rest, of_moved), (resting, moved) = (each.reshape(2, BINS) for each in (values, many))
        at_rest /= _mixed(_AT_REST_PER_DEVIATION, coded)
        of_moved /= _mixed(_OF_MOVED_PER_DEVIATION, coded)
        if not coloured:
            *_, different, unexplained = self._widths[1].tolist()
            of_moved *= _ramp(unexplained / max(different, 1.0), *_UNEXPLAINED)
        # Where enough blocks rest, these alone count: what moved says less for sure.
        rests = (resting >= _FEWEST) & (resting >= _RESTING * moved)
        deviation, blocks = np.where(rests, (at_rest, resting), (of_moved, moved))
        return of_all_bins(deviation, blocks, _FEWEST) * self._fullness(*_FULL)

    def _fullness(self, none: float, whole: float) -> float:
        """0 where blocks that differ are not full of what differs, 1 where they are."""
        _, full, many, _ = self._widths.sum(axis=0).tolist()
        return _ramp(full / max(many, 1.0), none, whole)


def _spread(resting: Counts) -> float:
    """By how many times the blocks of a (VALUES,) histogram differ that do most, by the middle."""
    middle, end = quantiles(np.stack([resting, resting]), _SPREAD)[0].tolist()
    ratio: float = end / middle
    return ratio


def _mixed(ends: tuple[float, float], share: float) -> float:
    return ends[0] + share * (ends[1] - ends[0])


def _ramp(value: float, none: float, whole: float) -> float:
    """0 up to one value, and 1 from another."""
    return min(max((value - none) / (whole - none), 0.0), 1.0)
