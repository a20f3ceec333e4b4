"""The contract of FileStreamer, sentence by sentence."""

from __future__ import annotations

import os
import tempfile
import threading

import pytest

from logstreamer.apis.context import FLContext
from logstreamer.apis.shareable import ReturnCode, Shareable
from logstreamer.apis.streaming import PayloadKey
from logstreamer.errors import ConfigError, FileShrank
from logstreamer.streamers import FileStreamer
from logstreamer.streamers.file_consumer import FileConsumer
from streamers.pull_engine import Fault, PullNetwork

MIB = 1024 * 1024


class Arrivals:
    """What the callbacks of one registration saw, and what was in the files at that moment."""

    def __init__(self):
        self.done = []
        self.consumed = []

    def on_done(self, stream_ctx, fl_ctx, **kwargs):
        location = FileStreamer.get_file_location(stream_ctx)
        content = None
        if location is not None:
            with open(location, "rb") as file:
                content = file.read()
        self.done.append((FileStreamer.get_rc(stream_ctx), location, content, stream_ctx, kwargs))

    def on_consumed(self, outcome, stream_ctx, fl_ctx, **kwargs):
        self.consumed.append((outcome[0], outcome[1].get_return_code(), kwargs))


@pytest.fixture
def arrivals():
    return Arrivals()


@pytest.fixture
def inbox(tmp_path):
    directory = tmp_path / "inbox"
    directory.mkdir()
    return directory


def register(net, arrivals, inbox, **arguments):
    FileStreamer.register_stream_processing(
        net.engine("server").new_context(),
        "files",
        "model",
        **{
            "dest_dir": str(inbox),
            "stream_done_cb": arrivals.on_done,
            "chunk_consumed_cb": arrivals.on_consumed,
            **arguments,
        },
    )


def send(net, path, targets=("server",), **arguments):
    arguments = {"stream_ctx": {}, **arguments}
    return FileStreamer.stream_file(
        "files",
        "model",
        targets=list(targets),
        file_name=str(path),
        fl_ctx=net.engine("site-1").new_context(),
        **arguments,
    )


@pytest.mark.parametrize("size", [0, 1, 9, 10, 11, 20, 1000])
def test_it_reads_a_file_once_to_its_end_and_the_copy_is_exact(net, arrivals, inbox, tmp_path, size):
    register(net, arrivals, inbox)
    source = tmp_path / "model.bin"
    source.write_bytes(os.urandom(size))

    rc, result = send(net, source, chunk_size=10)

    [(done_rc, location, content, _, _)] = arrivals.done
    assert (rc, list(result), done_rc) == (ReturnCode.OK, ["server"], ReturnCode.OK)
    assert content == source.read_bytes()
    assert os.path.dirname(location) == str(inbox)


@pytest.mark.parametrize("unset", [None, 0])
def test_chunk_size_defaults_to_1_mib(net, arrivals, inbox, tmp_path, unset):
    register(net, arrivals, inbox)
    source = tmp_path / "model.bin"
    source.write_bytes(b"x" * (MIB + 1))

    send(net, source, chunk_size=unset, chunk_timeout=unset)

    assert len(arrivals.consumed) == 2


def test_get_file_name_location_and_size_read_the_context_back(net, arrivals, inbox, tmp_path):
    register(net, arrivals, inbox, tag="mine")
    source = tmp_path / "model.bin"
    source.write_bytes(b"12345")
    stream_ctx = {"mine": 1}

    send(net, source, stream_ctx=stream_ctx)

    [(_, location, _, done_ctx, kwargs)] = arrivals.done
    for ctx in (stream_ctx, done_ctx):
        assert FileStreamer.get_file_name(ctx) == "model.bin"
        assert FileStreamer.get_file_size(ctx) == 5
        assert FileStreamer.get_channel(ctx) == "files"
        assert FileStreamer.get_topic(ctx) == "model"
        assert ctx["mine"] == 1
    assert FileStreamer.get_file_location(done_ctx) == location
    assert FileStreamer.get_file_location(stream_ctx) is None
    assert kwargs == {"tag": "mine"}


def test_chunk_consumed_cb_sees_each_message_and_its_reply(net, arrivals, inbox, tmp_path):
    register(net, arrivals, inbox, tag="mine")
    source = tmp_path / "model.bin"
    source.write_bytes(b"x" * 25)

    send(net, source, stream_ctx=None, chunk_size=10)

    kwargs = {"tag": "mine"}
    assert arrivals.consumed == [(True, "OK", kwargs), (True, "OK", kwargs), (False, "OK", kwargs)]


def test_two_files_of_the_same_name_do_not_meet(net, arrivals, inbox, tmp_path):
    register(net, arrivals, inbox)
    source = tmp_path / "model.bin"

    for content in (b"first", b"second"):
        source.write_bytes(content)
        send(net, source)

    assert [content for _, _, content, _, _ in arrivals.done] == [b"first", b"second"]
    assert sorted(path.read_bytes() for path in inbox.iterdir()) == [b"first", b"second"]


def test_a_name_from_the_peer_is_never_used_as_a_path(arrivals, inbox):
    ctx = {PayloadKey.FILE_NAME: "../../etc/passwd", PayloadKey.FILE_SIZE: 0}

    FileConsumer(ctx, str(inbox)).finalize(ctx, None)

    assert list(inbox.parent.iterdir()) == [inbox]


def test_dest_dir_none_is_the_systems_temp_dir(net, arrivals, inbox, tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(inbox))
    register(net, arrivals, inbox, dest_dir=None)
    source = tmp_path / "model.bin"
    source.write_bytes(b"12345")

    send(net, source)

    assert [path.read_bytes() for path in inbox.iterdir()] == [b"12345"]


# What is refused


@pytest.mark.parametrize("name", ["missing", "", "a file"])
def test_a_dest_dir_that_is_not_a_directory_is_a_value_error(net, arrivals, tmp_path, name):
    (tmp_path / "a file").touch()

    with pytest.raises(ValueError, match="dest_dir must be a directory"):
        register(net, arrivals, os.path.join(tmp_path, name) if name else "")


@pytest.mark.parametrize("name", ["missing", "."])
def test_a_path_that_is_no_file_is_a_value_error(net, tmp_path, name):
    with pytest.raises(ValueError, match="file_name must be a file"):
        send(net, tmp_path / name)


@pytest.mark.parametrize("name", ["chunk_size", "chunk_timeout"])
def test_a_wrong_argument_is_named(net, tmp_path, name):
    source = tmp_path / "model.bin"
    source.touch()

    with pytest.raises(TypeError, match=f"^{name} must"):
        send(net, source, **{name: "1"})
    with pytest.raises(ConfigError, match=f"^{name} must"):
        send(net, source, **{name: -1})


def test_a_callback_that_cannot_be_called_is_named(net, arrivals, inbox):
    with pytest.raises(TypeError, match="stream_done_cb must be callable but got int"):
        register(net, arrivals, inbox, stream_done_cb=1)
    with pytest.raises(TypeError, match="chunk_consumed_cb must be callable but got int"):
        register(net, arrivals, inbox, chunk_consumed_cb=1)


def test_an_engine_that_cannot_stream_is_a_runtime_error_that_names_its_type(tmp_path):
    source = tmp_path / "model.bin"
    source.touch()

    with pytest.raises(RuntimeError, match="<class 'str'>"):
        FileStreamer.stream_file("files", "model", {}, ["server"], str(source), FLContext("engine"))
    with pytest.raises(RuntimeError, match="<class 'str'>"):
        FileStreamer.register_stream_processing(FLContext("engine"), "files", "model")


# What changes under way


def test_a_file_that_grows_while_it_is_read_is_sent_as_announced(net, arrivals, inbox, tmp_path):
    source = tmp_path / "model.bin"
    source.write_bytes(b"x" * 25)

    def grow(outcome, stream_ctx, fl_ctx):
        with source.open("ab") as file:
            file.write(b"more")

    register(net, arrivals, inbox, chunk_consumed_cb=grow)

    rc, _ = send(net, source, chunk_size=10)

    assert rc == ReturnCode.OK
    assert arrivals.done[0][2] == b"x" * 25


def test_a_file_that_shrinks_while_it_is_read_is_a_clear_failure(net, arrivals, inbox, tmp_path):
    source = tmp_path / "model.bin"
    source.write_bytes(b"x" * 100_000)
    register(net, arrivals, inbox, chunk_consumed_cb=lambda *args: os.truncate(source, 15))

    with pytest.raises(FileShrank, match=r"was 100000 bytes long .* ends after") as caught:
        send(net, source, chunk_size=10)

    assert caught.value.announced == 100_000
    assert caught.value.available < 100_000
    assert [rc for rc, *_ in arrivals.done] == [ReturnCode.TASK_ABORTED]
    assert list(inbox.iterdir()) == []


# What arrives wrong


def message(data, eof=False, size=None):
    return Shareable({PayloadKey.DATA: data, PayloadKey.SIZE: len(data) if size is None else size, PayloadKey.EOF: eof})


@pytest.mark.parametrize(
    ("messages", "text"),
    [
        ([message(b"abc", eof=True)], "received 3 bytes, but 5 were announced"),
        ([message(b"abc"), message(b"def")], "received 6 bytes, but 5 were announced"),
        ([message(b"abc", size=4)], "3 bytes of data, but its size field says 4"),
    ],
)
def test_the_received_size_must_equal_the_announced_one(inbox, messages, text):
    ctx = {PayloadKey.FILE_SIZE: 5}
    consumer = FileConsumer(ctx, str(inbox))

    *good, bad = messages
    for each in good:
        consumer.consume(each, ctx, FLContext())
    with pytest.raises(ValueError, match=text):
        consumer.consume(bad, ctx, FLContext())

    assert consumer.consume(message(b"de", eof=True), ctx, FLContext())[1].get_return_code() == ReturnCode.TASK_ABORTED
    consumer.finalize(ctx, None)
    assert FileStreamer.get_file_location(ctx) is None
    assert list(inbox.iterdir()) == []


@pytest.mark.parametrize("size", [None, -1, "5", True])
def test_an_announced_size_that_is_none_is_refused_before_a_file_is_made(inbox, size):
    with pytest.raises(ValueError, match="announced file size"):
        FileConsumer({PayloadKey.FILE_SIZE: size}, str(inbox))

    assert list(inbox.iterdir()) == []


def test_an_aborted_stream_leaves_no_file_that_pretends(inbox):
    ctx = {PayloadKey.FILE_SIZE: 5}
    consumer = FileConsumer(ctx, str(inbox))
    consumer.consume(message(b"abc"), ctx, FLContext())

    consumer.finalize(ctx, None)

    assert list(inbox.iterdir()) == []
    assert FileStreamer.get_file_location(ctx) is None


@pytest.mark.parametrize("fault", [Fault.LOSE_MESSAGE, Fault.LOSE_REPLY, Fault.DUPLICATE])
def test_a_fault_of_the_network_neither_loses_nor_doubles_a_byte(fault, arrivals, inbox, tmp_path, monkeypatch):
    """N4, N5."""
    monkeypatch.setattr("logstreamer.streamers.file_producer._RESEND_PAUSE", 0.001)
    net = PullNetwork(lambda target, number: fault if number % 3 == 0 and number < 10 else None)
    register(net, arrivals, inbox)
    source = tmp_path / "model.bin"
    source.write_bytes(os.urandom(200))

    rc, _ = send(net, source, chunk_size=10)

    assert rc == ReturnCode.OK
    assert arrivals.done[0][2] == source.read_bytes()


def test_a_receiver_that_is_not_there_is_a_failure(net, tmp_path, caplog):
    source = tmp_path / "model.bin"
    source.write_bytes(b"12345")

    for optional, levels in ((True, []), (False, ["ERROR"])):
        rc, result = send(net, source, optional=optional)
        assert rc == ReturnCode.ERROR
        assert not result
        assert result["server"].get_return_code() == ReturnCode.EXECUTION_EXCEPTION
        assert [record.levelname for record in caplog.records] == levels


def test_several_targets_each_get_their_own_copy(net, arrivals, tmp_path):
    source = tmp_path / "model.bin"
    source.write_bytes(b"x" * 25)
    locations, lock = [], threading.Lock()

    def on_done(stream_ctx, fl_ctx):
        with lock:
            locations.append(FileStreamer.get_file_location(stream_ctx))

    for site in ("a", "b"):
        directory = tmp_path / site
        directory.mkdir()
        FileStreamer.register_stream_processing(
            net.engine(site).new_context(), "files", "model", str(directory), on_done
        )

    rc, result = send(net, source, ("a", "b"), chunk_size=10)

    assert (rc, sorted(result)) == (ReturnCode.OK, ["a", "b"])
    assert len(set(locations)) == 2
