"""A state machine plays files, both ends, the wire and every fault of it, in any order.

Hypothesis finds short stories and shrinks them; a plain random player tells longer ones, in which bytes flow.
"""

from __future__ import annotations

import random
from collections import deque

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from logstreamer.protocol.frames import Data, Frame
from logstreamer.protocol.receiver import ReceiverState
from logstreamer.protocol.sender import Positioned, SenderState
from protocol.pair import ProtocolPair

TICKS = 60
"""More than enough once the faults stop, and one for each byte and segment, should the window take but one: what is
still on the wire may cost a few connections, backoffs and timeouts."""

FAULTS = ("lose", "double", "swap", "cut", "receiver", "sender", "handler", "window", "time")
LARGEST_WINDOW = 60

windows = st.integers(1, LARGEST_WINDOW)
few = st.integers(1, 6)
places = st.integers(0, 1 << 16)  # taken modulo what there is
directions = st.sampled_from(["to_receiver", "to_sender"])


def may(fault: str):
    """A rule that only runs where this example has *fault*: with all of them at once hardly a byte would arrive."""
    return precondition(lambda self: fault in self.faults)


class FaultMachine(RuleBasedStateMachine):
    """Whatever happens: delivered is a prefix of written, and equal to it at the end."""

    @initialize(
        window=windows,
        forgetful=st.booleans(),
        idle_timeout=st.sampled_from([0.0, 4.0, 30.0]),
        faults=st.sets(st.sampled_from(FAULTS), max_size=4),
    )
    def begin(self, window: int, forgetful: bool, idle_timeout: float, faults: set[str]) -> None:
        self.faults = faults
        self.pair = ProtocolPair(window=window, forgetful=forgetful, idle_timeout=idle_timeout, opened=False)
        self.pair.connect(0.0)
        self.harmed = False  # frames were lost, doubled or swapped on this connection
        self.acked = 0
        self.positions = 0

    def step(self, name: str, *args: object) -> None:
        healthy = self.pair.guarded(name, *args)
        # A connection that only dies, however often, gives nobody a reason to complain.
        assert healthy or self.harmed, self.pair.errors[-1]
        if not healthy:
            self.harmed = False

    # -- the file

    @rule(data=st.binary(min_size=1, max_size=40))
    def file_grows(self, data: bytes) -> None:
        if not self.pair.source.stopped:
            self.pair.source.written += data

    @rule()
    def file_rotates(self) -> None:
        if not self.pair.source.stopped:
            self.pair.source.marks.append(len(self.pair.source.written))

    @rule(times=few, most=st.integers(1, 30))
    def sender_reads(self, times: int, most: int) -> None:
        for _ in range(times):
            self.pair.source.feed(self.pair.sender, most, self.pair.now)

    @precondition(lambda self: len(self.pair.source.written) > 50)
    @rule()
    def stop(self) -> None:
        self.pair.source.stopped = True
        self.sender_reads(times=6, most=LARGEST_WINDOW)

    # -- the wire

    @rule(count=few)
    def deliver(self, count: int) -> None:
        for _ in range(count):
            self.step("deliver", Frame, 1)

    @rule(count=few)
    def answer(self, count: int) -> None:
        for _ in range(count):
            self.step("answer", Frame, 1)

    @rule()
    def exchange(self) -> None:
        if not self.pair.connected:
            self.pair.connect(self.pair.now)
        self.step("exchange", self.pair.now)

    @may("cut")
    @rule()
    def cut(self) -> None:
        self.pair.cut()
        self.harmed = False

    @may("lose")
    @rule(direction=directions, at=places)
    def lose(self, direction: str, at: int) -> None:
        wire = self.wire(direction)
        if wire:
            del wire[at % len(wire)]
            self.harmed = True

    @may("double")
    @rule(direction=directions, at=places, to=places)
    def double(self, direction: str, at: int, to: int) -> None:
        wire = self.wire(direction)
        if wire:
            at %= len(wire)
            wire.insert(at + to % (len(wire) - at + 1), wire[at])
            self.harmed = True

    @may("swap")
    @rule(direction=directions, at=places)
    def swap(self, direction: str, at: int) -> None:
        wire = self.wire(direction)
        if len(wire) > 1:
            at %= len(wire) - 1
            wire[at], wire[at + 1] = wire[at + 1], wire[at]
            self.harmed = True

    def wire(self, direction: str) -> deque[bytes]:
        self.pair.send()
        return self.pair.to_receiver if direction == "to_receiver" else self.pair.to_sender

    # -- the receiver

    @rule(most=st.integers(1, 50))
    def write(self, most: int) -> None:
        self.pair.write(most)

    @may("receiver")
    @rule()
    def receiver_restarts(self) -> None:
        self.pair.restart_receiver()
        self.harmed = False

    @may("handler")
    @rule(ready=st.booleans())
    def handler_comes_or_goes(self, ready: bool) -> None:
        self.pair.ready = ready

    @may("window")
    @rule(window=windows)
    def next_window(self, window: int) -> None:
        self.pair.window = window

    # -- the sender, and time

    @may("sender")
    @rule()
    def sender_restarts(self) -> None:
        if self.pair.sender.state is not SenderState.DONE:
            self.pair.restart_sender()
            self.acked = 0
            self.harmed = False

    @rule(seconds=st.sampled_from([0.05, 0.5, 2.5, 5.0]))
    def time_passes(self, seconds: float) -> None:
        self.pair.tick(self.pair.now + seconds)

    @may("time")
    @rule(seconds=st.sampled_from([12.0, 45.0]))
    def much_time_passes(self, seconds: float) -> None:
        self.pair.tick(self.pair.now + seconds)

    # -- what always holds

    @invariant()
    def delivered_is_a_prefix_of_written(self) -> None:
        assert self.pair.source.written.startswith(self.pair.delivered_bytes)

    @invariant()
    def segments_come_in_order_and_once(self) -> None:
        marks = self.pair.store.marks
        assert [mark.index for mark in marks] == list(range(len(marks)))
        assert [mark.offset for mark in marks] == self.pair.source.marks[: len(marks)]
        assert [mark.source for mark in marks] == [f"file-{index}" for index in range(len(marks))]

    @invariant()
    def acks_never_go_back_nor_pass_what_was_sent(self) -> None:
        assert self.pair.acks == sorted(self.pair.acks)
        window = self.pair.sender.window
        assert window.acked <= window.sent
        positions = sum(isinstance(event, Positioned) for event in self.pair.events)
        assert window.acked >= self.acked or positions > self.positions
        self.acked, self.positions = window.acked, positions

    @invariant()
    def in_flight_stays_within_the_window(self) -> None:
        assert not any("in flight" in error for error in self.pair.errors)
        receiver = self.pair.receiver
        held = sum(len(frame.payload) for frame in self.pair.store.pending if isinstance(frame, Data))
        if receiver is not None and receiver.state is not ReceiverState.OVER:
            assert held == receiver.received - receiver.durable <= LARGEST_WINDOW

    def teardown(self) -> None:
        if hasattr(self, "pair"):
            self.pair.settle(TICKS + len(self.pair.source.written) + len(self.pair.source.marks))
            assert bytes(self.pair.source.written) == self.pair.delivered_bytes
            assert len(self.pair.source.marks) == len(self.pair.store.marks)
            assert self.pair.done >= 1


def play(seed: int, steps: int) -> FaultMachine:
    """A random story: mostly work, with the faults that this seed chose."""
    choose = random.Random(seed)
    machine = FaultMachine()
    machine.begin(
        choose.randint(1, LARGEST_WINDOW),
        choose.random() < 0.3,
        choose.choice([0.0, 4.0, 30.0]),
        set(choose.sample(FAULTS, choose.randint(0, 4))),
    )
    for _ in range(steps):
        _act(machine, choose)
        machine.delivered_is_a_prefix_of_written()
        machine.segments_come_in_order_and_once()
        machine.acks_never_go_back_nor_pass_what_was_sent()
        machine.in_flight_stays_within_the_window()
    machine.teardown()
    return machine


def _act(machine: FaultMachine, choose: random.Random) -> None:
    direction, at, to = choose.choice(["to_receiver", "to_sender"]), choose.randrange(99), choose.randrange(99)
    faults = {
        "lose": lambda: machine.lose(direction, at),
        "double": lambda: machine.double(direction, at, to),
        "swap": lambda: machine.swap(direction, at),
        "cut": machine.cut,
        "receiver": machine.receiver_restarts,
        "sender": machine.sender_restarts,
        "handler": lambda: machine.handler_comes_or_goes(choose.random() < 0.5),
        "window": lambda: machine.next_window(choose.randint(1, LARGEST_WINDOW)),
        "time": lambda: machine.much_time_passes(choose.choice([12.0, 45.0])),
    }
    work = (
        (lambda: machine.file_grows(choose.randbytes(choose.randint(1, 40))), 3),
        (machine.file_rotates, 1),
        (lambda: machine.sender_reads(choose.randint(1, 6), choose.randint(1, 30)), 6),
        (lambda: machine.deliver(choose.randint(1, 6)), 4),
        (lambda: machine.answer(choose.randint(1, 6)), 4),
        (machine.exchange, 3),
        (lambda: machine.write(choose.randint(1, 50)), 4),
        (lambda: machine.time_passes(choose.choice([0.05, 0.5, 2.5, 5.0])), 2),
        (lambda: machine.stop() if choose.random() < 0.3 and machine.pair.source.written else None, 1),
        *((fault, 1) for name, fault in faults.items() if name in machine.faults),
    )
    action, _ = choose.choices(work, [weight for _, weight in work])[0]
    action()


fast = settings(
    max_examples=150,
    stateful_step_count=60,
    print_blob=True,
    suppress_health_check=list(HealthCheck),
)


@pytest.mark.timeout(400)  # hypothesis takes its time to shrink a failure
def test_no_fault_of_the_wire_or_of_either_end_loses_doubles_or_stalls_a_byte():
    run_state_machine_as_test(FaultMachine, settings=fast)


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("part", range(4))
def test_no_fault_of_the_wire_or_of_either_end_loses_doubles_or_stalls_a_byte_for_long(part: int):
    """In parts, which may run side by side."""
    run_state_machine_as_test(FaultMachine, settings=settings(fast, max_examples=75, stateful_step_count=120))


@pytest.mark.parametrize("seed", range(20))
def test_long_stories_end_with_equal_copies(seed: int):
    """The seed of a failure is seed * 10_000 + number; `play` tells it again."""
    for number in range(15):
        try:
            play(seed * 10_000 + number, steps=150)
        except Exception:
            print(f"play({seed * 10_000 + number}, steps=150)")
            raise
