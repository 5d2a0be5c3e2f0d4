"""How noisy a video is, measured in its own pictures: by luma, for chroma, and how fine-grained.

Over time, small blocks are followed to where they were in the frame before: what differs there is
noise, even in a picture that is full of texture and moves (`noise_over_time`). Over space,
differences between neighbours tell it where the picture is flat. Of each a low quantile counts, and
the smaller of the two measures holds. What rounding to whole levels makes by itself is no noise.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from tapetum.realtime.cpu.compiled import kernel
from tapetum.realtime.cpu.fixed_point import (
    FIXED_BITS,
    TABLE_SHIFT,
    TABLE_SIZE,
    Fixed,
    Samples,
    read_row,
)
from tapetum.realtime.cpu.noise_histogram import (
    BINS,
    UNIT,
    VALUES,
    Bins,
    Counts,
    Deviations,
    even_by_luma,
    luma_bins,
    luma_places,
    of_all_bins,
    quantiles,
    second_difference,
)
from tapetum.realtime.cpu.noise_over_time import NoiseOverTime
from tapetum.realtime.cpu.resting_chroma import RestingChroma
from tapetum.realtime.sample_range import SampleRange

_EVERY_ROW, _EVERY_COLUMN = 16, 3
"""Cells that one frame is looked at in; the next one in other rows."""
_FEWEST = 40
"""Samples that a bin needs to be believed."""
_RISING, _FALLING, _STEADY_KIND, _STEADY_BLOCKS = 0.8, 0.4, 0.2, 0.1
"""Share of a new measure in the one that holds: of more noise, of less, of what kind it is, and of
how blocked a picture is."""
_RESTS = 0.1
"""Share by which a new measure of noise that stays the same differs, at most."""
_MUCH = 0.05
"""Share of the picture that limits the noise of the rest."""
_KEPT = 0.6
"""Share of what was counted that still counts with the next frame."""
_QUANTILE = 0.2
"""What counts of differences over space."""
_PER_DEVIATION, _CODED_PER_DEVIATION, _PER_DEVIATION_IN_BLOCKS = 1.563, 0.39, 0.812
"""What it is for noise of deviation 1: second differences, of white noise, and of a codec's, which
is smooth and of which they see a quarter; and differences within 2x2 samples."""
_LEAST_CHROMA, _LEAST_CODED_CHROMA = 2.0, 3.4
"""Noise of chroma, by what rounding makes, at least; and where a codec left it, here and there."""
_COLOURED = 2.2
"""Noise of chroma, by what rounding makes, from which there is noise in luma too, of a sensor."""
_ROUNDING = 0.289 / 2
"""Deviation of what rounding makes, in levels at half size."""
_UNSEEN, _SEEN, _SEEN_CODED = 1.3, 2.3, 1.7
"""Noise is taken for none up to so many times what rounding makes, and whole from the second on, or
from the third where a codec made it smooth."""
_HIDDEN = 1.5
"""So much more than is measured there is of the noise that a codec made smooth: it lasts, and is
wide."""
_UNSEEN_BRIGHT, _SEEN_BRIGHT = 0.65, 1.1
"""The same for noise that is brightened, in levels of the bright picture."""
_CODED = 8
"""Samples from block to block of the usual codecs; larger ones are some of these."""
_WHOLE, _BLOCKED = 1.25, 1.5
"""Mean step at the edge of such a block, by that within, up to which a picture is whole, and from
which there are blocks."""
_DARK = 0.07
"""Luma up to which blocks are looked for."""
_FAINT, _STARK = 2.0, 5.0
"""What one level of the dark picture becomes of the bright one, in 8-bit levels: from which, and at
which, it is taken for noise."""
_STEP, _MOST_STEP, _MOST_STEP_OVER_TIME = 0.22, 0.35, 0.5
"""Deviation of such noise, in levels; and at most, where a codec left it or nothing but blocks."""
_HIDDEN_STEP = 20.0
"""Of such noise that a codec left so many times what is measured above rounding is not seen."""
_FIRST_MEASURED = 12
_MOST_UNMEASURED = 3
"""After so many frames, all measured, so many are not from one measured to the next."""

Floats = npt.NDArray[np.float32]


class NoiseLevel:
    """The noise of one stream, in fixed-point units of its planes at half size.

    Attributes:
        luma: (256,) deviation by luma, at fixed-point steps of 2**TABLE_SHIFT.
        floor: what rounding makes, which is no noise.
        chroma: (2,) deviation of U and of V over space.
        resting_chroma: (2,) the same over time, or over space where that is more: a codec leaves of
            chroma's noise what neighbours hardly differ by.
        seen: (256,) share of the picture of each luma.
        sure: whether it was ever measured over time: space alone takes texture for noise.
        blocked: 1 where a codec left nothing but blocks, 0 where it left all.
        fineness: deviation at full size by that at half size: 2 for white noise, below 1 for what
            a codec leaves of it.
        coded: 1 where blocks differ by what a codec left of noise, 0 where by a sensor's; and where
            few of those that rest differ by far more than the others, or most in a part of them
            alone: these move.
        rests: whether the last frame that was measured was about as noisy as those before.
    """

    def __init__(self, levels: SampleRange, depth: int) -> None:
        """Start with no past.

        Args:
            levels: which samples are black and white.
            depth: bits of a sample.
        """
        self._place = luma_places(levels, depth)
        self._bins = luma_bins(self._place)
        self._steps_of_bin = np.bincount(self._bins)[self._bins]
        self._one_bin: Bins = np.zeros(TABLE_SIZE, np.uint8)
        self._level = 1 << (FIXED_BITS - depth)
        self.floor = _ROUNDING * self._level
        self._over_time = NoiseOverTime(self._bins)
        self._counts: Counts = np.zeros((2 * BINS + 2, VALUES), np.float32)
        self._frames = 0
        self.seen: Deviations = np.zeros(TABLE_SIZE)
        self._held: Floats = np.full(TABLE_SIZE, self.floor, np.float32)
        self.luma = self._held
        self.chroma: Floats = np.full(2, self.floor, np.float32)
        self.fineness, self.blocked, self.coded = 1.0, 0.0, 0.0
        self.sure, self.rests = False, False
        dark = levels.black + _DARK * levels.luma_span
        self._dark = int(dark * self._level)
        self._edges = np.zeros(_CODED, np.float32)
        self._resting_chroma = RestingChroma()
        self.resting_chroma = self.chroma

    @property
    def whiteness(self) -> float:
        """1 for white noise, 0 for noise as smooth as a codec leaves it."""
        return min(max(self.fineness - 1, 0.0), 1.0)

    def measure(
        self,
        luma: Samples,
        half: Sequence[Fixed],
        last: Fixed | None,
        last_chroma: Sequence[Fixed] = (),
    ) -> None:
        """Take note of one more frame.

        Args:
            luma: at full size.
            half: (h, w) each: Y, U and V at half size.
            last: luma of the frame before at half size, as bright as this one; None if there is
                none.
            last_chroma: its U and V, where they are known in the same light.
        """
        phase = 1 + self._frames * 7 % _EVERY_ROW if self._frames else 1
        every = _EVERY_ROW if self._frames else _EVERY_ROW // 4
        self._frames += 1
        self._counts *= np.float32(_KEPT)
        _count_over_space(half[0], self._bins, phase, every, self._counts[:BINS])
        for number, plane in enumerate(half[1:], 2 * BINS):
            counts = self._counts[number : number + 1]
            _count_over_space(plane, self._one_bin, phase, every, counts)
        self._edges *= np.float32(_KEPT)
        rows, counts = (2 * phase, 2 * every), self._counts[BINS : 2 * BINS]
        _look_into_blocks(luma, self._bins, self._dark, *rows, counts, self._edges)
        blocked = _blocked(self._edges)
        self.blocked += (blocked - self.blocked) * (1 if self._frames == 1 else _STEADY_BLOCKS)
        if last is not None:
            self._over_time.measure(half[0], last)
            if last_chroma:
                self._resting_chroma.measure(half, [last, *last_chroma], self.luma)
        self._publish()

    @property
    def width(self) -> float:
        """See `NoiseOverTime.width`."""
        return self._over_time.width

    def share(self, slope: Floats, *, careful: bool) -> Floats:
        """(256,) how much of the noise is to be taken out, from 0 to 1.

        Args:
            slope: (256,) of the brightening, by luma.
            careful: whether none is where it is not seen, nor while space alone told of it.
        """
        if careful and not self.sure:
            return np.zeros(TABLE_SIZE, np.float32)
        smoothness = 1 - self.whiteness
        whole = _SEEN + (_SEEN_CODED - _SEEN) * smoothness
        noise = (self.luma / self.floor - _UNSEEN) / (whole - _UNSEEN)
        share = np.clip(np.maximum(np.maximum(noise, self.blocked), self._starkness(slope)), 0, 1)
        if careful:
            hidden = np.float32(1 + _HIDDEN * smoothness)
            share *= share_seen(self.deviation(slope) * hidden, slope)
        shares: Floats = share.astype(np.float32)
        return shares

    def deviation(self, slope: Floats, *, over_time: bool = False) -> Floats:
        """(256,) of what is taken for noise: single levels too, where brightening makes them stark.

        A sensor's noise of less than a level comes and goes by whole ones, few of them at a time,
        of which the calm half of the picture tells nothing.

        Args:
            slope: (256,) of the brightening, by luma.
            over_time: whether for what is compared with the past, where it may be taken for more
                than where neighbours are smoothed: there, texture would go.
        """
        hidden = np.float32(_HIDDEN_STEP * self.coded) * (self.luma - np.float32(self.floor))
        most = _MOST_STEP_OVER_TIME if over_time else _MOST_STEP
        least = max(_STEP, most * self.blocked)
        step = np.clip(self.luma + hidden, least * self._level, most * self._level)
        deviation: Floats = np.maximum(self.luma, self._starkness(slope) * step).astype(np.float32)
        return deviation

    def _starkness(self, slope: Floats) -> Floats:
        """(256,) how stark single levels become, from 0 to 1."""
        step = slope * self._level / (1 << (FIXED_BITS - 8))
        stark: Floats = np.clip((step - _FAINT) / (_STARK - _FAINT), 0, 1)
        return stark

    def _publish(self) -> None:
        """Make deviations of what was counted, and lay the bins out by luma."""
        over_time = self._over_time
        if over_time.tells:
            self.coded += _STEADY_KIND * (over_time.codedness - self.coded)
        coded, anew = self.coded, self._frames == 1
        values, many = quantiles(self._counts, np.full(len(self._counts), _QUANTILE, np.float32))
        deviation, block = values[:-2].reshape(2, BINS)
        counts, in_blocks = many[:-2].reshape(2, BINS)
        chroma = values[-2:] / _PER_DEVIATION
        deviation /= _PER_DEVIATION + coded * (_CODED_PER_DEVIATION - _PER_DEVIATION)
        if over_time.tells:
            anew |= not self.sure  # what space alone told is no past of what time does
            self.sure = True
            coloured = bool(chroma.max() > _COLOURED * self.floor)
            deviation = np.minimum(deviation, over_time.deviation(coded, coloured=coloured))
        deviation = np.maximum(of_all_bins(deviation, counts, _FEWEST), self.floor)
        deviation = even_by_luma(deviation, counts >= _MUCH * counts.sum())
        block = of_all_bins(block / _PER_DEVIATION_IN_BLOCKS, in_blocks, _FEWEST)
        bins, weights = np.arange(BINS), counts / max(counts.sum(), 1)
        luma = np.interp(self._place, bins, deviation).astype(np.float32)
        self.seen = counts[self._bins] / self._steps_of_bin
        self.seen /= max(self.seen.sum(), 1)
        change = float(np.abs(luma - self._held).mean())
        self.rests = change < _RESTS * float(self._held.mean()) and over_time.surge == 1
        if over_time.tells or not self.sure:  # what was told over time holds until told again
            share = np.where(luma > self._held, np.float32(_RISING), np.float32(_FALLING))
            self._held += (1 if anew else share) * (luma - self._held)
        self.luma = self._held * np.float32(over_time.surge)
        half = float((deviation * weights).sum())
        self._publish_chroma(chroma, half)
        fineness = min(float((block * weights).sum()) / max(half, self.floor), 2.0)
        self.fineness += (1 if anew else _STEADY_KIND) * (fineness - self.fineness)

    def _publish_chroma(self, over_space: Deviations, luma: float) -> None:
        least = _LEAST_CHROMA + self.coded * (_LEAST_CODED_CHROMA - _LEAST_CHROMA)
        self.chroma = np.maximum(over_space, least * self.floor).astype(np.float32)
        over_time = self._resting_chroma.deviation(luma).astype(np.float32)
        self.resting_chroma = np.maximum(self.chroma, over_time) * np.float32(self._over_time.surge)


class MeasuredFrames:
    """In which frames noise is measured: all, or few once it is known, where time is short.

    Attributes:
        in_a_row: whether the frame before that which is measured was too.
    """

    def __init__(self, *, sparing: bool) -> None:
        self._sparing = sparing
        self._frames = self._unmeasured = 0
        self.in_a_row = False

    def __call__(self, noise: NoiseLevel) -> bool:
        """Whether it is measured in the next frame."""
        self._frames += 1
        is_known = self._frames > _FIRST_MEASURED and noise.rests
        if self._sparing and is_known and self._unmeasured < _MOST_UNMEASURED:
            self._unmeasured += 1
            return False
        self.in_a_row = self._frames > 1 and self._unmeasured == 0
        self._unmeasured = 0
        return True


def share_seen(noise: Floats, slope: Floats) -> Floats:
    """(256,) how much of a noise at half size is seen in the bright picture, from 0 to 1."""
    seen = noise * slope * np.float32(1 / (1 << (FIXED_BITS - 8)))
    share: Floats = np.clip((seen - _UNSEEN_BRIGHT) / (_SEEN_BRIGHT - _UNSEEN_BRIGHT), 0, 1)
    return share


def _blocked(edges: Floats) -> float:
    """How blocked a picture is, from 0 to 1, by its steps at each of `_CODED` places."""
    ratio = float(edges.max()) / max(float(np.sort(edges)[_CODED // 2]), 1e-3)
    return min(max((ratio - _WHOLE) / (_BLOCKED - _WHOLE), 0.0), 1.0)


@kernel
def _count_over_space(plane: Fixed, bins: Bins, phase: int, every: int, counts: Counts) -> None:
    """Second differences, down in three columns and across in three rows, of some cells."""
    height, width = plane.shape
    top = np.int32(VALUES - 1)
    for row in range(phase, height - 1, every):
        above, here, below = plane[row - 1], plane[row], plane[row + 1]
        for x in range(1, width - 1, _EVERY_COLUMN):
            total = np.int32(0)
            for column in range(x - 1, x + 2):
                total += second_difference(above[column], here[column], below[column])
            for line in (above, here, below):
                total += second_difference(line[x - 1], line[x], line[x + 1])
            counts[bins[here[x] >> TABLE_SHIFT], min(total // np.int32(6 * UNIT), top)] += 1


@kernel
def _look_into_blocks(  # noqa: PLR0917 - numba takes no keyword-only arguments
    luma: Samples, bins: Bins, dark: int, phase: int, every: int, counts: Counts, edges: Floats
) -> None:
    """Count differences within 2x2 samples of some rows, and add dark steps from column to column.

    A step of over two levels counts as two: it may be an edge of the picture.

    Args:
        luma: at full size.
        bins: by luma.
        dark: luma up to which steps are added.
        phase: the first row.
        every: so many rows there are to each that is looked at.
        counts: (BINS, values) added to.
        edges: (8,) added to: the steps to columns of each place in a block.
    """
    rows, steps = np.empty((2, luma.width), np.int16), np.zeros(_CODED, np.int32)
    top, most = np.int32(VALUES - 1), np.int32(2 << luma.fraction)
    upper, lower = rows[0], rows[1]
    for row in range(phase, luma.height - 1, every):
        read_row(luma, row, upper)
        read_row(luma, row + 1, lower)
        for x in range(0, luma.width - 1, 2 * _EVERY_COLUMN):
            a, b = np.int32(upper[x]), np.int32(upper[x + 1])
            c, d = np.int32(lower[x]), np.int32(lower[x + 1])
            total = abs(a - b) + abs(c - d) + abs(a - c) + abs(b - d)
            counts[bins[a >> TABLE_SHIFT], min(total // np.int32(4 * UNIT), top)] += 1
        for x in range(1, luma.width):
            step = min(abs(np.int32(upper[x]) - np.int32(upper[x - 1])), most)
            steps[x % _CODED] += step if upper[x] < dark else np.int32(0)
    for place in range(_CODED):
        edges[place] += np.float32(steps[place])
