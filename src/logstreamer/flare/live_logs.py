"""Live logs for a job or a recipe of NVFlare's."""

from __future__ import annotations

import os
from typing import Any

from nvflare.apis.job_def import SERVER_SITE_NAME

from logstreamer.errors import ConfigError
from logstreamer.flare.fed_job import client_targets, components
from logstreamer.flare.job_log_receiver import JobLogReceiver
from logstreamer.flare.job_log_streamer import JobLogStreamer


def enable_log_streaming(job: Any, *file_names: str, store: str | os.PathLike[str] | None = None) -> None:
    """Let every client of *job* send its log files while the job runs.

    A second call adds files; those that are sent already stay as they are.

    Args:
        job: a recipe, or a FedJob that has got what its clients do; the clients may have apps of their own.
        *file_names: below the directory of the job's logs; log.txt where none is given.
        store: as in `JobLogReceiver`: where the server keeps the logs, not where this is called.

    Raises:
        TypeError, ValueError: a file name or store cannot be used.
        ConfigError: the job has a receiver of logs already, NVFlare's own or one with another store; or it has no
            client yet. Nothing was added.
    """
    streamers = [JobLogStreamer(log_file_name=name) for name in dict.fromkeys(file_names or ("log.txt",))]
    store = os.fspath(store) if isinstance(store, os.PathLike) else store
    receiver = JobLogReceiver(store=store)
    if hasattr(job, "_job"):  # a recipe; its own `enable_log_streaming` goes the same way, it offers none for others
        job._ensure_client_apps_prepared()
        job = job._job
    targets = client_targets(job)
    if not targets:
        raise ConfigError("the job has no clients yet: live logs for all would replace the apps that some get later")
    has_receiver = _has_receiver(job, store)
    for streamer in streamers:
        for target in targets:
            if not _sends(job, target, streamer.log_file_name):
                job.to(streamer, target, id=f"log_streamer_{streamer.log_file_name}")
    if not has_receiver:
        job.to_server(receiver, id="log_receiver")


def _has_receiver(job: Any, store: str | None) -> bool:
    for component in components(job, SERVER_SITE_NAME):
        if isinstance(component, JobLogReceiver):
            if store not in (None, component.store):
                raise ConfigError(f"the job's logs go to {component.store or 'no store'} already, not to {store}")
            return True
        if type(component).__name__ == JobLogReceiver.__name__:
            raise ConfigError("the job has NVFlare's own JobLogReceiver already: one of the two would receive nothing")
    return False


def _sends(job: Any, target: str, name: str) -> bool:
    return any(
        isinstance(component, JobLogStreamer) and component.log_file_name == name
        for component in components(job, target)
    )
