"""What SIGINT and SIGTERM do to a program."""

from __future__ import annotations

import signal
import threading

from logstreamer.cli.signals import SIGNALS, Stop


def test_a_signal_that_another_thread_gets_ends_the_wait():
    """The kernel may give it to any thread; the main thread's `select` is not interrupted by that."""
    before = [signal.getsignal(number) for number in SIGNALS]
    with Stop() as stop:
        other = threading.Timer(0.2, lambda: signal.pthread_kill(threading.get_ident(), signal.SIGTERM))
        other.start()
        rescue = threading.Timer(5, stop.set)
        rescue.start()

        stop.wait_until_set()

        assert rescue.is_alive(), "it slept on"
        rescue.cancel()
        other.join()
        assert stop.signal is signal.SIGTERM
    assert [signal.getsignal(number) for number in SIGNALS] == before


def test_a_nudge_ends_a_wait_and_stops_nothing():
    """As when a file has ended."""
    with Stop() as stop:
        stop.nudge()
        stop.wait()

        assert not stop.is_set()


def test_a_closed_terminal_asks_to_stop_and_never_ends_at_once():
    """Its SIGHUP comes more than once, and the session's SIGTERM after it."""
    hurried = []
    with Stop(at_once=lambda: hurried.append(True)) as stop:
        signal.raise_signal(signal.SIGHUP)
        assert stop.is_set()
        assert stop.signal is signal.SIGHUP
        signal.raise_signal(signal.SIGHUP)
        signal.raise_signal(signal.SIGTERM)
        signal.raise_signal(signal.SIGHUP)

        assert stop.signal is signal.SIGTERM
    assert not hurried


def test_a_hangup_that_is_ignored_stays_ignored():
    """As nohup asks for."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with Stop() as stop:
            signal.raise_signal(signal.SIGHUP)

            assert not stop.is_set()
    finally:
        signal.signal(signal.SIGHUP, before)
