"""A real NVFlare simulator job, its logs followed while it runs, copies compared at the end.

    python examples/nvflare_simulator/run.py [WORKDIR]     (`make nvflare-example` does it)

Needs a Python that has both logstreamer and nvflare. The simulator gives the server and each client a directory with
log.txt, log.json, log_fl.txt and error_log.txt; here each of them has a `logstreamer send` of its own, as three
machines would have.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

HERE = Path(__file__).parent
JOB = "fedavg"
SITES = ("server", "site-1", "site-2")
ROUNDS = 3
DRAIN_TIMEOUT = 60.0
LOGSTREAMER = str(Path(sys.executable).with_name("logstreamer"))


def main() -> int:
    """0 when every log file of the job has an equal copy."""
    if sys.argv[1:2] == ["job"]:
        return run_job(Path(sys.argv[2]))
    workdir = Path(sys.argv[1] if len(sys.argv) > 1 else tempfile.mkdtemp(prefix="nvflare-example-")).absolute()
    workspace, dest = workdir / "workspace", workdir / "copies"
    workdir.mkdir(parents=True, exist_ok=True)
    for directory in (workspace, dest):
        shutil.rmtree(directory, ignore_errors=True)
    os.environ["LOGSTREAMER_TOKEN"] = secrets.token_urlsafe()
    address = f"127.0.0.1:{free_port()}"

    with contextlib.ExitStack() as ends:  # left in reverse: senders drain before the receiver goes
        ends.enter_context(running([LOGSTREAMER, "serve", "--listen", address, "--dest", str(dest)]))
        for site in SITES:
            logs = str(workspace / JOB / site / "*log*")
            target = ["--to", f"http://{address}", "--site", site, "--job", JOB]
            ends.enter_context(running([LOGSTREAMER, "send", logs, *target]))
        with (workdir / "job.out").open("wb") as output:
            job = subprocess.Popen([sys.executable, __file__, "job", str(workspace)], stdout=output, stderr=output)
        while job.poll() is None:
            time.sleep(1.0)
            print(f"while it runs: {stored(dest)} bytes stored, {written(workspace)} written", flush=True)
    if job.returncode:
        print(f"the job ended with {job.returncode}, see {workdir / 'job.out'}", file=sys.stderr)
        return 1
    return compare(workspace, dest)


def run_job(workspace: Path) -> int:
    """The job itself, in a process of its own: FedAvg with two clients."""
    from nvflare.app_common.np.recipes.fedavg import NumpyFedAvgRecipe
    from nvflare.recipe.sim_env import SimEnv

    recipe = NumpyFedAvgRecipe(
        name=JOB,
        model=[0.0, 0.0, 0.0, 0.0],
        min_clients=2,
        num_rounds=ROUNDS,
        train_script=str(HERE.parent / "nvflare" / "train.py"),
    )
    recipe.execute(SimEnv(num_clients=2, workspace_root=str(workspace)))
    return 0


@contextlib.contextmanager
def running(command: list[str]) -> Iterator[None]:
    """Run *command*; at the end ask it to stop (SIGTERM), which lets a sender send what is left."""
    child = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        yield
    finally:
        child.terminate()
        try:
            child.wait(DRAIN_TIMEOUT)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
            print(f"had to kill: {' '.join(command)}", file=sys.stderr)


def log_files(workspace: Path) -> list[Path]:
    """What the simulator logs to: /SITE/log.txt and so on below the job's directory."""
    return sorted(path for site in SITES for path in (workspace / JOB / site).glob("*log*") if path.is_file())


def written(workspace: Path) -> int:
    """Bytes in the job's log files now."""
    return sum(path.stat().st_size for path in log_files(workspace))


def stored(dest: Path) -> int:
    """Bytes of their copies now."""
    copies = (path for site in SITES for path in (dest / site / JOB).glob("*log*") if path.is_file())
    return sum(path.stat().st_size for path in copies if not path.name.startswith("."))


def compare(workspace: Path, dest: Path) -> int:
    """Print each file and whether its copy is equal; 1 when one is not."""
    unequal = 0
    sources = log_files(workspace)
    for source in sources:
        site = source.parent.name
        copy = dest / site / JOB / source.name
        verdict = "no copy"
        if copy.exists():
            verdict = "equal" if digest(copy) == digest(source) else "DIFFERENT"
        unequal += verdict != "equal"
        print(f"{verdict:9}  {digest(source)[:16]}  {source.stat().st_size:>9}  {site}/{source.name}")
    print(f"{len(sources) - unequal} of {len(sources)} copies equal")
    return 1 if unequal or not sources else 0


def digest(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def free_port() -> int:
    """A TCP port that nobody uses now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


if __name__ == "__main__":
    sys.exit(main())
