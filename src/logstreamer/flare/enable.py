"""Enabling: an NVFlare site's resources.json with our widgets in it. Plans are pure; one function writes."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from logstreamer.errors import ConfigError
from logstreamer.flare.resources_file import RESOURCES, ResourcesFile, dump, parse, unified
from logstreamer.flare.rules import check_log_file_name

KILL_SWITCH = "allow_log_streaming"
ALLOW_LIST = "class_allow_list"
JOB_CLASSES = (
    "logstreamer.flare.JobLogReceiver",
    "logstreamer.flare.JobLogStreamer",
    "logstreamer.flare.job_log_receiver.JobLogReceiver",
    "logstreamer.flare.job_log_streamer.JobLogStreamer",
)
"""What a job without code of its own may name; the long form is what NVFlare's job API writes."""

RECEIVER = "logstreamer.flare.job_log_receiver.JobLogReceiver"
SITE_STREAMER = "logstreamer.flare.site_log_streamer.SiteLogStreamer"


@dataclass(frozen=True, slots=True)
class Kit:
    """One participant's directory.

    Args:
        path: it holds `startup` and `local`.
        kind: "server" or "client".
    """

    path: Path
    kind: str

    @property
    def file(self) -> ResourcesFile:
        """Its resources.json."""
        return ResourcesFile(self.path / "local", f"{self.path.name}/local/{RESOURCES}")


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to become of one kit.

    Args:
        before, after: resources.json in one layout; *before* is the default where there was none of its own.
        notes: what changes and what does not, for a person.
    """

    kit: Kit
    before: str
    after: str
    notes: tuple[str, ...]

    def diff(self) -> str:
        """The changes, as `diff -u` shows them; "" where there are none."""
        title = f"{self.kit.path.name}/local/{RESOURCES}"
        return unified(self.before, self.after, title, f"{title} with logstreamer")


def find_kits(workspace: str | os.PathLike[str]) -> list[Kit]:
    """The server and the clients whose directories are *workspace* or lie right below it.

    Raises:
        ConfigError: there are none.
    """
    root = Path(workspace)
    below = sorted(path for path in root.iterdir() if path.is_dir()) if root.is_dir() else []
    kits = [kit for path in (root, *below) if (kit := _kit(path)) is not None]
    if not kits:
        raise ConfigError(
            f"{root} is no NVFlare server or client, nor a directory of some: there is no "
            "startup/fed_server.json or startup/fed_client.json"
        )
    return kits


def _kit(path: Path) -> Kit | None:
    for kind in ("server", "client"):
        if (path / "startup" / f"fed_{kind}.json").is_file() and (path / "local").is_dir():
            return Kit(path, kind)
    return None


def plan(kit: Kit, *, files: Sequence[str] = ("log.txt", "error_log.txt"), store: str | None = None) -> Plan:
    """What *kit* needs for live logs.

    Args:
        files: the log files that every job of a client streams.
        store: a directory of logstreamer's for the server's copies; None: NVFlare's job storage alone.

    Raises:
        ConfigError: its resources cannot be used, or one of *files* is not below a job's directory.
    """
    for name in files:
        check_log_file_name(name, "--file")
    source = kit.file.source
    try:
        text = source.read_bytes().decode()
        resources = parse(text)
        if not isinstance(resources, dict) or not isinstance(resources.get("components", []), list):
            raise ValueError("not a set of resources")
        indent = _indent(text)  # and not the layout of the file: what is shown is what changes
        before = dump(resources, indent)
    except (OSError, ValueError, RecursionError) as error:
        raise ConfigError(f"{source} cannot be used: {error}") from error
    notes: list[str] = []
    _allow(resources, notes)
    components = resources.setdefault("components", [])
    if kit.kind == "server":
        _receiver(components, store, notes)
    else:
        _kill_switch(resources, notes)
        _streamers(components, files, notes)
    return Plan(kit, before, dump(resources, indent), tuple(notes))


def _allow(resources: dict[str, Any], notes: list[str]) -> None:
    allowed = resources.get(ALLOW_LIST)
    if allowed is None:
        allowed = _default_list()
        notes.append(f"{ALLOW_LIST}: NVFlare's own default list is written out, because a list replaces it")
    if not isinstance(allowed, list):
        raise ConfigError(f"{ALLOW_LIST} must be a list but is {type(allowed).__name__}")
    if "*" in allowed:
        notes.append(f"{ALLOW_LIST}: every class is allowed already; consider whether it should be")
        return
    missing = [name for name in JOB_CLASSES if name not in allowed]
    if missing:
        resources[ALLOW_LIST] = [*allowed, *missing]
        notes.append(f"{ALLOW_LIST}: {len(missing)} entries added, so that jobs may declare our two widgets")


def _default_list() -> list[str]:
    try:
        from nvflare.app_common.default_component_policy import DEFAULT_CLASS_ALLOW_LIST
    except ImportError as error:
        raise ConfigError(
            f"{ALLOW_LIST} is not set, and NVFlare is not installed here to ask for its default"
        ) from error
    return list(DEFAULT_CLASS_ALLOW_LIST)


def _kill_switch(resources: dict[str, Any], notes: list[str]) -> None:
    if KILL_SWITCH not in resources:
        resources[KILL_SWITCH] = True
        notes.append(f"{KILL_SWITCH}: true is written out; false turns all live logs of this site off")
    elif not resources[KILL_SWITCH]:
        notes.append(
            f"{KILL_SWITCH} is false and stays so: nothing is streamed from this site until its owner changes it"
        )


def _receiver(components: list[Any], store: str | None, notes: list[str]) -> None:
    args = {"store": store} if store else {}
    found = _named(components, "JobLogReceiver")
    if not found:
        components.append({"id": "log_receiver", "path": RECEIVER, "args": args})
        notes.append("component log_receiver: added")
    for component in found[:1]:
        wanted = {**(component.get("args") or {}), **args}
        if (component["path"], component.get("args")) != (RECEIVER, wanted):
            notes.append(f"component {component.get('id')}: {component['path']} becomes {RECEIVER}")
            component.update(path=RECEIVER, args=wanted)


def _streamers(components: list[Any], files: Sequence[str], notes: list[str]) -> None:
    found = {
        (component.get("args") or {}).get("log_file_name", "log.txt"): component
        for component in _named(components, "SiteLogStreamer")
    }
    for name, component in found.items():
        if component["path"] != SITE_STREAMER:
            notes.append(f"component {component.get('id')} ({name}): {component['path']} becomes {SITE_STREAMER}")
            component["path"] = SITE_STREAMER
    for name in files:
        if name not in found:
            components.append(
                {"id": f"site_log_streamer_{name}", "path": SITE_STREAMER, "args": {"log_file_name": name}}
            )
            notes.append(f"component site_log_streamer_{name}: added")


def _named(components: list[Any], name: str) -> list[dict[str, Any]]:
    return [
        component
        for component in components
        if isinstance(component, dict) and str(component.get("path", "")).rpartition(".")[2] == name
    ]


def _indent(text: str) -> int:
    for line in text.splitlines():
        if line.startswith(" "):
            return len(line) - len(line.lstrip(" "))
    return 2
