"""FedJobs: what becomes of our widgets in NVFlare's Job API, which recipes use as well."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from nvflare.apis.job_def import ALL_SITES, SERVER_SITE_NAME

PACKAGE = "logstreamer"


def add_widget(widget: Any, job: Any, ctx: Any) -> str:
    """Put *widget* into the app that *ctx* names; the id that it got.

    Without this the job would carry copies of those modules of ours that the widget imports. They would stand in front
    of the installed package, and a job with code is not held to a site's class_allow_list, nor allowed everywhere.

    Args:
        job: the FedJob.
        ctx: its JobCtx.
    """
    packages = job.job.app_packages
    if PACKAGE not in packages:
        job.set_app_packages([*packages, PACKAGE])
    return str(job.add_component(ctx.comp_id, widget, ctx))


def client_targets(job: Any) -> list[str]:
    """The clients that have apps of their own in the FedJob *job*, or `@ALL` for one app; [] if there are none."""
    # NVFlare's recipes look there too: it offers nothing public.
    targets = [target for target in job._deploy_map if target != SERVER_SITE_NAME]
    return [ALL_SITES] if ALL_SITES in targets else targets


def components(job: Any, target: str) -> Iterator[Any]:
    """What the app of *target* in the FedJob *job* has so far, executors and workflows aside."""
    app = job._deploy_map.get(target)
    yield from app.get_app_config().components.values() if app is not None else ()
