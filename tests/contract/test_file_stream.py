"""Contract: FileStreamer, the snapshot counterpart."""

from __future__ import annotations

import os
import tempfile

import pytest

from contract.objects import ListProducer
from logstreamer import ConfigError, FileStreamer, FLContext, PayloadKey, ReturnCode, Shareable
from streamers.test_file_streamer import Arrivals

MIB = 1 << 20


@pytest.fixture
def arrivals():
    return Arrivals()


@pytest.fixture
def inbox(tmp_path):
    (tmp_path / "inbox").mkdir()
    return tmp_path / "inbox"


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


def send(net, path, **arguments):
    context = net.engine("site-1").new_context()
    return FileStreamer.stream_file(
        "files", "model", arguments.pop("stream_ctx", {}), ["server"], path, context, **arguments
    )


@pytest.mark.parametrize("size", [0, 1, MIB, 3 * MIB + 1])
def test_it_reads_a_file_once_to_its_end(net, arrivals, inbox, tmp_path, size):
    register(net, arrivals, inbox, tag="mine")
    source = tmp_path / "model.bin"
    source.write_bytes(os.urandom(size))
    stream_ctx = {}

    rc, result = send(net, source, stream_ctx=stream_ctx)

    [(done_rc, location, content, done_ctx, kwargs)] = arrivals.done
    assert (rc, list(result), result["server"].get_return_code()) == (ReturnCode.OK, ["server"], ReturnCode.OK)
    assert done_rc == ReturnCode.OK
    assert content == source.read_bytes()
    assert os.path.dirname(location) == str(inbox)
    assert kwargs == {"tag": "mine"}
    assert len(arrivals.consumed) == max(1, -(-size // MIB))
    for ctx in (stream_ctx, done_ctx):
        assert (FileStreamer.get_file_name(ctx), FileStreamer.get_file_size(ctx)) == ("model.bin", size)
        assert (FileStreamer.get_channel(ctx), FileStreamer.get_topic(ctx)) == ("files", "model")
    assert FileStreamer.get_file_location(done_ctx) == location


def test_what_is_appended_while_it_is_read_is_not_sent(net, arrivals, inbox, tmp_path):
    source = tmp_path / "model.bin"
    source.write_bytes(b"snapshot")

    def grow(outcome, stream_ctx, fl_ctx):
        with source.open("ab") as file:
            file.write(b" and more")

    register(net, arrivals, inbox, chunk_consumed_cb=grow)

    rc, _ = send(net, source, chunk_size=3)

    assert rc == ReturnCode.OK
    assert arrivals.done[0][2] == b"snapshot"


def test_a_path_that_is_no_file_is_a_value_error(net, tmp_path):
    for path in (tmp_path / "missing", tmp_path):
        with pytest.raises(ValueError, match="must be a file"):
            send(net, path)


@pytest.mark.parametrize(
    ("name", "value", "error"),
    [("chunk_size", -1, ValueError), ("chunk_size", "1", TypeError), ("chunk_timeout", -1, ValueError)],
)
def test_a_wrong_argument_is_named(net, tmp_path, name, value, error):
    with pytest.raises(error, match=name):
        send(net, tmp_path / "missing", **{name: value})


def test_dest_dir_that_is_no_directory_is_a_value_error(net, arrivals, tmp_path):
    (tmp_path / "a file").write_bytes(b"")
    for path in (tmp_path / "missing", tmp_path / "a file"):
        with pytest.raises(ConfigError, match="dest_dir"):
            register(net, arrivals, path)


def test_dest_dir_none_is_the_systems_directory_for_temporary_files(net, arrivals, tmp_path):
    register(net, arrivals, None, dest_dir=None)
    (tmp_path / "model.bin").write_bytes(b"123")

    send(net, tmp_path / "model.bin")

    [(_, location, content, _, _)] = arrivals.done
    os.remove(location)
    assert os.path.dirname(location) == tempfile.gettempdir()
    assert content == b"123"


@pytest.mark.parametrize("engine", [None, "an engine"])
def test_the_engine_must_be_a_streamable_engine(engine, tmp_path):
    (tmp_path / "model.bin").write_bytes(b"123")
    for call in (
        lambda: FileStreamer.register_stream_processing(FLContext(engine), "files", "model"),
        lambda: FileStreamer.stream_file("files", "model", {}, ["server"], tmp_path / "model.bin", FLContext(engine)),
    ):
        with pytest.raises(RuntimeError, match=type(engine).__name__):
            call()


@pytest.mark.parametrize("announced", [2, 4])
def test_the_received_size_must_equal_the_announced_one(net, arrivals, inbox, announced):
    register(net, arrivals, inbox)
    engine = net.engine("site-1")
    chunk = Shareable({PayloadKey.DATA: b"123", PayloadKey.SIZE: 3, PayloadKey.EOF: True})
    producer = ListProducer([chunk])

    rc, _ = engine.stream_objects(
        "files", "model", {PayloadKey.FILE_SIZE: announced}, ["server"], producer, engine.new_context()
    )

    assert rc == ReturnCode.ERROR
    assert producer.replies[0]["server"].get_return_code() == ReturnCode.EXECUTION_EXCEPTION
    [(done_rc, location, _, _, _)] = arrivals.done
    assert (done_rc, location) == (ReturnCode.EXECUTION_EXCEPTION, None)
    assert os.listdir(inbox) == []
