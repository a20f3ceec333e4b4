"""An NVFlare deployment on this machine: a server and its clients as processes of their own, mutual TLS, free ports."""

from __future__ import annotations

import json
import os
import select
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

import yaml

PROJECT = {
    "api_version": 3,
    "name": "poc",
    "description": "a test",
    "builders": [
        {
            "path": "nvflare.lighter.impl.workspace.WorkspaceBuilder",
            "args": {"template_file": ["master_template.yml", "aws_template.yml", "azure_template.yml"]},
        },
        {"path": "nvflare.lighter.impl.static_file.StaticFileBuilder", "args": {"config_folder": "config"}},
        {"path": "nvflare.lighter.impl.cert.CertBuilder"},
        {"path": "nvflare.lighter.impl.signature.SignatureBuilder"},
    ],
}
ADMIN = "admin@nvidia.com"
SITES = ("site-1", "site-2", "site-3", "site-4")
PATIENCE = 90.0


class Deployment:
    """One workspace below *root* and its processes."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._environment = {
            **os.environ,
            "NVFLARE_POC_WORKSPACE": str(root / "poc"),
            "HOME": str(root),
            "TMPDIR": str(root / "tmp"),
        }
        (root / "tmp").mkdir(parents=True)
        self.kits = root / "poc" / "poc" / "prod_00"
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._admin: subprocess.Popen[str] | None = None

    def prepare(self) -> None:
        """Provision the server, the clients and an administrator."""
        project = {
            **PROJECT,
            "participants": [
                {"name": "server", "type": "server", "org": "org", "default_host": "localhost", **_ports()},
                *({"name": site, "type": "client", "org": "org"} for site in SITES),
                {"name": ADMIN, "type": "admin", "org": "org", "role": "project_admin"},
            ],
        }
        path = self.root / "project.yml"
        path.write_text(yaml.safe_dump(project))
        nvflare = Path(sys.executable).with_name("nvflare")
        done = subprocess.run(
            [nvflare, "poc", "prepare", "-i", path, "--force"],
            env=self._environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert self.kits.is_dir(), done.stdout + done.stderr
        storage = self.kits / "server" / "local" / "resources.json.default"
        own = storage.with_name("resources.json")
        text = (own if own.exists() else storage).read_text()
        own.write_text(text.replace("/tmp/nvflare", str(self.root / "nvflare")))

    def logstreamer(self, *argv: object) -> subprocess.CompletedProcess[str]:
        """Run our command line."""
        return subprocess.run(
            [sys.executable, "-m", "logstreamer", *map(str, argv)],
            env=self._environment,
            capture_output=True,
            text=True,
            check=False,
        )

    def local(self, name: str, file: str) -> Path:
        """A file of a participant's `local` directory."""
        return self.kits / name / "local" / file

    def change(self, name: str, file: str, **items: Any) -> None:
        """Set top-level items of a JSON file in a participant's `local` directory."""
        path = self.local(name, file)
        source = path if path.exists() else path.with_name(f"{file}.default")
        path.write_text(json.dumps({**json.loads(source.read_text()), **items}, indent=2))

    def start(self) -> None:
        """Start the server and the clients."""
        self._start("server", "server.server_train", "fed_server.json", "secure_train=true", "org=org")
        for site in SITES:
            self.start_client(site)

    def start_client(self, site: str) -> None:
        """Start one client, again where it was killed."""
        self._start(site, "client.client_train", "fed_client.json", "secure_train=true", f"uid={site}", "org=org")

    def _start(self, name: str, module: str, config: str, *settings: str) -> None:
        workspace = self.kits / name
        with (self.root / f"{name}.out").open("ab") as output:
            self._processes[name] = subprocess.Popen(
                [
                    *(sys.executable, "-u", "-m", f"nvflare.private.fed.app.{module}", "-m", workspace, "-s", config),
                    *("--set", *settings, "config_folder=config"),
                ],
                cwd=workspace,
                env={**self._environment, "PYTHONPATH": ""},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def submit(self, job_directory: Path) -> str:
        """Submit a job once the clients are there; its id."""
        with (self.root / "admin.out").open("wb") as output:
            self._admin = subprocess.Popen(
                [
                    sys.executable,
                    Path(__file__).with_name("admin.py"),
                    self.kits / ADMIN,
                    job_directory,
                    str(len(SITES)),
                ],
                env=self._environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=output,
                text=True,
            )
        assert self._admin.stdout is not None
        ready, _, _ = select.select([self._admin.stdout], [], [], PATIENCE)
        job = self._admin.stdout.readline().strip() if ready else ""
        assert job, self.output()
        return job

    def abort(self) -> None:
        """Abort the job."""
        assert self._admin is not None
        self._admin.communicate("abort\n", timeout=PATIENCE)

    def kill_job(self, site: str, job: str) -> None:
        """SIGKILL for the process that runs *job* at *site*."""
        os.kill(self.job_process(site, job), signal.SIGKILL)

    def kill_client(self, site: str, job: str) -> None:
        """SIGKILL for the client, and for the job that it runs."""
        process = self._processes.pop(site)
        process.kill()
        process.wait()
        self.kill_job(site, job)

    def job_process(self, site: str, job: str) -> int:
        """The process that runs *job* at *site*; 0 where there is none."""
        for entry in Path("/proc").iterdir():
            if not entry.name.isdigit():
                continue
            try:
                argv = (entry / "cmdline").read_bytes().split(b"\0")
            except OSError:
                continue
            if b"nvflare.private.fed.app.client.worker_process" in argv and job.encode() in argv:
                workspace = argv[argv.index(b"-m", argv.index(b"-m") + 1) + 1] if argv.count(b"-m") > 1 else b""
                if workspace == str(self.kits / site).encode():
                    return int(entry.name)
        return 0

    def output(self) -> str:
        """What the processes said last."""
        return "\n".join(
            f"--- {path.name}\n" + "\n".join(path.read_text(errors="replace").splitlines()[-25:])
            for path in sorted(self.root.glob("*.out"))
        )

    def close(self) -> None:
        """Kill every process, and those that they started."""
        if self._admin is not None:
            self._admin.kill()
            self._admin.communicate()
        for process in self._processes.values():
            try:
                os.killpg(process.pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
            process.wait()
        for entry in Path("/proc").iterdir():  # job processes have sessions of their own
            try:
                if entry.name.isdigit() and str(self.kits).encode() in (entry / "cmdline").read_bytes():
                    os.kill(int(entry.name), signal.SIGKILL)
            except OSError:
                continue
        shutil.rmtree(self.root / "tmp", ignore_errors=True)


def _ports() -> dict[str, int]:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return {"fed_learn_port": probe.getsockname()[1]}


def streamer(name: str) -> dict[str, Any]:
    """A component by which a job declares a live log of its own."""
    return {"id": f"mine_{name}", "path": "logstreamer.flare.JobLogStreamer", "args": {"log_file_name": name}}


def receiver(store: Path) -> dict[str, Any]:
    """A component by which a job declares a receiver of its own."""
    return {"id": "receiver", "path": "logstreamer.flare.JobLogReceiver", "args": {"store": str(store)}}


def write_job(
    directory: Path,
    rounds: int,
    *,
    sites: Sequence[str] = SITES,
    declared: Mapping[str, Sequence[dict[str, Any]]] = MappingProxyType({}),
    at_server: Sequence[dict[str, Any]] = (),
) -> Path:
    """A job without code of its own: NVFlare's numpy trainer, which says something in each round.

    Args:
        sites: that run it, where some have components of their own; otherwise all do.
        declared: by site: further components.
        at_server: further components of the server.
    """
    server, client = _server_config(rounds, at_server), _client_config()
    deploy_map = {"app": ["@ALL"]}
    if declared:
        deploy_map = {"app": ["server", *(site for site in sites if site not in declared)]}
    configs = {"app": client}
    for site, components in declared.items():
        deploy_map[f"app_{site}"] = [site]
        configs[f"app_{site}"] = {**client, "components": components}
    for app, own in configs.items():
        config = directory / app / "config"
        config.mkdir(parents=True)
        (config / "config_fed_server.json").write_text(json.dumps(server))
        (config / "config_fed_client.json").write_text(json.dumps(own))
    meta = {"name": "poc", "resource_spec": {}, "deploy_map": deploy_map, "min_clients": 1}
    (directory / "meta.json").write_text(json.dumps(meta))
    return directory


def _server_config(rounds: int, components: Sequence[dict[str, Any]]) -> dict[str, Any]:
    return {
        "format_version": 2,
        "workflows": [
            {
                "id": "scatter_and_gather",
                "path": "nvflare.app_common.workflows.scatter_and_gather.ScatterAndGather",
                "args": {
                    "min_clients": 1,
                    "num_rounds": rounds,
                    "start_round": 0,
                    "wait_time_after_min_received": 0,
                    "aggregator_id": "aggregator",
                    "persistor_id": "persistor",
                    "shareable_generator_id": "generator",
                    "train_task_name": "train",
                    "train_timeout": 6,
                    "task_check_period": 0.1,
                },
            }
        ],
        "components": [
            {"id": "persistor", "path": "nvflare.app_common.np.np_model_persistor.NPModelPersistor", "args": {}},
            {
                "id": "generator",
                "path": "nvflare.app_common.shareablegenerators.full_model_shareable_generator"
                ".FullModelShareableGenerator",
                "args": {},
            },
            {
                "id": "aggregator",
                "path": "nvflare.app_common.aggregators.intime_accumulate_model_aggregator"
                ".InTimeAccumulateWeightedAggregator",
                "args": {"expected_data_kind": "WEIGHTS"},
            },
            *components,
        ],
    }


def _client_config() -> dict[str, Any]:
    return {
        "format_version": 2,
        "default_task_fetch_interval": 0.1,
        "executors": [
            {
                "tasks": ["train"],
                "executor": {"path": "nvflare.app_common.np.np_trainer.NPTrainer", "args": {"sleep_time": 0.1}},
            }
        ],
        "components": [],
    }
