"""Two parts of work at once: who does them, in what order, and what becomes of errors."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from functools import partial

import pytest

from tapetum.realtime.cpu import side_by_side as module
from tapetum.realtime.cpu.side_by_side import HELPER, side_by_side


@pytest.fixture(autouse=True)
def two_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "usable_cores", lambda: 2)


@pytest.fixture
def busy_helper() -> Iterator[None]:
    """The only helper has something to do."""
    begun, end = threading.Event(), threading.Event()

    def work() -> bool:
        begun.set()
        return end.wait(10)

    other = threading.Thread(target=lambda: side_by_side(lambda: end.wait(10), work))
    other.start()
    assert begun.wait(10)
    yield
    end.set()
    other.join()


def name_of_thread() -> str:
    return threading.current_thread().name


def test_both_are_done_at_once_the_second_by_a_helper() -> None:
    begun = threading.Event()

    def there() -> str:
        begun.set()
        return name_of_thread()

    assert side_by_side(lambda: begun.wait(10), there) == (True, HELPER)


@pytest.mark.usefixtures("busy_helper")
def test_nothing_waits_for_a_busy_helper() -> None:
    me = name_of_thread()
    for _ in range(3):  # what was offered first is still there
        assert side_by_side(name_of_thread, name_of_thread) == (me, me)


def test_one_core_does_one_after_another(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "usable_cores", lambda: 1)
    order: list[str] = []

    def here() -> None:
        time.sleep(0.02)  # time for a helper to begin
        order.append("here")

    def there() -> str:
        order.append("there")
        return name_of_thread()

    assert side_by_side(here, there) == (None, name_of_thread())
    assert order == ["here", "there"]


def test_an_error_of_a_helper_is_raised_where_it_is_waited_for() -> None:
    begun = threading.Event()

    def there() -> None:
        begun.set()
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        side_by_side(lambda: begun.wait(10), there)


def test_after_an_error_here_the_helper_has_ended() -> None:
    begun, ended = threading.Event(), threading.Event()

    def here() -> None:
        begun.wait(10)
        raise ValueError("no")

    def there() -> None:
        begun.set()
        time.sleep(0.05)
        ended.set()

    with pytest.raises(ValueError, match="no"):
        side_by_side(here, there)
    assert ended.is_set()


@pytest.mark.usefixtures("busy_helper")
def test_after_an_error_here_nothing_else_is_begun() -> None:
    def here() -> None:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        side_by_side(here, lambda: pytest.fail("begun"))


def test_a_helper_ends_by_itself_and_another_begins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_IDLE_S", 0.02)
    names = []
    for _ in range(2):
        begun = threading.Event()

        def there(begun: threading.Event = begun) -> threading.Thread:
            begun.set()
            return threading.current_thread()

        _, helper = side_by_side(partial(begun.wait, 10), there)
        names.append(helper.name)
        helper.join(10)
        assert not helper.is_alive()
    assert names == [HELPER, HELPER]
