"""kill -9 at random points, on either side and on both: N6, N7, N8."""

from __future__ import annotations

import pytest

from e2e.processes import size, wait_until
from faults.harness import check_exact, check_no_errors, finish, record, wait_copied

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]

KILLS = 4


class Both:
    """A sender and a receiver that are killed while a log grows, and started again."""

    def __init__(self, receiver, send, log, dice, *options: str) -> None:
        self._receiver, self._send, self._log, self._dice, self._options = receiver, send, log, dice, options
        if options:
            receiver.program.stop()
            receiver.begin(*options)
        log.write(1)
        self.sender = send(log.name)
        wait_copied(receiver, log)  # what was never stored begins anew
        log.grow(lines=500)

    def kill(self, *victims: str) -> None:
        """After a random number of bytes; what is written meanwhile has to be caught up with."""
        goal = size(self._receiver.copy(self._log.name)) + self._dice.randrange(1 << 18)
        wait_until(lambda: size(self._receiver.copy(self._log.name)) >= goal, f"byte {goal}")
        for victim in victims:
            (self.sender if victim == "sender" else self._receiver.program).kill()
        grown = self._log.size + self._dice.randrange(1 << 19)
        wait_until(lambda: self._log.size >= grown, "more lines")
        if "receiver" in victims:
            self._receiver.begin(*self._options)
        if "sender" in victims:
            self.sender = self._send(self._log.name)

    def end(self) -> None:
        """Everything arrives, once."""
        wait_copied(self._receiver, self._log)
        self._log.pause()
        finish(self.sender)
        check_exact(self._receiver, self._log.path)
        check_no_errors(self.sender, self._receiver.program)


def test_n06_the_sender_is_killed_at_random_points(receiver, send, log, dice):
    both = Both(receiver, send, log, dice)
    for _ in range(KILLS):
        both.kill("sender")
    both.end()

    assert len(record(receiver).runs) == KILLS + 1


def test_n07_the_receiver_is_killed_at_random_points(receiver, send, log, dice):
    both = Both(receiver, send, log, dice)
    for _ in range(KILLS):
        both.kill("receiver")
    both.end()

    assert len(record(receiver).runs) == 1


@pytest.mark.parametrize("options", [(), ("--fsync",)], ids=["plain", "fsync"])
def test_n08_both_are_killed_at_random_points(receiver, send, log, dice, options):
    """In either order. A loss of power is shown in the store's own tests: a process cannot lose what the kernel has."""
    both = Both(receiver, send, log, dice, *options)
    for _ in range(KILLS):
        victims = ["sender", "receiver"]
        dice.shuffle(victims)
        both.kill(*victims)
    both.end()
