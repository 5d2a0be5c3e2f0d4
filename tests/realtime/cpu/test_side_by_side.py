"""Two parts of work at once: who does them, in what order, and what becomes of errors."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future

import pytest

from tapetum.realtime.cpu import side_by_side
from tapetum.realtime.cpu.side_by_side import SECOND_THREAD, Cores


@pytest.fixture
def cores() -> Cores:
    return Cores(2)


@pytest.fixture
def busy_cores() -> Iterator[Cores]:
    """Three, of which one is free, but the second thread has something to do."""
    cores, begun, end = Cores(3), threading.Event(), threading.Event()

    def work() -> bool:
        begun.set()
        return end.wait(10)

    def other_stream() -> None:
        with cores.taken():
            cores.side_by_side(lambda: end.wait(10), work)

    other = threading.Thread(target=other_stream)
    other.start()
    assert begun.wait(10)
    yield cores
    end.set()
    other.join()


def name_of_thread() -> str:
    return threading.current_thread().name


def second_of(cores: Cores) -> threading.Thread | None:
    """The thread of the second part; None where it is this one."""
    begun = threading.Event()

    def there() -> threading.Thread:
        begun.set()
        return threading.current_thread()

    with cores.taken():
        _, second = cores.side_by_side(lambda: begun.wait(0.2), there)
    return None if second is threading.current_thread() else second


def test_the_second_is_done_by_a_second_thread_meanwhile(cores: Cores) -> None:
    seconds = [second_of(cores) for _ in range(3)]
    assert seconds[0] is not None
    assert seconds[0].name == SECOND_THREAD
    assert seconds == seconds[:1] * 3


def test_nothing_waits_for_a_busy_second_thread(busy_cores: Cores) -> None:
    for _ in range(3):  # what was offered first is still there
        assert second_of(busy_cores) is None


def test_no_second_thread_takes_a_core_from_another_stream(cores: Cores) -> None:
    with cores.taken():
        assert second_of(cores) is None
        with cores.taken():
            pass
        assert second_of(cores) is None, "one of three has ended"
    assert second_of(cores) is not None


def test_one_core_does_all() -> None:
    cores = Cores(1)
    assert second_of(cores) is None
    assert cores.side_by_side(name_of_thread, name_of_thread) == (name_of_thread(),) * 2


def test_a_second_thread_that_ended_before_it_took_an_offer_is_followed_by_another(
    cores: Cores,
) -> None:
    left = Future[str]()
    cores._offers.put((left, name_of_thread))
    assert second_of(cores) is not None
    assert left.result(10) == SECOND_THREAD


def test_an_error_of_the_second_thread_is_raised_where_it_is_waited_for(cores: Cores) -> None:
    begun = threading.Event()

    def there() -> None:
        begun.set()
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        cores.side_by_side(lambda: begun.wait(10), there)
    assert second_of(cores) is not None, "it goes on"


def test_after_an_error_here_the_second_thread_has_ended(cores: Cores) -> None:
    begun, ended = threading.Event(), threading.Event()

    def here() -> None:
        begun.wait(10)
        raise ValueError("no")

    def there() -> None:
        begun.set()
        time.sleep(0.05)
        ended.set()

    with pytest.raises(ValueError, match="no"):
        cores.side_by_side(here, there)
    assert ended.is_set()


def test_after_an_error_here_nothing_else_is_begun(busy_cores: Cores) -> None:
    def here() -> None:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        busy_cores.side_by_side(here, lambda: pytest.fail("begun"))


def test_an_idle_second_thread_ends_and_another_begins(
    cores: Cores, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(side_by_side, "_IDLE_S", 0.01)
    seconds = []
    for _ in range(2):
        second = second_of(cores)
        assert second is not None
        second.join(10)
        assert not second.is_alive()
        seconds.append(second)
    assert seconds[0] is not seconds[1]
