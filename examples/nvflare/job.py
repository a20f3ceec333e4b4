"""Hello, live logs: federated averaging with two clients in NVFlare's simulator, their logs at the server as they grow.

    python examples/nvflare/job.py [WORKDIR] [ROUNDS]

WORKDIR/logs is a store of logstreamer's: `logstreamer logs -f --from WORKDIR/logs` prints what arrives, while the job
runs and afterwards. At the end each copy is compared with the file that the job left. Run it twice into one WORKDIR:
the copies of the second run lie beside those of the first, as log.txt.2.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from nvflare.app_common.np.recipes.fedavg import NumpyFedAvgRecipe
from nvflare.recipe.sim_env import SimEnv

from logstreamer.flare import enable_log_streaming

HERE = Path(__file__).parent
NAME = "hello-live-logs"
CLIENTS = 2
FILES = ("log.txt", "log.json")


def main() -> int:
    """0 when every copy is equal to its file."""
    workdir = Path(sys.argv[1] if len(sys.argv) > 1 else tempfile.mkdtemp(prefix="nvflare-live-logs-")).absolute()
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 3
    store = workdir / "logs"
    recipe = NumpyFedAvgRecipe(
        name=NAME,
        model=[0.0, 0.0, 0.0, 0.0],
        min_clients=CLIENTS,
        num_rounds=rounds,
        train_script=str(HERE / "train.py"),
    )
    enable_log_streaming(recipe, *FILES, store=str(store))
    print(f"follow it: logstreamer logs -f --from {store}", flush=True)
    recipe.execute(SimEnv(num_clients=CLIENTS, workspace_root=str(workdir / "workspace")))
    return compare(workdir / "workspace" / NAME, store)


def compare(workspace: Path, store: Path) -> int:
    """Print each log file and whether its copy is equal; 1 when one is not."""
    unequal = 0
    for site in (f"site-{number + 1}" for number in range(CLIENTS)):
        for name in FILES:
            source, copy = workspace / site / name, newest(store / site / "simulate_job" / name)
            is_equal = copy.exists() and copy.read_bytes() == source.read_bytes()
            unequal += not is_equal
            print(f"{'equal' if is_equal else 'DIFFERENT':9} {source.stat().st_size:>9}  {copy}")
    return 1 if unequal else 0


def newest(copy: Path) -> Path:
    """The copy of the latest run: a second run into one WORKDIR makes log.txt.2, the first one's copy stays."""
    number = 2
    while (later := copy.with_name(f"{copy.name}.{number}")).exists():
        number += 1
    return copy if number == 2 else later.with_name(f"{copy.name}.{number - 1}")


if __name__ == "__main__":
    sys.exit(main())
