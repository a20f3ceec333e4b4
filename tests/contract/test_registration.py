"""Contract: what is checked, and in which order, before anything streams."""

from __future__ import annotations

import pytest

from contract.ends import live_log, register
from logstreamer import ConfigError, FLContext, LogStreamer


@pytest.mark.parametrize("engine", [None, "an engine"])
def test_the_engine_must_be_a_streamable_engine_else_runtime_error_names_the_type_it_got(engine):
    for call in (
        lambda: LogStreamer.register_stream_processing(FLContext(engine), "logs", "train"),
        lambda: LogStreamer.stream_log("logs", "train", {}, ["server"], "x.log", FLContext(engine)),
    ):
        with pytest.raises(RuntimeError, match=type(engine).__name__):
            call()


def test_register_stream_processing_returns_none(net):
    assert LogStreamer.register_stream_processing(net.engine("server").new_context(), "logs", "train") is None


@pytest.mark.parametrize(
    ("arguments", "error", "name"),
    [
        ({"chunk_received_cb": "no function"}, TypeError, "chunk_received_cb"),
        ({"stream_done_cb": 3}, TypeError, "stream_done_cb"),
        ({"idle_timeout": "30"}, TypeError, "idle_timeout"),
        ({"idle_timeout": -1.0}, ValueError, "idle_timeout"),
        ({"factory": 1}, ValueError, "factory"),
        ({"channel": 5}, TypeError, "channel"),
        ({"topic": None}, TypeError, "topic"),
    ],
)
def test_a_wrong_argument_of_the_registration_is_named(net, recorder, arguments, error, name):
    everything = {"channel": "logs", "topic": "train", **arguments}
    with pytest.raises(error, match=name):
        LogStreamer.register_stream_processing(net.engine("server").new_context(), **everything)


WRONG = [
    ("chunk_size", "64", TypeError),
    ("chunk_size", 1.5, TypeError),
    ("chunk_size", -1, ValueError),
    ("chunk_timeout", "5", TypeError),
    ("chunk_timeout", -0.1, ValueError),
    ("poll_interval", None, TypeError),
    ("poll_interval", 0, ValueError),
    ("liveness_interval", "10", TypeError),
    ("liveness_interval", 0.0, ValueError),
    ("idle_timeout", [], TypeError),
    ("idle_timeout", -1, ValueError),
]


@pytest.mark.parametrize(("name", "value", "error"), WRONG)
def test_a_wrong_argument_of_stream_log_is_named(net, name, value, error):
    with pytest.raises(error, match=name):
        LogStreamer.stream_log(
            "logs", "train", {}, ["server"], "x.log", net.engine("site-1").new_context(), **{name: value}
        )


def test_arguments_are_checked_in_order_before_the_engine_is_looked_at():
    wrong = {
        "chunk_size": -1,
        "chunk_timeout": -1,
        "poll_interval": -1,
        "liveness_interval": -1,
        "idle_timeout": -1,
    }
    order = []
    while wrong:
        with pytest.raises(ValueError, match="must") as caught:
            LogStreamer.stream_log("logs", "train", {}, ["server"], "x.log", FLContext(None), **wrong)
        order.append(str(caught.value).split()[0])
        del wrong[order[-1]]

    assert order == ["chunk_size", "chunk_timeout", "poll_interval", "liveness_interval", "idle_timeout"]


@pytest.mark.parametrize("idle_timeout", [7.5, 10.0])
def test_an_idle_timeout_not_above_the_liveness_interval_is_a_value_error_that_shows_both(idle_timeout):
    with pytest.raises(ConfigError, match=rf"10\.0.*{idle_timeout}"):
        LogStreamer.stream_log("logs", "train", {}, [], "x", FLContext(), None, 0.5, 10.0, idle_timeout)


@pytest.mark.parametrize("nothing", [None, 0])
def test_chunk_size_and_chunk_timeout_given_as_none_or_0_mean_the_default(net, recorder, tmp_path, nothing):
    register(net, recorder)
    log = tmp_path / "train.log"
    log.write_bytes(b"x" * (64 * 1024 + 1))

    with live_log(net, log, chunk_size=nothing, chunk_timeout=nothing) as live:
        live.stop()

    assert [len(data) for data, *_ in recorder.chunks] == [64 * 1024, 1]


@pytest.mark.parametrize("targets", [[], "server", ["server", "server"]])
def test_targets_must_be_a_list_of_different_sites(net, tmp_path, targets):
    with pytest.raises(ConfigError, match="targets"):
        LogStreamer.stream_log("logs", "train", {}, targets, tmp_path / "x", net.engine("site-1").new_context())


@pytest.mark.parametrize("value", [object(), 1 << 70, "\udcff"])
def test_a_stream_ctx_that_cannot_travel_is_a_config_error(net, tmp_path, value):
    with pytest.raises(ConfigError, match="cannot"):
        LogStreamer.stream_log(
            "logs", "train", {"mine": value}, ["server"], tmp_path / "x", net.engine("site-1").new_context()
        )


@pytest.mark.parametrize(
    ("channel", "stream_ctx"),
    [
        ("logs", {7: 7}),
        ("c" * 5000, {}),
        ("logs", {"m": "x" * 40_000}),
    ],
)
def test_what_the_first_message_cannot_hold_is_a_config_error_and_not_a_dead_connection(
    net, recorder, tmp_path, channel, stream_ctx
):
    register(net, recorder)
    context = net.engine("site-1").new_context()
    with pytest.raises(ConfigError):
        LogStreamer.stream_log(channel, "train", stream_ctx, ["server"], tmp_path / "x", context)

    with live_log(net, tmp_path / "train.log") as live:
        live.write(b"line 1\n")
        rc, _ = live.stop()

    assert rc == "OK"
    assert recorder.data("train.log") == b"line 1\n"
