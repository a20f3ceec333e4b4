"""The contract over NVFlare's ObjectStreamer: the tests of `tests/contract` with cells in place of our own engines."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from contract.test_bootstrap import *  # noqa: F403
from contract.test_endings import *  # noqa: F403
from contract.test_file_stream import *  # noqa: F403
from contract.test_log_stream import *  # noqa: F403
from contract.test_targets import *  # noqa: F403
from flare.net import FlareNet
from logstreamer import sender
from streamers.recording import Recorder

pytestmark = [pytest.mark.slow, pytest.mark.timeout(90)]

OUR_ENGINES_ONLY = (
    # They look into an engine of ours, or end one: NVFlare's end with their processes, see test_cellnet.
    "test_a_vanished_sender_is_timeout_after_idle_timeout",
    "test_the_clock_runs_from_the_opening_so_a_sender_that_dies_at_once_is_noticed",
    "test_a_sender_that_dies_while_it_only_sends_heartbeats_is_noticed",
    "test_idle_timeout_0_disables_the_clock",
    "test_heartbeats_keep_the_idle_clock_from_firing_and_never_reach_the_callback",
    "test_the_sender_lowers_its_heartbeat_below_a_third_of_the_idle_timeout_and_says_so_once",
    "test_a_sender_that_was_shut_down_and_returns_continues_where_it_stopped",
    "test_end_of_file_abort_and_timeout_race_and_exactly_one_wins",
    "test_an_engine_that_appears_late_loses_not_a_byte_and_costs_no_error_line",
    # A producer of the test's own, handed to NVFlare's engine itself.
    "test_the_received_size_must_equal_the_announced_one",
    # An idle timeout of 50 ms is less than a message and its reply take on a busy machine: test_cellnet has 2 s.
    "test_a_callback_slower_than_the_idle_timeout_is_no_timeout_and_done_comes_after_it",
    # Passes, but the sender hears of such an end with its next message: a heartbeat, 10 s later.
    "test_the_end_stream_hook_ends_the_stream_from_any_thread",
    # The line comes from another logger; and whether a cell can protect a payload is known to NVFlare alone.
    "test_a_failure_of_an_optional_stream_is_no_error_for_the_callers_log",
    "test_secure_is_kept_or_the_stream_is_refused_never_sent_in_the_clear",
)
for name in OUR_ENGINES_ONLY:
    del globals()[name]


@pytest.fixture(autouse=True)
def impatient(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """As in the contract's tests of several targets."""
    if request.function.__module__ == "contract.test_targets":
        monkeypatch.setattr(sender, "GIVE_UP_SECONDS", 1.0)


@pytest.fixture
def net() -> Iterator[FlareNet]:
    """Cells of one process."""
    net = FlareNet()
    yield net
    net.close()


@pytest.fixture
def recorder() -> Recorder:
    """Callbacks that remember."""
    return Recorder()
