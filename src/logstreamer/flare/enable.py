"""Enabling: an NVFlare site's resources.json with our widgets in it. Plans are pure; one function writes."""

from __future__ import annotations

import importlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from logstreamer.errors import ConfigError
from logstreamer.flare.resources_file import RESOURCES, ResourcesFile, dump, parse, unified
from logstreamer.flare.rules import CLASS_KEYS, KILL_SWITCH, check_log_file_name, class_name, is_denied

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
    """One participant's directory, or the workspace of a simulator, whose `local` is that of all participants.

    Args:
        path: it holds `startup` and `local`; a simulator's may hold nothing yet.
        kind: "server", "client" or "simulator".
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
    kits = _kits(root)
    if not kits:
        raise ConfigError(
            f"{root} is no NVFlare server or client, nor a directory of some: there is no "
            "startup/fed_server.json or startup/fed_client.json"
        )
    return kits


def _kits(root: Path) -> list[Kit]:
    below = sorted(path for path in root.iterdir() if path.is_dir()) if root.is_dir() else []
    return [kit for path in (root, *below) if (kit := _kit(path)) is not None]


def simulator_kit(workspace: str | os.PathLike[str]) -> Kit:
    """The workspace of a simulator, which may be yet to be made.

    Raises:
        ConfigError: it is a participant's or holds some.
    """
    root = Path(workspace)
    if kits := _kits(root):
        raise ConfigError(f"{root} is no simulator's workspace: there is the {kits[0].kind} {kits[0].path.name}")
    return Kit(root, "simulator")


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
        text = source.read_bytes().decode() if kit.kind != "simulator" or source.exists() else "{}"
        resources = parse(text)
        if not isinstance(resources, dict) or not isinstance(resources.get("components", []), list):
            raise ValueError("not a set of resources")
        indent = _indent(text)  # and not the layout of the file: what is shown is what changes
        before = dump(resources, indent)
    except (OSError, ValueError, RecursionError) as error:
        raise ConfigError(f"{source} cannot be used: {error}") from error
    notes: list[str] = []
    _allow(resources, notes)
    if kit.kind == "server":
        _receiver(resources.setdefault("components", []), store, notes)
    elif kit.kind == "client":
        _kill_switch(resources, notes)
        _streamers(resources.setdefault("components", []), files, notes)
    return Plan(kit, before, dump(resources, indent), tuple(notes))


def _allow(resources: dict[str, Any], notes: list[str]) -> None:
    if ALLOW_LIST in resources:
        allowed = resources[ALLOW_LIST]
    else:
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
    elif is_denied(value := resources[KILL_SWITCH]):
        notes.append(
            f"{KILL_SWITCH} is {dump(value, 0).strip()} and stays so: "
            "nothing is streamed from this site until its owner changes it"
        )


def _receiver(components: list[Any], store: str | None, notes: list[str]) -> None:
    args = {"store": os.path.abspath(store)} if store else {}  # the server has a working directory of its own
    found = _named(components, "JobLogReceiver")
    if not found:
        name = _free_id(components, "log_receiver")
        components.append({"id": name, "path": RECEIVER, "args": args})
        notes.append(f"component {name}: added")
    for component in _only_one(found, "JobLogReceiver"):
        wanted = {**_args(component), **args}
        if store and "dest_dir" in wanted:
            gone = wanted.pop("dest_dir")
            notes.append(f"component {component.get('id')}: store takes the place of dest_dir ({gone!r})")
        if component.get("path") != RECEIVER:
            notes.append(f"component {component.get('id')}: {_class_of(component)} becomes {RECEIVER}")
        elif component.get("args") != wanted:
            notes.append(f"component {component.get('id')}: its args change")
        else:
            continue
        _become(component, RECEIVER, wanted)
    for component in found:
        _check_args(component)


def _streamers(components: list[Any], files: Sequence[str], notes: list[str]) -> None:
    found: dict[str, list[dict[str, Any]]] = {}
    for component in _named(components, "SiteLogStreamer"):
        what = f"log_file_name of component {component.get('id')}"
        found.setdefault(check_log_file_name(_args(component).get("log_file_name", "log.txt"), what), []).append(
            component
        )
    for name, same in found.items():
        for component in _only_one(same, f"SiteLogStreamer for {name}"):
            if component.get("path") != SITE_STREAMER:
                became = f"{_class_of(component)} becomes {SITE_STREAMER}"
                notes.append(f"component {component.get('id')} ({name}): {became}")
                _become(component, SITE_STREAMER, component.get("args"))
            _check_args(component)
    for name in dict.fromkeys(files):
        if name not in found:
            free = _free_id(components, f"site_log_streamer_{name}")
            components.append({"id": free, "path": SITE_STREAMER, "args": {"log_file_name": name}})
            notes.append(f"component {free}: added")


def _only_one(components: list[dict[str, Any]], what: str) -> list[dict[str, Any]]:
    """*components*, of which the last one would silence the others, or the first one the rest.

    Raises:
        ConfigError: there are several.
    """
    if len(components) > 1:
        names = ", ".join(str(component.get("id")) for component in components)
        raise ConfigError(f"components {names}: only one {what} has an effect; take the others out first")
    return components


def _check_args(component: dict[str, Any]) -> None:
    """Make what NVFlare will make of *component*: a site whose resources cannot be built does not start.

    Raises:
        ConfigError: it cannot be made.
    """
    module, _, name = component["path"].rpartition(".")
    try:
        widget = getattr(importlib.import_module(module), name)
    except ImportError:
        return  # NVFlare is not installed here, and nobody can tell
    try:
        widget(**_args(component))
    except (TypeError, ValueError) as error:
        raise ConfigError(f"args of component {component.get('id')} cannot be used: {error}") from error


def _named(components: list[Any], name: str) -> list[dict[str, Any]]:
    """The components of class *name*, whichever way they say so.

    Raises:
        ConfigError: one of all is no component.
    """
    for component in components:
        if not isinstance(component, dict):
            raise ConfigError(f"each of the components must be an object but one is {type(component).__name__}")
    return [component for component in components if class_name(component) == name]


def _class_of(component: dict[str, Any]) -> str:
    return str(next(component[key] for key in CLASS_KEYS if key in component))


def _become(component: dict[str, Any], path: str, args: Any) -> None:
    for key in CLASS_KEYS[1:]:
        component.pop(key, None)
    component["path"] = path
    if args is not None:
        component["args"] = args


def _args(component: dict[str, Any]) -> dict[str, Any]:
    args = component.get("args")
    if args is not None and not isinstance(args, dict):
        raise ConfigError(f"args of component {component.get('id')} must be an object but are {type(args).__name__}")
    return args or {}


def _free_id(components: list[Any], wanted: str) -> str:
    """*wanted*, or the first of WANTED_2, WANTED_3, ... that no component has."""
    taken = [component.get("id") for component in components]
    number, free = 1, wanted
    while free in taken:
        number += 1
        free = f"{wanted}_{number}"
    return free


def _indent(text: str) -> int:
    for line in text.splitlines():
        if line.startswith(" "):
            return len(line) - len(line.lstrip(" "))
    return 2
