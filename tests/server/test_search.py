"""GET /api/v1/search: what is found, in which order, and that nothing a stranger asks for costs more than it may."""

from __future__ import annotations

import http.client
import json
import os
import random
import sys
from pathlib import Path
from urllib.parse import urlencode

import pytest

from conftest import wait_until
from logstreamer.server.search import endpoint, priority
from server.bench import TOKEN

COSTLY = "[ab]*a[ab]{400}c"
"""More states than a fast automaton can hold: what is left is slow."""

COSTLY_TEXT = (
    random.Random(1).randbytes(1 << 20).translate(bytes(b"ab\n"[byte % 2 if byte else 2] for byte in range(256))) * 8
)


def put(bench, path: str, content: bytes, modified: float = 2e9) -> None:
    """A stored file, as if it had been received."""
    file = bench.directory / "copies" / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content)
    os.utime(file, (modified, modified))
    bench.board._stale = True  # or it might not look so soon again


def url(q: str, **parameters: object) -> str:
    """Of a search."""
    return "/api/v1/search?" + urlencode({"q": q, **parameters}, doseq=True)


def events(body: bytes) -> list[tuple[str, dict]]:
    """Name and data of each event; a search's last one is `done`, and comes once."""
    found = []
    for frame in body.decode().split("\n\n"):
        if frame and not frame.startswith(":"):
            name, data = frame.split("\n")
            found.append((name.removeprefix("event: "), json.loads(data.removeprefix("data: "))))
    assert [name for name, _ in found].index("done") == len(found) - 1
    return found


def search(bench, q: str, **parameters: object) -> tuple[list[dict], dict]:
    """The hits, and what is said in the end."""
    answer, body = bench.ask(url(q, **parameters))
    assert (answer.status, answer.headers["Content-Type"]) == (200, "text/event-stream; charset=utf-8"), body
    found = events(body)
    return [data for name, data in found if name == "hit"], found[-1][1]


def test_the_newest_line_first_with_what_is_around_it(bench):
    """Across streams by when their bytes came; each hit with its time, level, place and context."""
    put(bench, "s/j/old.log", b"2026-01-01T00:00:00Z ERROR one\n", 1e9)
    put(bench, "s/j/new.log", b"2026-01-01T00:00:01Z INFO a\n2026-01-01T00:00:02Z error two\nthree \xc3\xa9 ERROR")

    hits, done = search(bench, "error", context=1)

    assert [(hit["stream"], hit["offset"], hit["text"]) for hit in hits] == [
        ("s/j/new.log", 59, "three é ERROR"),
        ("s/j/new.log", 28, "2026-01-01T00:00:02Z error two"),
        ("s/j/old.log", 0, "2026-01-01T00:00:00Z ERROR one"),
    ]
    assert hits[0]["match"] == [[8, 13]]
    assert [line["text"] for line in hits[1]["before"]] == ["2026-01-01T00:00:01Z INFO a"]
    assert [line["text"] for line in hits[1]["after"]] == ["three é ERROR"]
    assert (hits[1]["end"], hits[1]["time"], hits[2]["level"]) == (59, 1767225602.0, "error")
    assert done == {"hits": 3, "truncated": False, "scanned": 104, "total": 104}


def test_context_is_of_whole_lines_within_the_file(bench):
    """At both ends of it, and at those of what is looked at; a line without a newline counts."""
    put(bench, "s/j/f", b"hit 1\na\nb\nhit 2\n" + b"." * 70_000 + b"\nhit 3\nc")

    third, second, first = search(bench, "hit", context=2)[0]

    assert [line["text"] for line in first["before"]] == []
    assert [line["text"] for line in first["after"]] == ["a", "b"]
    assert [line["offset"] for line in second["before"]] == [6, 8]
    assert second["after"] == []  # a line that is longer than what is looked at
    assert third["before"] == []
    assert [line["text"] for line in third["after"]] == ["c"]


def test_capitals_streams_and_plain_text_are_asked_for(bench):
    """`case`, `stream` (several), `literal`."""
    for name in ("a", "b", "c"):
        put(bench, f"s/{name}/f", b"Loss\nl.ss\n")

    assert len(search(bench, "Loss")[0]) == 3
    assert len(search(bench, "loss", case=1)[0]) == 0
    assert [hit["stream"] for hit in search(bench, "loss", stream=["s/c", "s/a"])[0]] == ["s/c/f", "s/a/f"]
    assert [hit["text"] for hit in search(bench, "l.ss", literal=1, stream="s/b/*")[0]] == ["l.ss"]


def test_levels_and_times_are_filtered(bench):
    """A traceback has the level of the line it goes on with."""
    put(
        bench,
        "s/j/f",
        b"2026-01-01T00:00:00Z INFO x\n"
        b"2026-01-01T00:00:10Z ERROR x\nTraceback (most recent call last)\n  x\n"
        b"2026-01-01T00:00:20Z INFO x\n",
    )

    assert [hit["text"][-7:] for hit in search(bench, "x", level="warn")[0]] == ["  x", "ERROR x"]
    assert [hit["time"] for hit in search(bench, "x", since=1767225605, until=1767225620)[0]] == [1767225610.0] * 2


def test_a_search_goes_on_where_the_last_one_stopped(bench):
    """By its cursor: nothing twice, nothing missing, whatever came meanwhile."""
    put(bench, "s/j/f", b"".join(b"%d hit\n" % number for number in range(100)))
    put(bench, "s/j/g", b"".join(b"%d hit\n" % number for number in range(100, 150)), 1e9)
    seen, cursor = [], {}
    while True:
        hits, done = search(bench, "hit", limit=40, **cursor)
        seen += [int(hit["text"].split()[0]) for hit in hits]
        assert len(hits) == done["hits"] <= 40
        if not done["truncated"]:
            break
        assert done["reason"] == "limit"
        cursor = {"before": done["cursor"]}
        with open(bench.directory / "copies" / "s/j/f", "ab") as file:
            file.write(b"999 hit\n")
        put(bench, "s/j/later", b"998 hit\n")

    assert seen == [*range(99, -1, -1), *range(149, 99, -1)]


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        ("", "q is missing"),
        ("q=(", "missing )"),
        ("q=a&limit=0", "limit must be"),
        ("q=a&context=x", "context must be"),
        ("q=a&level=loud", "level must be one of"),
        ("q=a&stream=", "stream is empty"),
        ("q=a&case=yes", "case must be"),
        ("q=a&since=now", "since must be"),
        ("q=a&seconds=1e9", "seconds must be"),
        ("q=a&before=%21", "before is no cursor"),
        ("q=((a{100}){100}){100}", "repetition"),
    ],
)
def test_what_cannot_be_asked_is_said(bench, query, reason):
    """400 and one clear line."""
    answer, body = bench.ask(f"/api/v1/search?{query}")

    assert answer.status == 400
    assert reason in json.loads(body)["error"]


def test_search_asks_for_the_token(bench):
    """Like everything."""
    assert bench.ask(url("x"), token="")[0].status == 401


def test_long_lines_and_binary_data(bench):
    """A line of 50 MB and bytes that are no text: what is shown is bounded, and is what was found."""
    noise = random.Random(7).randbytes(3 << 20).replace(b"needle", b"")
    put(bench, "s/j/long", b"first\n" + b"." * (30 << 20) + b"needle" + b"." * (20 << 20) + b"\nlast\n")
    put(bench, "s/j/noise", noise + b"\nneedle\x00\xff\n" + noise)

    hits, done = search(bench, "n.{4}e\\b|^last$", seconds=120)

    assert not done["truncated"]
    by_stream = {(hit["stream"], hit["offset"]): hit for hit in hits}
    long = by_stream["s/j/long", 6]
    assert long["end"] - long["offset"] == (50 << 20) + 7
    start, end = long["match"][0]
    assert (long["cut"], long["text"][start:end], len(long["text"])) == (True, "needle", 16384)
    assert long["text_offset"] == 6 + (30 << 20) - start
    assert by_stream["s/j/long", 6 + (50 << 20) + 7]["text"] == "last"
    assert by_stream["s/j/noise", len(noise) + 1]["text"] == "needle\x00\N{REPLACEMENT CHARACTER}"


def test_a_costly_pattern_ends_with_its_time(bench):
    """What was not looked at is said."""
    put(bench, "s/j/f", COSTLY_TEXT)

    _, done = search(bench, COSTLY, seconds=0.3)

    assert (done["truncated"], done["reason"]) == (True, "time")
    assert done["scanned"] < done["total"]


@pytest.fixture
def stuck(monkeypatch, tmp_path):
    """Workers that begin and then do nothing; gives the file that each writes its process id to."""
    pids = tmp_path / "pids"
    program = (
        "import os, sys, time; sys.stdin.read(); "
        f"open({str(pids)!r}, 'a').write(f'{{os.getpid()}} '); print('\"\"', flush=True); time.sleep(600)"
    )
    monkeypatch.setattr(endpoint, "_COMMAND", [sys.executable, "-c", program])
    return pids


def processes(pids: Path) -> list[bool]:
    """Whether each of them is alive."""
    return [os.path.exists(f"/proc/{pid}") for pid in pids.read_text().split()] if pids.exists() else []


def test_a_worker_that_hangs_is_ended(bench, stuck, monkeypatch):
    """The client is told that time is up."""
    monkeypatch.setattr(endpoint, "GRACE_SECONDS", 0.1)

    hits, done = search(bench, "x", seconds=0.3)

    assert (hits, done["truncated"], done["reason"]) == ([], True, "time")
    wait_until(lambda: processes(stuck) == [False])


def test_a_worker_that_dies_is_no_end_of_a_search(bench, monkeypatch):
    """It is told apart from having looked at everything; half an event is not passed on."""
    progress = '{"scanned":3,"total":9,"streams":1,"scanned_to":null}'
    said = f'""\nevent: hit\ndata: {{}}\n\nevent: progress\ndata: {progress}\n\nevent: hit\ndata: {{'
    program = f"import sys; sys.stdin.read(); print({said!r}, end='')"
    monkeypatch.setattr(endpoint, "_COMMAND", [sys.executable, "-c", program])

    assert search(bench, "x") == ([{}], {"hits": 1, "truncated": True, "scanned": 3, "total": 9, "reason": "failed"})


def test_who_leaves_stops_the_work_and_makes_room(bench, stuck, monkeypatch):
    """Two searches at a time; the next one is turned away, until a client has gone."""
    monkeypatch.setattr(endpoint, "PATIENCE_SECONDS", 0.1)
    monkeypatch.setattr(endpoint, "PING_SECONDS", 0.1)
    clients = [http.client.HTTPConnection(bench.engine.endpoint.netloc, timeout=10) for _ in range(2)]
    for client in clients:
        client.request("GET", url("x"), headers={"Authorization": f"Bearer {TOKEN}"})
        assert client.getresponse().status == 200
    answer, body = bench.ask(url("x"))
    assert (answer.status, "searches are running" in json.loads(body)["error"]) == (429, True)

    clients[0].close()
    wait_until(lambda: sorted(processes(stuck)) == [False, True])
    monkeypatch.setattr(endpoint, "_COMMAND", [sys.executable, "-c", "input()"])
    monkeypatch.setattr(endpoint, "PATIENCE_SECONDS", 10.0)
    assert bench.ask(url("x"))[0].status == 400  # let in, though that worker cannot start
    clients[1].close()
    wait_until(lambda: not any(processes(stuck)))


@pytest.mark.parametrize(("busy", "policy"), [(0.0, os.SCHED_IDLE), (1e9, os.SCHED_OTHER)])
def test_a_search_takes_only_what_a_busy_receiver_leaves(bench, stuck, monkeypatch, busy, policy):
    """It gives way at once to whoever wakes up, which a process that is only nice does not; else it is only nice."""
    monkeypatch.setattr(priority, "BUSY", busy)
    client = http.client.HTTPConnection(bench.engine.endpoint.netloc, timeout=10)
    client.request("GET", url("x"), headers={"Authorization": f"Bearer {TOKEN}"})
    assert client.getresponse().status == 200
    pid = int(stuck.read_text())

    wait_until(lambda: os.sched_getscheduler(pid) == policy)
    assert os.getpriority(os.PRIO_PROCESS, pid) == priority.NICE
    client.close()
    wait_until(lambda: processes(stuck) == [False])


def test_a_search_does_not_hold_up_what_arrives(bench):
    """Bytes are stored and shown while a worker is busy."""
    put(bench, "s/j/f", COSTLY_TEXT)
    client = http.client.HTTPConnection(bench.engine.endpoint.netloc, timeout=10)
    client.request("GET", url(COSTLY, seconds=60), headers={"Authorization": f"Bearer {TOKEN}"})
    answer = client.getresponse()
    assert answer.status == 200

    following = bench.follow("live", b"hello\n")
    wait_until(lambda: bench.ask("/api/v1/streams/s/j/live/bytes")[1] == b"hello\n")
    bench.finish(following)

    assert b"event: done" not in answer.read1()
    client.close()
