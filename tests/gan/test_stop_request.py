"""Signals that ask a run to stop."""

from __future__ import annotations

import os
import signal

import pytest

from tapetum.gan.stop_request import StopRequest


def test_the_second_signal_is_not_held_back() -> None:
    with StopRequest() as stop:
        os.kill(os.getpid(), 2)
        assert stop.requested
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), 2)


def test_a_second_hangup_is_held_back_as_the_first() -> None:
    with StopRequest() as stop:
        for _ in range(2):  # a shell that ends sends one, and the kernel another
            os.kill(os.getpid(), signal.SIGHUP)
        assert stop.requested
        assert stop.signal_number == signal.SIGHUP
    assert signal.getsignal(signal.SIGHUP) == signal.SIG_DFL
