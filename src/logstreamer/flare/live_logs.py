"""Live logs for a job or a recipe of NVFlare's."""

from __future__ import annotations

from typing import Any

from logstreamer.flare.job_log_receiver import JobLogReceiver
from logstreamer.flare.job_log_streamer import JobLogStreamer


def enable_log_streaming(job: Any, *file_names: str, store: str | None = None) -> None:
    """Let every client of *job* send its log files while the job runs.

    Args:
        job: a recipe or a FedJob; a recipe's clients may have apps of their own.
        *file_names: below the directory of the job's logs; log.txt where none is given.
        store: as in `JobLogReceiver`.
    """
    # A recipe's own `enable_log_streaming` goes the same way; it offers no public one for other components.
    add = getattr(job, "_add_to_client_apps", None) or job.to_clients
    for number, name in enumerate(file_names or ("log.txt",)):
        add(JobLogStreamer(log_file_name=name), id=f"log_streamer_{number}")
    getattr(job, "_job", job).to_server(JobLogReceiver(store=store), id="log_receiver")
