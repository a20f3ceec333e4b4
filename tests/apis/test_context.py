"""FLContext and Signal."""

from logstreamer.apis.context import FLContext, Signal


def test_a_signal_is_raised_once_and_stays_up():
    signal = Signal()
    assert not signal.triggered

    signal.trigger()
    signal.trigger(False)

    assert signal.triggered


def test_a_context_tells_what_a_call_knows():
    engine, signal, peer = object(), Signal(), FLContext(identity_name="site-1")

    context = FLContext(engine, "server", "job-7", signal, peer)

    assert context.get_engine() is engine
    assert context.get_identity_name() == "server"
    assert context.get_job_id() == "job-7"
    assert context.get_run_abort_signal() is signal
    assert context.get_peer_context().get_identity_name() == "site-1"


def test_an_empty_context_knows_nothing():
    context = FLContext()

    assert context.get_engine() is None
    assert context.get_identity_name() == ""
    assert context.get_job_id() is None
    assert context.get_run_abort_signal() is None
    assert context.get_peer_context() is None
