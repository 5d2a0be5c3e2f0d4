"""What a busy server asks of a browser: no more pictures than it can show."""

from __future__ import annotations

from tapetum.realtime.serve.demand import Demand, Wanted

LARGE, SMALL = 1280 * 720, 640 * 360


class Watch:
    """A demand, and a clock that goes on by half a second with each status."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self.demand = Demand(clock=lambda: self.now_s)

    def record(self, fps: float, left_out: float, *, seconds: float, pixels: int = LARGE) -> Wanted:
        for _ in range(round(2 * seconds)):
            self.now_s += 0.5
            self.demand.record(fps, left_out, pixels)
        return self.demand.wanted


def test_where_all_are_shown_all_are_wanted() -> None:
    assert Watch().record(30, 0, seconds=60) == Wanted(None, 1)
    assert Watch().record(28, 2, seconds=60) == Wanted(None, 1)


def test_what_could_not_be_shown_is_no_more_asked_for() -> None:
    watch = Watch()
    assert watch.record(12, 18, seconds=1.5) == Wanted(None, 1)
    assert watch.record(12, 18, seconds=1) == Wanted(15, 1)
    assert watch.record(10, 5, seconds=3) == Wanted(10, 2)
    assert watch.record(8, 2, seconds=60) == Wanted(10, 2)
    assert watch.record(4, 6, seconds=3) == Wanted(5, 2)
    assert watch.record(2, 3, seconds=60) == Wanted(5, 2)


def test_small_pictures_stay_as_large_as_they_are() -> None:
    assert Watch().record(9, 21, seconds=3, pixels=SMALL) == Wanted(10, 1)
    assert Watch().record(4, 26, seconds=3, pixels=SMALL) == Wanted(5, 1)


def test_more_is_asked_for_again_and_less_and_less_often_where_that_does_not_last() -> None:
    watch, waited_s = Watch(), list[float]()
    watch.record(17, 13, seconds=2.5)
    for _ in range(5):
        begun_s = watch.now_s
        while watch.record(20, 0, seconds=0.5) == Wanted(20, 1):
            pass
        waited_s.append(watch.now_s - begun_s)
        assert watch.record(17, 13, seconds=2.5) == Wanted(20, 1)
    assert waited_s == sorted(waited_s)
    assert waited_s[0] < 12
    assert waited_s[-1] > 50


def test_one_bad_moment_changes_nothing() -> None:
    watch = Watch()
    for _ in range(10):
        assert watch.record(10, 20, seconds=1) == Wanted(None, 1)
        assert watch.record(30, 0, seconds=1) == Wanted(None, 1)


def test_bits_go_with_the_pictures() -> None:
    assert [Wanted(rate).share for rate in (None, 60, 15)] == [1, 1, 0.5]
