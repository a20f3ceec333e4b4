"""The idle clock by numbers, and the one thread that watches all clocks."""

from __future__ import annotations

import threading

import pytest

from logstreamer.streamers.idle import MAX_THREADS, IdleClock, IdleWatcher

PATIENCE = 20.0


@pytest.fixture
def watcher():
    return IdleWatcher()


def expired(clock: IdleClock, now: float) -> bool:
    return clock.expire(now) is not None


def test_the_clock_runs_from_its_making():
    """N16: a sender that dies at once is noticed too."""
    clock = IdleClock(30.0, 100.0, list)

    assert clock.next_look(100.0) == 130.0
    assert not expired(clock, 129.9)
    assert expired(clock, 130.0)


def test_every_message_starts_it_anew():
    clock = IdleClock(30.0, 100.0, list)

    clock.begin(120.0)
    clock.end(120.0)

    assert not expired(clock, 149.9)
    assert expired(clock, 150.0)


def test_nothing_expires_while_a_message_is_dealt_with_and_the_clock_runs_from_the_end_of_that():
    """N14."""
    clock = IdleClock(30.0, 100.0, list)

    clock.begin(110.0)
    assert not expired(clock, 500.0)
    assert clock.next_look(500.0) == 530.0
    clock.end(510.0)

    assert not expired(clock, 539.9)
    assert expired(clock, 540.0)


def test_it_expires_once():
    clock = IdleClock(30.0, 100.0, list)

    assert expired(clock, 200.0)
    assert not expired(clock, 200.0)
    assert clock.next_look(200.0) is None


def test_a_message_after_the_expiry_is_refused():
    clock = IdleClock(30.0, 100.0, list)
    assert expired(clock, 200.0)

    assert not clock.begin(200.0)


def test_a_stopped_clock_takes_messages_but_never_expires():
    clock = IdleClock(30.0, 100.0, list)
    clock.stop()

    assert clock.begin(110.0)
    clock.end(110.0)
    assert not expired(clock, 500.0)


def test_of_a_message_and_the_expiry_exactly_one_comes_first():
    """N17."""
    for _ in range(300):
        clock = IdleClock(30.0, 100.0, list)
        start, won = threading.Barrier(2), []

        def message(clock=clock, start=start, won=won):
            start.wait()
            if clock.begin(200.0):
                won.append("message")

        thread = threading.Thread(target=message)
        thread.start()
        start.wait()
        if expired(clock, 200.0):
            won.append("expiry")
        thread.join()

        assert len(won) == 1


def test_the_watcher_calls_what_has_expired(watcher):
    called = threading.Event()

    watcher.watch(IdleClock(0.01, watcher._monotonic(), called.set))

    assert called.wait(PATIENCE)


def test_a_hundred_clocks_need_one_thread(watcher):
    """N18."""
    clocks = [IdleClock(1000.0 + number, watcher._monotonic(), list) for number in range(100)]

    for clock in clocks:
        watcher.watch(clock)

    assert watcher.threads == 1
    for clock in clocks:
        watcher.forget(clock)
    assert watcher._heap == []


def test_stopped_clocks_are_swept_out_while_others_run(watcher):
    """Short streams with a long timeout do not pile up."""
    watcher.watch(IdleClock(1000.0, watcher._monotonic(), list))
    for _ in range(1000):
        clock = IdleClock(1000.0, watcher._monotonic(), list)
        watcher.watch(clock)
        watcher.forget(clock)
        assert len(watcher._heap) <= 4


def test_a_call_that_hangs_holds_up_nobody(watcher):
    release, called = threading.Event(), threading.Event()
    now = watcher._monotonic()

    for _ in range(MAX_THREADS - 1):
        watcher.watch(IdleClock(0.001, now, release.wait))
    watcher.watch(IdleClock(0.01, now, called.set))

    assert called.wait(PATIENCE)
    assert watcher.threads <= MAX_THREADS
    release.set()


def test_more_hanging_calls_than_threads_wait_their_turn_and_are_all_made(watcher):
    release, all_called, calls = threading.Event(), threading.Event(), []

    def hang():
        release.wait(PATIENCE)
        calls.append(1)
        if len(calls) == 3 * MAX_THREADS:
            all_called.set()

    for _ in range(3 * MAX_THREADS):
        watcher.watch(IdleClock(0.001, watcher._monotonic(), hang))
    assert watcher.threads <= MAX_THREADS
    release.set()

    assert all_called.wait(PATIENCE)
    assert watcher.threads <= MAX_THREADS


def test_a_call_that_raises_is_logged_and_the_watch_goes_on(watcher, caplog):
    called = threading.Event()

    def fail():
        raise OSError("no")

    watcher.watch(IdleClock(0.001, watcher._monotonic(), fail))
    watcher.watch(IdleClock(0.02, watcher._monotonic(), called.set))

    assert called.wait(PATIENCE)
    assert "ending an idle stream failed" in caplog.text


def test_the_thread_ends_when_there_is_nothing_to_watch(watcher, monkeypatch):
    monkeypatch.setattr("logstreamer.streamers.idle._LINGER", 0.001)
    threads = []

    for _ in range(2):
        called = threading.Event()
        watcher.watch(IdleClock(0.001, watcher._monotonic(), lambda: threads.append(threading.current_thread())))
        watcher.watch(IdleClock(0.01, watcher._monotonic(), called.set))
        assert called.wait(PATIENCE)
        for thread in threads:
            thread.join(PATIENCE)
        assert threads[-1].is_alive() is False


def test_idle_watch_threads_are_daemons(watcher):
    """A stream that nobody ended must not keep the process from exiting."""
    threads, called = [], threading.Event()
    watcher.watch(IdleClock(0.001, watcher._monotonic(), lambda: threads.append(threading.current_thread())))
    watcher.watch(IdleClock(0.01, watcher._monotonic(), called.set))

    assert called.wait(PATIENCE)
    assert [thread.daemon for thread in threads] == [True]
