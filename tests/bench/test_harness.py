"""The benchmark's own machinery: it measures a peer that works and names one that does not. No time is asserted."""

from __future__ import annotations

import os
import sys
import zlib
from contextlib import nullcontext
from itertools import islice
from pathlib import Path

import pytest
from benchmarks import __main__ as program
from benchmarks import flare
from benchmarks.bench import MIB, Bench, shown
from benchmarks.budgets import gaps, rows
from benchmarks.cases import growth, inside, many
from benchmarks.cases.links import noise
from benchmarks.cases.startup import imported
from benchmarks.cases.streams import backlog_record, latency_record
from benchmarks.cases.targets import chunk_size
from benchmarks.link import lacks
from benchmarks.loglines import lines, write_log
from benchmarks.measure import measure_backlog, measure_latency
from benchmarks.peers import absent
from benchmarks.peers.base import Command, Network, Peer, Way
from benchmarks.peers.rsyslog import RsyslogPeer
from benchmarks.peers.socat import SocatPeer
from benchmarks.records import Described, Record, Records, distribution, percentile
from benchmarks.report import render
from benchmarks.session import PeerFailed
from benchmarks.shaper import Direction

RECEIVE = """
import socket, sys, time
with socket.create_server(("127.0.0.1", int(sys.argv[1]))) as server, open(sys.argv[2], "wb", buffering=0) as copy:
    connection = server.accept()[0]
    while data := connection.recv(65536):
        copy.write(data)
    time.sleep(600)  # like every peer, until it is stopped
"""
SEND = """
import socket, sys, time
connection = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
with open(sys.argv[2], "rb") as source:
    while True:
        data = source.read(65536)
        if not data:
            time.sleep(0.002)
            continue
        connection.sendall({change})
"""


class ScriptPeer(Peer):
    """A socket and a loop.

    Args:
        change: a Python expression of `data`: what the sender makes of each piece.
    """

    name = "script"

    def __init__(self, change: str = "data") -> None:
        self._send = SEND.replace("{change}", change)

    def missing(self) -> None:
        return None

    def version(self) -> str:
        return "script 1"

    def receiver(self, way: Way) -> list[Command]:
        return [Command([sys.executable, "-c", RECEIVE, str(way.port), str(self.stored(way))])]

    def sender(self, way: Way) -> list[Command]:
        # Two processes, as `tail | socat` is: the first one only keeps the pipe open.
        idle = Command([sys.executable, "-c", "import time; time.sleep(600)"], feeds_next=True)
        return [idle, Command([sys.executable, "-c", self._send, str(way.port), str(way.source)])]

    def stored(self, way: Way) -> Path:
        return way.dest / way.source.name


def _memory(record: Record) -> float:
    """The smaller one of both sides' peaks."""
    return min(record.values["sender memory"], record.values["receiver memory"])


def test_the_log_is_the_same_each_time_and_exactly_as_long_as_asked(tmp_path):
    """Also that it is made once, and reads like a log."""
    (tmp_path / "other").mkdir()
    first, second = write_log(tmp_path, 300_001), write_log(tmp_path / "other", 300_001)

    assert first.read_bytes() == second.read_bytes()
    assert first.stat().st_size == 300_001
    assert first.read_bytes().startswith(b"2026-01-05 08:30:00.")
    assert any(b"Traceback" in record for record in islice(lines(), 5000))
    assert write_log(tmp_path, 300_001).stat().st_ino == first.stat().st_ino


def test_a_backlog_is_measured_from_first_to_last_byte(tmp_path):
    """Nothing stays behind. On a busy machine the whole copy may be there at the first look: then size is 0."""
    source = write_log(tmp_path, 4 << 20)

    backlog = measure_backlog(ScriptPeer(), source, tmp_path)

    assert 0 <= backlog.size < source.stat().st_size
    assert _memory(backlog_record("backlog", "script", backlog)) > MIB
    assert min(backlog.seconds, backlog.startup) > 0
    assert not (tmp_path / "copy").exists()


def test_a_slow_backlog_is_cut_off(tmp_path):
    """What has come by then is compared all the same, and gives a rate."""
    source = write_log(tmp_path, 1 << 20)

    backlog = measure_backlog(ScriptPeer("data[: time.sleep(0.05)]"), source, tmp_path, limit=0.01)

    assert backlog.size < source.stat().st_size
    assert backlog.rate >= 0


@pytest.mark.parametrize("burst", [1, 10])
def test_each_burst_has_its_latency(tmp_path, burst):
    """As many as asked for, the warm-up left out."""
    seen = measure_latency(ScriptPeer(), tmp_path, rate=200, seconds=0.5, warmup=0.1, burst=burst)

    assert len(seen.delays) == 100 // burst
    assert min(seen.delays) > 0
    assert min(seen.span, seen.behind) > 0
    assert _memory(latency_record("lines-50", "script", seen)) > MIB


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ("data.replace(b'INFO', b'info')", "the copy differs"),
        ("data + b'x'", "stored .* bytes of"),
        ("exit('out of luck')", "a process ended with 1: out of luck"),
    ],
)
def test_a_peer_that_fails_gives_no_figures(tmp_path, change, complaint):
    """Wrong bytes, too many bytes, an early end."""
    # No multiple of a page: the copy, which grows by pages, is never as long as the source on its way to being longer.
    source = write_log(tmp_path, 1_000_003)

    with pytest.raises(PeerFailed, match=complaint):
        measure_backlog(ScriptPeer(change), source, tmp_path)


def test_percentiles_are_nearest_rank():
    """The 99th of 100 values is the second largest."""
    values = [float(value) for value in range(100, 0, -1)]

    assert [percentile(values, share) for share in (0.5, 0.99, 1.0)] == [50.0, 99.0, 100.0]
    assert percentile([7.0], 0.01) == 7.0


def test_records_survive_and_are_measured_again_case_by_case(tmp_path):
    """Saved, loaded; a case that is forgotten takes its parts along, and nothing else."""
    records = Records()
    for case in ("lines-50", "lines-50000", "link", "link-logs"):
        records.records.append(Record(case, "peer", {"rate": 1.0}, distribution([3.0, 1.0, 2.0])))
        records.failures[f"{case}: peer"] = "no luck"
    records.save(tmp_path / "records.json")

    again = Records.load(tmp_path / "records.json")
    again.forget(["link", "lines-50"])

    assert [one.case for one in again.records] == ["lines-50000"]
    assert list(again.failures) == ["lines-50000: peer"]
    assert again.delay("lines-50000", "peer", 0.5) == 2.0
    assert again.median("lines-50000", "peer", "rate") == 1.0
    assert Records.load(tmp_path / "nothing.json") == Records()


def test_budgets_are_met_missed_or_not_measured():
    """Each row says which, and a peer that is missing meets no ratio."""
    records = Records()
    values = {"rate": 600e6, "sender cpu": 1.0, "receiver cpu": 1.0}
    for peer, rate in (("logstreamer", 600e6), ("tail -F | socat", 900e6), ("rsyslog", 17e6)):
        records.records.append(Record("backlog", peer, {**values, "rate": rate}))
        records.records.append(Record("tls", peer, {**values, "rate": rate}))
    records.records.append(Record("lines-50", "logstreamer", values, distribution([0.0009] * 90 + [0.006] * 10)))

    found = {row.what: row for row in rows(records)}

    assert found["the same over TLS"].met is True
    assert found["backlog, one stream"].met is False
    assert "no NVFlare" in found["backlog, one stream"].measured
    assert found["append to stored, 50 lines/s"].measured == "0.90 ms, 6.00 ms"
    assert found["append to stored, 50 lines/s"].met is False
    assert found["10 GiB backlog"].met is None
    assert found["10 GiB backlog"].measured.startswith("not measured")


def test_the_report_names_who_is_missing():
    """Never left out in silence."""
    records = Records(machine="a machine")
    records.peers = {
        "logstreamer": Described("logstreamer", "logstreamer 1", ["serve", "send | more"]),
        "Vector": Described("Vector", missing="no package"),
    }
    records.failures["tls: logstreamer"] = "no certificate"
    records.run["backlog"] = {"date": "2026-01-05 08:30", "command": "python -m benchmarks", "load": 0.5}
    for rate in (500e6, 600e6, 900e6):
        record = {"rate": rate, "sender cpu": 1.0, "receiver cpu": 1.25, "start": 0.2}
        records.records.append(Record("backlog", "logstreamer", record))

    page = render(records)

    assert "- Vector: no package" in page
    assert "| Vector | missing |" in page
    assert "- tls: logstreamer: no certificate" in page
    assert "| logstreamer | 600 (500-900) | 1.00 + 1.25 | failed |" in page
    assert "2026-01-05 08:30" in page


def test_who_cannot_be_had_is_reported_with_the_reason(tmp_path, monkeypatch):
    """Also where it is installed all the same."""
    records = Records()
    monkeypatch.setattr(absent.shutil, "which", lambda program: program if program == "vector" else None)
    Bench(tmp_path, records, tmp_path / "no-python").describe_peers()

    missing = {name: peer.missing for name, peer in records.peers.items()}
    assert "no package" in missing["Fluent Bit"]
    assert "no package" in missing["Filebeat"]
    assert missing["Vector"] == "vector is installed here, but this benchmark cannot run it yet"
    assert missing["NVFlare LogStreamer"]


def test_a_packet_waits_for_its_turn_and_its_way_and_one_too_many_is_dropped():
    """100 bytes at 1000 bytes a second take 0.1 s, then 1 s of way; more than `BUFFER` is not kept."""
    near, far = os.pipe()
    try:
        line = Direction(-1, far, rate=1000.0, delay=1.0)
        for packet in (b"a" * 100, b"b" * 100, b"c" * 100):
            line.take(packet, 10.0)

        assert line.arrive(11.05) == pytest.approx(11.1)
        assert line.arrive(11.1 + 1e-6) == pytest.approx(11.2)
        assert line.arrive(99.0) is None
        assert os.read(near, 1000) == b"a" * 100 + b"b" * 100
    finally:
        os.close(near)
        os.close(far)


def test_noise_is_lines_that_no_compressor_shortens(tmp_path):
    bench = Bench(tmp_path, Records(), tmp_path / "python")

    data = noise(bench, 1).read_bytes()

    assert len(data) == 1 << 20
    assert {len(line) for line in data.splitlines()} == {127}
    assert not set(data) & set(range(10))
    assert len(zlib.compress(data)) > 0.9 * len(data)


def test_the_import_of_the_package_brings_nothing_foreign():
    assert imported() == []


@pytest.mark.slow
def test_many_streams_are_measured(tmp_path, monkeypatch):
    """The whole case, small: every figure is there, every line has its delay."""
    monkeypatch.setattr(many, "SETTLE", 0.0)

    record = many.many_streams("files", 3, tmp_path, quiet=0.1, busy=1.0)

    assert record.values["streams"] == 3
    assert min(record.values.values()) >= 0
    assert min(record.delays) > 0


def test_many_streams_are_judged_at_the_budgets_number_only():
    """200 files in the quick form say what they took, and are no verdict about 1,000."""
    names = ("threads", "memory")
    values = {f"{end} {name}": 1.0 for end in ("sender", "receiver") for name in names}
    values |= {"quiet sender cpu": 0.01, "quiet receiver cpu": 0.01, "slowest to fastest": 1.0, "streams": 200.0}
    judged = {}
    for number in (200, 1000):
        records = Records()
        records.records.append(Record("files", "logstreamer", {**values, "streams": number}, distribution([0.001])))
        records.records.append(Record("senders", "logstreamer", {**values, "senders": number / 5}))
        judged[number] = {row.what: row for row in rows(records)}

    for what, few in (
        ("1,000 followed files, each 1 line/s", "200 files"),
        ("1,000 quiet streams", "200 streams"),
        ("200 sender processes, one receiver", "40 senders"),
    ):
        assert judged[200][what].met is None
        assert f"not judged at {few}" in judged[200][what].measured
        assert judged[1000][what].met is True


def _good() -> Records:
    records = Records(peers={"logstreamer": Described("logstreamer", "logstreamer 1")})
    records.records.append(Record("startup", "python -c pass", {"seconds": 0.02}))
    return records


@pytest.mark.parametrize(
    ("spoil", "gap"),
    [
        (lambda records: records.records.clear(), "nothing was measured"),
        (lambda records: records.failures.update({"tls: logstreamer": "no luck"}), "tls: logstreamer: no luck"),
        (lambda records: records.peers.update(logstreamer=Described("logstreamer", missing="gone")), "missing: gone"),
    ],
)
def test_a_run_without_a_figure_of_logstreamer_is_incomplete(spoil, gap):
    """Whatever other peers lack does not count; a whole run has to judge every budget."""
    records = _good()
    records.failures["tls: rsyslog"] = "no luck"
    assert gaps(records, whole=False) == []
    assert any("not measured (far: logstreamer)" in text for text in gaps(records, whole=True))

    spoil(records)

    assert [gap in text for text in gaps(records, whole=False)] == [True]


def test_nothing_measured_overwrites_no_report(tmp_path, monkeypatch, capsys):
    report = tmp_path / "page.md"
    report.write_text("good figures")
    monkeypatch.setattr("sys.argv", ["bench", "--render", "--workdir", str(tmp_path), "--report", str(report)])

    assert program.main() == 1
    assert report.read_text() == "good figures"
    assert "incomplete: nothing was measured" in capsys.readouterr().err


@pytest.mark.parametrize("python", ["/bin/false", "/no/such/python"])
def test_without_plots_page_and_plots_stay(tmp_path, python):
    """New figures never stand beside old plots."""
    (tmp_path / "page").mkdir()
    (tmp_path / "page.md").write_text("old")
    (tmp_path / "page" / "backlog.svg").write_text("old")

    assert not program.publish("new", tmp_path / "page.md", Path(python), tmp_path / "results.json")

    assert (tmp_path / "page.md").read_text() == "old"
    assert (tmp_path / "page" / "backlog.svg").read_text() == "old"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["page", "page.md"]


def test_plots_and_page_are_published_together(tmp_path):
    python = tmp_path / "python"
    python.write_text("#!/bin/sh\necho new > $4/backlog.svg\n")
    python.chmod(0o700)

    assert program.publish("new", tmp_path / "page.md", python, tmp_path / "results.json")

    assert (tmp_path / "page.md").read_text() == "new"
    assert (tmp_path / "page" / "backlog.svg").read_text() == "new\n"


@pytest.mark.parametrize("error", [AssertionError("no answer"), OSError("disk"), PeerFailed("no luck")])
def test_a_case_that_breaks_is_booked_and_the_next_one_runs(tmp_path, monkeypatch, error):
    def broken(bench):
        """Breaks."""
        raise error

    def good(bench):
        """Works."""
        bench.add(Record("tls", "logstreamer", {"rate": 1.0}))

    monkeypatch.setattr(program, "CASES", {"backlog": broken, "tls": good})
    monkeypatch.setattr(Bench, "describe_peers", lambda self: None)
    records, options = Records(), program.parse_options(["--workdir", str(tmp_path)])

    program.run(options, records, tmp_path / "results.json")

    assert str(error) in records.failures["backlog: logstreamer"]
    assert records.measured("tls") == ["logstreamer"]
    assert Records.load(tmp_path / "results.json") == records


def test_a_failure_is_its_peers_and_its_earlier_rounds_stay(tmp_path):
    """The other peers go on; the cell says how many rounds there were."""
    records = Records(peers={"script": Described("script")})
    bench, broken = Bench(tmp_path, records, tmp_path / "python"), ScriptPeer()

    def measure(peer: Peer, turn: int) -> Record:
        if turn == 2:
            raise FileNotFoundError("copy")
        return Record("backlog", peer.name, {"rate": 1e6})

    bench.rounds("backlog", 3, measure, [broken])

    assert records.failures == {"backlog: script": "FileNotFoundError: copy"}
    assert "| script | 1 (1-1), 1 of 3 rounds |" in render(records)


def test_a_round_trip_that_socat_fails_is_not_logstreamers(tmp_path, monkeypatch):
    socat, records = ScriptPeer(), Records()
    socat.name = "tail -F | socat"

    def broken(*arguments, **options):
        raise PeerFailed("no luck")

    monkeypatch.setattr(growth, "measure_backlog", broken)
    monkeypatch.setattr(growth, "noise", lambda bench, mib: tmp_path)
    monkeypatch.setattr(growth, "link", lambda bits, seconds: nullcontext(Network()))

    growth.round_trips(Bench(tmp_path, records, tmp_path / "python", peers=[socat]))

    assert list(records.failures) == ["growth-round-trip: tail -F | socat"]


def test_what_a_link_lacks_is_named(tmp_path):
    assert lacks(1000, tmp_path / "tun")[:2] == ["network namespaces need root", f"there is no {tmp_path / 'tun'}"]
    assert not any("root" in need or "tun" in need for need in lacks(0, tmp_path))


def test_commands_are_shown_with_named_places():
    """DIR is a directory, FILE a file, and one in the other has a slash between."""
    assert [str(line) for line in shown(SocatPeer())] == [
        "socat -u -b 65536 TCP-LISTEN:PORT,bind=127.0.0.1,reuseaddr OPEN:DIR/FILE,creat,append",
        "tail -n +1 -F FILE |",
        "socat -u -b 65536 - TCP:127.0.0.1:PORT",
    ]
    assert any('file="DIR/FILE"' in line for line in shown(RsyslogPeer()))


@pytest.mark.parametrize("verdict", ["1 of 2 lines lost, 0 doubled or torn", "all 2 lines, each once; it ended with X"])
def test_inside_nvflare_wrong_bytes_are_no_result(verdict):
    lines = flare.lines(0, 2)
    found = {flare.RATE: 12.0, flare.CPU: 1.0, flare.VERDICT: verdict}

    with pytest.raises(PeerFailed, match=verdict):
        inside.checked("inside", "logstreamer", lines, found)

    good = inside.checked("inside", "logstreamer", lines, {**found, flare.VERDICT: flare.whole(lines)})
    assert good.values == {"rate": 12e6, "sender cpu": 1.0}


class HalfStream:
    """Stores half of what it is given, at once."""

    topic = "half"

    def __init__(self, log: Path) -> None:
        self.log, self.site = log, self

    def tell(self, do: str, **arguments: object) -> dict[str, float]:
        return {"cpu": 1.0}

    def register(self) -> None:
        pass

    send = register

    def size(self) -> int:
        return self.log.stat().st_size // 2

    def finish(self, written: list[bytes], size: int) -> str:
        return "1 of 2 lines lost, 0 doubled or torn"


def test_a_backlog_that_was_cut_off_has_the_rate_of_what_was_stored(tmp_path):
    """Here half of 512 bytes in 0.1 s at least, not all of them."""
    found = flare.backlog(HalfStream(tmp_path / "log"), flare.lines(0, 4, is_noise=True), longest=0.1)

    assert 0 < found[flare.RATE] <= 256 / 0.1 / 1e6
    assert found[flare.VERDICT].startswith("1 of 2 lines lost")


def test_an_nvflare_process_that_ends_is_a_failed_peer(tmp_path, monkeypatch):
    """With what it said last; at its start, and between commands."""
    program = tmp_path / "pair.py"
    monkeypatch.setattr(flare, "PAIR", program)
    program.write_text("raise SystemExit('no cell')")
    with pytest.raises(PeerFailed, match="server has ended: no cell"):
        flare.Flare("server", "http://nowhere", tmp_path / "log")

    program.write_text("print('{}', flush=True); input(); raise SystemExit('no more')")
    process = flare.Flare("site-1", "http://nowhere", tmp_path / "log")
    try:
        with pytest.raises(PeerFailed, match="site-1 has ended: no more"):
            process.tell("state", topic="x")
    finally:
        process.close()


def test_noise_inside_nvflare_is_as_many_different_lines():
    written = flare.lines(0, 500, is_noise=True)

    assert len(set(written)) == 500
    assert len(zlib.compress(b"".join(written))) > 0.9 * 500 * 128


@pytest.mark.slow
def test_a_chunk_size_has_its_memory_and_its_bytes_compared(tmp_path, monkeypatch):
    """Both sides' peaks are in the record; a wrong copy gives none."""
    source = write_log(tmp_path, 8 << 20)

    assert _memory(chunk_size(source, tmp_path, 64 << 10)) > 10 * MIB
    monkeypatch.setattr("benchmarks.cases.targets.compare", _differ)
    with pytest.raises(PeerFailed, match="differs"):
        chunk_size(source, tmp_path, 64 << 10)


def _differ(source: Path, copy: Path, name: str) -> None:
    assert copy.stat().st_size == source.stat().st_size
    raise PeerFailed("differs")


def test_the_report_says_when_the_notes_speak_of_other_versions():
    records = Records()
    records.peers["rsyslog"] = Described("rsyslog", "rsyslog 8.2302.0, RELP")
    assert "instead" not in render(records).partition("Missing peers")[0]

    records.peers["rsyslog"] = Described("rsyslog", "rsyslog 9.1, RELP")

    assert "The notes below were written with rsyslog 8.2302.0 instead." in render(records)


def test_inside_nvflare_is_judged_on_logs_and_shows_noise():
    """Without NVFlare's own figures no ratio is met, as everywhere."""
    records = Records()
    for case, rate in (("inside", 120e6), ("inside-noise", 40e6)):
        records.records.append(Record(case, "logstreamer", {"rate": rate}))
    assert [(row.measured, row.met) for row in rows(records) if row.what.startswith("inside")] == [
        (
            "no NVFlare LogStreamer (120 MB/s) with compression; no NVFlare LogStreamer (40 MB/s) on lines that do "
            "not compress",
            False,
        )
    ]

    for case in ("inside", "inside-noise"):
        records.records.append(Record(case, "NVFlare LogStreamer", {"rate": 10e6}))

    assert [(row.measured, row.met) for row in rows(records) if row.what.startswith("inside")] == [
        (
            "12 x (120 MB/s against 10.0) with compression; 4 x (40 MB/s against 10.0) on lines that do not compress",
            True,
        )
    ]
