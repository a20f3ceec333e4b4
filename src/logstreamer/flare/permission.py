"""Permission: what a site's kill switch says, in its own processes and at the server."""

from __future__ import annotations

import json
import os
from typing import Any

from nvflare.apis.fl_constant import FLContextKey
from nvflare.apis.workspace import Workspace
from nvflare.app_common.logging.constants import is_log_streaming_allowed

from logstreamer.flare.rules import KILL_SWITCH, is_denied


def may_stream(fl_ctx: Any) -> bool:
    """Whether this site allows its logs to be streamed; NVFlare's own answer, and never more than the file says."""
    try:
        if not is_log_streaming_allowed(fl_ctx):
            return False
    except ValueError:  # a value that NVFlare can make nothing of
        return False
    path = _resources(fl_ctx)
    if path is None:
        return True
    try:
        with open(path, encoding="utf-8") as file:
            resources = json.load(file)
    except (OSError, ValueError):
        return True  # as NVFlare, which does not start with such a file
    return not isinstance(resources, dict) or not is_denied(resources.get(KILL_SWITCH, True))


def _resources(fl_ctx: Any) -> str | None:
    root, site = fl_ctx.get_prop(FLContextKey.WORKSPACE_ROOT), fl_ctx.get_identity_name(default="")
    if not root or not site:
        return None
    try:
        path = Workspace(root_dir=root, site_name=site).get_resources_file_path()
    except (OSError, RuntimeError, ValueError):  # no workspace; NVFlare asks no further either
        return None
    return path if path and os.path.isfile(path) else None
