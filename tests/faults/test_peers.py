"""Transports and peers that do what they must not: N4, N5, N10, D4."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from e2e.processes import size, wait_until
from faults.harness import check_exact, finish, wait_copied
from faults.relay import ACCEPT, ACK, DATA, OPEN, REJECT, Message, Relay, dial, honest

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]


@pytest.fixture
def relay(receiver) -> Iterator[Relay]:
    """Between senders and the receiver; the idle timeout is short, and with it the pauses between heartbeats."""
    receiver.program.stop()
    receiver.begin("--idle-timeout", "1.5")
    with Relay(receiver.port) as relay:
        yield relay


class Meddler:
    """Does something to the messages of one kind, from the first one on, *times* in all."""

    def __init__(self, kind: int, act, times: int = 1) -> None:
        self._kind = kind
        self._act = act
        self._left = times
        self.done = 0

    def __call__(self, message: Message) -> list[Message]:
        if message.kind != self._kind or self._left <= self.done:
            return [message]
        self.done += 1
        return list(self._act(message))


class Swap:
    """Two Data messages change places."""

    def __init__(self) -> None:
        self._held: Message | None = None
        self.done = 0

    def __call__(self, message: Message) -> list[Message]:
        if message.kind != DATA or self.done:
            return [message]
        if self._held is None:
            self._held = message
            return []
        self.done = 1
        return [message, self._held]


def test_n04_a_message_is_swallowed_and_nothing_comes_back(receiver, relay, send, log):
    """The last one before a silence: only a heartbeat, or a reply that stays away, can show it."""
    log.write(10)
    sender = send(log.name, to=relay.url)
    wait_copied(receiver, log)
    relay.up = meddler = Meddler(DATA, lambda message: [])
    log.write(10)
    wait_until(lambda: meddler.done == 1, "the loss")

    wait_copied(receiver, log)
    finish(sender)

    check_exact(receiver, log.path)


@pytest.mark.parametrize("lost", [OPEN, ACCEPT], ids=["open", "accept"])
def test_n04_the_question_where_to_go_on_is_swallowed_or_its_answer(receiver, send, log, lost):
    """Before it is answered the sender has nothing else to say, and the receiver is patient: only time can tell."""
    receiver.program.stop()
    receiver.begin("--idle-timeout", "600")
    with Relay(receiver.port) as relay:
        log.write(10)
        sender = send(log.name, to=relay.url)
        wait_copied(receiver, log)
        relay.up = relay.down = meddler = Meddler(lost, lambda message: [])
        relay.cut()
        log.write(10)
        wait_until(lambda: meddler.done == 1, "the loss")

        wait_copied(receiver, log)
        finish(sender)

        assert relay.connections == 2
    check_exact(receiver, log.path)


MEDDLING = {
    "twice": lambda: Meddler(DATA, lambda message: [message, message], 20),
    "missing": lambda: Meddler(DATA, lambda message: []),
    "swapped": Swap,
}


@pytest.mark.parametrize("how", MEDDLING)
def test_n05_a_chunk_comes_twice_or_is_missing_or_two_swap_places(receiver, relay, send, log, how):
    """Repeated bytes are passed over; a hole ends the connection, and the next one begins at the durable offset."""
    log.write(10)
    sender = send(log.name, to=relay.url)
    wait_copied(receiver, log)
    relay.up = meddler = MEDDLING[how]()
    log.write(100_000)

    wait_copied(receiver, log)
    finish(sender)

    assert meddler.done
    check_exact(receiver, log.path)
    assert relay.connections == (1 if how == "twice" else 2)


LIES = {
    "more than was sent": lambda ack: [ack.with_field(0, ack.fields[0] + (1 << 40))],
    "backwards": lambda ack: [ack, ack.with_field(0, 0)],
    "never": lambda ack: [],
}


@pytest.mark.parametrize("lie", LIES)
def test_n10_a_receiver_acknowledges_what_is_not_so(receiver, relay, send, log, lie):
    """A lie ends the connection, silence fills the window and no more; with the truth everything goes on."""
    log.write(10)
    sender = send(log.name, to=relay.url)
    wait_copied(receiver, log)
    relay.down = meddler = Meddler(ACK, LIES[lie], 1 if lie != "never" else 1 << 30)
    log.write(200_000)
    if lie == "never":
        wait_until(lambda: size(receiver.copy(log.name)) >= 4 << 20, "a full window")
    else:
        wait_until(lambda: relay.connections == 2, "another connection")
    assert sender.process.poll() is None
    relay.down = honest

    wait_copied(receiver, log)
    finish(sender)

    assert meddler.done
    check_exact(receiver, log.path)


NAMES = {
    "parent": "..",
    "parents": "../../../escaped",
    "itself": ".",
    "empty": "",
    "empty part": "a//b",
    "nul": "a\0b",
    "absolute": "/etc/escaped",
    "300 bytes": "x" * 300,
    "backslash": "..\\escaped",
    "device": "con.log",
    "our own": ".app.log.logstreamer.json",
    "newline": "a\nb",
}


@pytest.fixture
def peer(receiver):
    """A sender that says what the test wants, and its first answer."""

    def ask(name, site="evil", job="default"):
        with dial(receiver.port, site) as connection:
            key = ["log_streaming", "live_log", job, name, "source"]
            connection.send(Message(0, 0, OPEN, (1, key, "run")).write())
            return Message.read(connection.recv(timeout=10))

    return ask


def test_d04_a_name_that_could_lie_elsewhere_is_rejected(receiver, peer, tmp_path):
    """Not repaired: a repaired name could be somebody else's. Nothing is made for it, inside or outside."""
    before = [path for path in tmp_path.rglob("*") if path.is_file()]

    for what, name in NAMES.items():
        answer = peer(name)
        assert answer.kind == REJECT, what
        assert answer.fields[2:] in ((), (False,)), what
        assert sorted(path for path in tmp_path.rglob("*") if path.is_file()) == sorted(before), what
    assert receiver.program.process.poll() is None


def test_d04_a_site_that_could_lie_elsewhere_gets_nothing(peer, tmp_path):
    """It names the directory above all copies of a site."""
    for site in ("..", "a%2Fb", "%2E%2E", "con"):
        assert peer("app.log", site=site).kind == REJECT, site
    assert not list(tmp_path.rglob("app.log"))


def test_d04_a_job_that_could_lie_elsewhere_gets_nothing(peer, tmp_path):
    assert peer("app.log", job="../..").kind == REJECT
    assert not list(tmp_path.rglob("app.log"))


def test_d04_a_name_that_is_no_utf_8_ends_the_connection(receiver, tmp_path):
    """MessagePack text is UTF-8: this is no name at all."""
    with dial(receiver.port, "evil") as connection:
        whole = Message(0, 0, OPEN, (1, ["log_streaming", "live_log", "default", "NAME", "source"], "run")).write()
        connection.send(whole.replace(b"NAME", b"\xff\xfe\xfd\xfc"))
        with pytest.raises(Exception, match="1002"):
            connection.recv(timeout=10)


@pytest.mark.parametrize("planted", ["file", "directory", "hard link"])
def test_d04_a_link_planted_in_the_store_is_not_followed(receiver, peer, tmp_path, planted):
    """What it leads to is left as it was."""
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "app.log").write_bytes(b"precious\n")
    place = receiver.copies / "evil" / "default"
    place.parent.mkdir()
    if planted == "directory":
        os.symlink(outside, place)
    else:
        place.mkdir()
        (os.symlink if planted == "file" else os.link)(outside / "app.log", place / "app.log")

    answer = peer("app.log")

    if answer.kind == ACCEPT:  # another place for it was found
        assert planted != "directory"
        assert (place / "app.log.2").exists()
    assert [path.name for path in outside.iterdir()] == ["app.log"]
    assert (outside / "app.log").read_bytes() == b"precious\n"
