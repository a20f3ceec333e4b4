"""What goes wrong inside one stream ends that stream, with a word, and leaves its connection to the others."""

from __future__ import annotations

import threading

import pytest

from conftest import wait_until
from contract.ends import live_log, numbered, register
from logstreamer import ReturnCode
from logstreamer.inbound import Inbound
from logstreamer.lane import Lane
from logstreamer.protocol.frames import Abort, Open, StreamKey
from logstreamer.protocol.receiver import Position
from logstreamer.receiver import Receiver
from logstreamer.sender import Sender
from logstreamer.sinks import GO_ON, Begun


@pytest.fixture
def net(request, no_leaks):
    """Here an engine reports failures: that is what is tested."""
    from contract.nets import MemoryNet

    net = MemoryNet()
    yield net
    net.close()


@pytest.fixture
def no_leaks():
    """The failures that are provoked here are reported, so they are not counted."""


def fail(*args):
    raise ZeroDivisionError("a bug")


@pytest.mark.parametrize(
    ("owner", "method"), [(Sender, "poll"), (Lane, "next_frame"), (Lane, "handle_timer"), (Lane, "receive")]
)
def test_a_sender_that_fails_inside_ends_its_own_stream_and_no_other(
    net, recorder, tmp_path, monkeypatch, owner, method
):
    register(net, recorder)
    original = getattr(owner, method)

    def fail_for_one(self, *args):
        spec = self.spec if owner is Sender else self._spec
        if broken.is_set() and spec.path.endswith("bad.log"):
            fail()
        return original(self, *args)

    broken = threading.Event()
    monkeypatch.setattr(owner, method, fail_for_one)

    with (
        live_log(net, tmp_path / "good.log") as good,
        live_log(net, tmp_path / "bad.log", liveness_interval=0.05) as bad,
    ):
        good.write(b"good\n")
        bad.write(b"bad\n")
        recorder.wait(lambda: len(recorder.chunks) == 2)
        broken.set()
        bad.write(b"worse\n")
        good.write(b"better\n")
        _, result = bad.result()
        rc, _ = good.stop()

    assert result["server"].get_return_code() == ReturnCode.EXECUTION_EXCEPTION
    assert "a bug" in result["server"].get_header("reason")
    assert rc == ReturnCode.OK
    assert recorder.data("good.log") == b"good\nbetter\n"


def test_a_receiver_that_fails_inside_ends_that_run_and_calls_its_done_callback(net, recorder, tmp_path, monkeypatch):
    register(net, recorder)
    original = Inbound.next_frame

    def fail_for_one(self, now):
        if broken.is_set() and self.key.name == "bad.log" and self.rc is None:
            fail()
        return original(self, now)

    broken = threading.Event()
    monkeypatch.setattr(Inbound, "next_frame", fail_for_one)

    with live_log(net, tmp_path / "good.log") as good, live_log(net, tmp_path / "bad.log") as bad:
        good.write(b"good\n")
        bad.write(b"bad\n")
        recorder.wait(lambda: len(recorder.chunks) == 2)
        broken.set()
        bad.write(b"worse\n")
        bad.result()
        good.write(b"better\n")
        rc, _ = good.stop()

    assert rc == ReturnCode.OK
    assert recorder.data("good.log") == b"good\nbetter\n"
    assert sorted(recorder.rcs()) == [ReturnCode.EXECUTION_EXCEPTION, ReturnCode.OK]


def test_a_frame_that_cannot_be_encoded_ends_its_stream_only(net, recorder, tmp_path):
    register(net, recorder)
    site = net.engine("site-1")

    with live_log(net, tmp_path / "good.log") as good, live_log(net, tmp_path / "bad.log") as bad:
        good.write(b"good\n")
        bad.write(b"bad\n")
        recorder.wait(lambda: len(recorder.chunks) == 2)
        [lane] = [lane for f in site._followings for lane in f.sender.lanes if f.sender.spec.path.endswith("bad.log")]
        lane.protocol._meta = {"mine": object()}
        net.network.cut("site-1", "server")
        _, result = bad.result()
        good.write(b"better\n")
        rc, _ = good.stop()

    assert result["server"].get_return_code() == ReturnCode.EXECUTION_EXCEPTION
    assert rc == ReturnCode.OK
    assert recorder.data("good.log") == b"good\nbetter\n"


class Desk:
    """A Receiver on a hand-driven loop: work waits until the test lets it happen."""

    class Sink:
        blocking = True

        def __init__(self):
            self.events = []

        def begin(self, frame):
            self.events.append(f"begin {frame.run}")
            return Begun(Position(), 0, 5.0)

        def position(self):
            return Position()

        def commit(self):
            pass

        def data(self, frame):
            self.events.append("data")
            return GO_ON

        segment = heartbeat = data

        def eof(self, frame, run_start):
            return GO_ON

        def end(self, rc, reason):
            self.events.append(f"end {rc}")

    class Outlet:
        site = "site-1"
        is_patient = False

        def __init__(self):
            self.ready_sources = []

        def ready(self, stream, source):
            self.ready_sources.append(source)

        def frames(self):
            found = []
            for source in self.ready_sources:
                while (frame := source.next_frame(0.0)) is not None:
                    found.append(frame)
            return found

    def __init__(self):
        self.sinks = []
        self.waiting = []
        self.receiver = Receiver(
            self._open_sink, runner=self, clock=lambda: 0.0, later=lambda f: f(), watch=lambda inbound: None
        )

    def _open_sink(self, site, frame, end_stream):
        self.sinks.append(self.Sink())
        return self.sinks[-1]

    def submit(self, work, then):
        self.waiting.append((work, then))

    def work(self):
        while self.waiting:
            work, then = self.waiting.pop(0)
            then(work())

    def open(self, outlet, run="run-1", stream=0, kind="log"):
        self.receiver.receive(outlet, stream, Open(1, StreamKey("c", "t", "", "a.log"), run, kind=kind))


def test_an_abort_that_meets_an_unanswered_open_ends_the_stream_and_not_the_connection():
    desk, outlet = Desk(), Desk.Outlet()
    desk.open(outlet)

    desk.receiver.receive(outlet, 0, Abort(ReturnCode.TASK_ABORTED, "given up"))
    desk.work()

    assert desk.sinks[0].events == ["begin run-1", f"end {ReturnCode.TASK_ABORTED}"]
    assert list(desk.receiver.live()) == []


def test_an_accept_says_which_open_it_answers():
    desk, outlet = Desk(), Desk.Outlet()
    key = StreamKey("c", "t", "", "a.log")
    desk.receiver.receive(outlet, 0, Open(1, key, "run-1", attempt=1))
    desk.receiver.receive(outlet, 0, Open(1, key, "run-1", attempt=2))
    desk.work()

    assert [frame.attempt for frame in outlet.frames()] == [2]


def test_an_open_that_waited_for_an_older_runs_end_is_forgotten_with_its_connection():
    desk, first, second = Desk(), Desk.Outlet(), Desk.Outlet()
    desk.open(first, "run-1", kind="objects")
    desk.work()
    desk.open(second, "run-2", kind="objects")
    desk.receiver.connection_lost(second)
    desk.work()

    assert [sink.events for sink in desk.sinks] == [["begin run-1", f"end {ReturnCode.TASK_ABORTED}"]]
    assert list(desk.receiver.live()) == []
    assert second not in desk.receiver._on_outlet


def test_an_open_of_another_run_while_the_first_is_beginning_is_answered_for_the_newest():
    desk, first, second = Desk(), Desk.Outlet(), Desk.Outlet()
    desk.open(first, "run-1")
    desk.open(second, "run-2")
    desk.work()

    assert desk.sinks[0].events == ["begin run-1", "begin run-2"]
    [inbound] = desk.receiver.live()
    assert inbound.run == "run-2"
    assert inbound.is_on(second, 0)
    assert [type(frame).__name__ for frame in second.frames()] == ["Accept"]


def test_a_run_that_ends_while_its_next_open_waits_makes_room_for_it():
    desk, outlet = Desk(), Desk.Outlet()
    desk.open(outlet)
    desk.work()
    [inbound] = desk.receiver.live()
    inbound.end(ReturnCode.TIMEOUT, "silence")
    desk.open(outlet, "run-2")
    desk.work()

    assert [sink.events for sink in desk.sinks] == [["begin run-1", f"end {ReturnCode.TIMEOUT}"], ["begin run-2"]]


def test_the_connection_lost_while_a_run_begins_leaves_it_for_the_next_connection():
    desk, first, second = Desk(), Desk.Outlet(), Desk.Outlet()
    desk.open(first)
    desk.receiver.connection_lost(first)
    desk.work()
    desk.open(second)
    desk.work()

    assert desk.sinks[0].events == ["begin run-1"]
    assert [type(frame).__name__ for frame in second.frames()] == ["Accept"]


def test_names_as_long_as_paths_can_be_are_followed_or_refused_in_words(net, recorder, tmp_path):
    register(net, recorder)
    deep = tmp_path
    while len(str(deep)) < 3500:
        deep = deep / ("d" * 200)
    deep.mkdir(parents=True)

    with live_log(net, deep / "train.log") as live:
        live.write(numbered(10))
        rc, _ = live.stop()

    assert rc == ReturnCode.OK
    assert recorder.data() == numbered(10)
    wait_until(lambda: not any(net.engine("server").receiver.live()))
