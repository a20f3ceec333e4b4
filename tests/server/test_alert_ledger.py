"""The journal of alerts: whatever happened to its file, it says something that was true."""

from __future__ import annotations

import logging

from logstreamer.server.alerts import ledger
from logstreamer.server.alerts.event import Event
from logstreamer.server.alerts.ledger import Firing, Known, Ledger, Message, Transaction

EVENT = Event(id="1", rule="r", kind="dead", stream="s/j/f")


def write(directory) -> None:
    """A journal of four transactions."""
    book = Ledger(str(directory))
    book.record(Transaction(begun={"r": "print"}, known=[("r", "s/j/f", Known("c"))]))
    queued = [Message("1-a", "a", EVENT, 5.0), Message("1-b", "b", EVENT, 5.0)]
    book.record(Transaction(known=[("r", "s/j/f", Known("c", active=True, told=5.0))], queued=queued))
    book.record(Transaction(settled=["1-a"]))
    book.record(Transaction(known=[("r", "s/j/g", Known("c", offset=7, held=2, last=EVENT))]))
    book.close()


def says(directory) -> tuple:
    """Everything that a ledger tells."""
    book = Ledger(str(directory))
    waiting = [[message.id for message in book.waiting(name)] for name in ("a", "b")]
    told = (book.begun("r"), book.known("r", "s/j/f", "c").active, waiting, book.fired("r"), len(book.held()))
    book.close()
    return told


def test_it_is_the_same_after_a_restart(tmp_path):
    """What was recorded is known; one event for two webhooks is one firing."""
    write(tmp_path)

    assert says(tmp_path) == ("print", True, [[], ["1-b"]], Firing(1, EVENT), 1)
    assert says(tmp_path) == ("print", True, [[], ["1-b"]], Firing(1, EVENT), 1)


def test_a_torn_journal_is_a_shorter_one(tmp_path):
    """Cut anywhere, it says what it said some transactions before: an event and its messages are never parted."""
    write(tmp_path)
    path = tmp_path / ledger.FILE
    whole = path.read_bytes()
    seen = []
    ends = [index for index, byte in enumerate(whole) if byte == ord("\n")]
    sizes = {*range(0, len(whole), 61), *ends, *(end + 1 for end in ends)}
    for size in sorted(sizes):
        path.write_bytes(whole[:size])
        told = says(tmp_path)
        if told not in seen:
            seen.append(told)

    assert seen == [
        ("", False, [[], []], Firing(), 0),
        ("print", False, [[], []], Firing(), 0),
        ("print", True, [["1-a"], ["1-b"]], Firing(1, EVENT), 0),
        ("print", True, [[], ["1-b"]], Firing(1, EVENT), 0),
        ("print", True, [[], ["1-b"]], Firing(1, EVENT), 1),
    ]


def test_what_is_written_behind_a_torn_line_counts(tmp_path):
    """The torn part does not swallow it."""
    write(tmp_path)
    path = tmp_path / ledger.FILE
    path.write_bytes(path.read_bytes()[:-9] + b"\x00\xff")
    book = Ledger(str(tmp_path))
    book.record(Transaction(settled=["1-b"]))
    book.close()

    assert says(tmp_path)[2] == [[], []]


def test_it_is_written_anew_before_it_is_too_long(tmp_path, monkeypatch):
    """And says the same then."""
    write(tmp_path)
    monkeypatch.setattr(ledger, "MOST_BYTES", 4096)
    book = Ledger(str(tmp_path))
    for number in range(200):
        book.record(Transaction(known=[("r", "s/j/g", Known("c", offset=number, held=2, last=EVENT))]))
        assert (tmp_path / ledger.FILE).stat().st_size < 6000
    book.close()

    assert says(tmp_path) == ("print", True, [[], ["1-b"]], Firing(1, EVENT), 1)


def test_rules_and_webhooks_that_are_gone_are_forgotten(tmp_path):
    """Messages that nobody will deliver are given back, to be logged."""
    write(tmp_path)
    book = Ledger(str(tmp_path))

    assert [message.id for message in book.forget(["other"], ["a"])] == ["1-b"]
    book.close()
    assert says(tmp_path) == ("", False, [[], []], Firing(), 0)


def test_a_new_stream_at_an_old_place_is_not_known(tmp_path):
    """Nor does a rule that begins anew know what the old one did."""
    write(tmp_path)
    book = Ledger(str(tmp_path))

    assert book.known("r", "s/j/f", "later") == Known("later")
    book.record(Transaction(begun={"r": "another"}))
    assert book.known("r", "s/j/f", "c") == Known("c")
    book.close()


def test_a_disk_that_takes_nothing_is_said_once(tmp_path, caplog, monkeypatch):
    """Alerts go on: now they matter."""
    book = Ledger(str(tmp_path))

    def full(fd: int, data: bytes) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(ledger.os, "write", full)
    with caplog.at_level(logging.WARNING):
        book.record(Transaction(queued=[Message("1-a", "a", EVENT, 5.0)]))
        book.record(Transaction(queued=[Message("2-a", "a", EVENT, 5.0)]))

    assert [message.id for message in book.waiting("a")] == ["1-a", "2-a"]
    assert [record.getMessage() for record in caplog.records if "No space left" in record.getMessage()] != []
    assert len(caplog.records) == 1
    monkeypatch.undo()
    book.close()
