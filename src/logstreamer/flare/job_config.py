"""A job's client configuration: as its process will find it, and without streamers."""

from __future__ import annotations

import json
import os
from typing import Any

from nvflare.apis.fl_constant import JobConstants
from nvflare.fuel.utils.config_factory import ConfigFactory

from logstreamer.flare.rules import CLASS_KEYS

_STREAMER_NAME = "JobLogStreamer"


def load(directory: str) -> Any:
    """What a job process reads from *directory*: any of NVFlare's formats, in any directory below. None: nothing.

    Raises:
        Exception: it cannot be read; NVFlare's loaders have no error of their own.
    """
    kind, path = ConfigFactory.search_config_format(JobConstants.CLIENT_JOB_CONFIG, [directory])
    if path is None:
        return None
    config = ConfigFactory.load_config(os.path.basename(path), [os.path.dirname(path)], kind)
    return config.to_dict() if config is not None else None


def without_streamers(element: Any) -> Any:
    """*element* of a configuration without any streamer of a job's log, however deep: NVFlare builds those as well
    that are an argument of another component."""
    if isinstance(element, list):
        return [without_streamers(item) for item in element if not is_streamer(item)]
    if isinstance(element, dict):
        return {key: without_streamers(item) for key, item in element.items() if not is_streamer(item)}
    return element


def is_streamer(component: Any) -> bool:
    """Whether a component is a streamer of a job's log, by whichever key it names its class."""
    return isinstance(component, dict) and any(_STREAMER_NAME in str(component.get(key, "")) for key in CLASS_KEYS)


def write_json(path: str, content: Any) -> None:
    """Replace the file at *path* by *content*, or leave it as it is.

    Raises:
        OSError: it is as it was.
    """
    temporary = f"{path}.{os.getpid()}.tmp"
    try:
        with open(temporary, "w", encoding="utf-8") as file:
            json.dump(content, file, indent=2)
            file.write("\n")
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    finally:
        if os.path.exists(temporary):
            os.remove(temporary)
