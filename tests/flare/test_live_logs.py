"""`enable_log_streaming`: what it makes of a FedJob and of a recipe, as they are exported."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from nvflare.app_common.logging.job_log_receiver import JobLogReceiver as StockReceiver
from nvflare.app_common.np.np_trainer import NPTrainer
from nvflare.app_common.np.recipes.fedavg import NumpyFedAvgRecipe
from nvflare.app_common.widgets.validation_json_generator import ValidationJsonGenerator
from nvflare.job_config.api import FedJob

from logstreamer.errors import ConfigError
from logstreamer.flare import JobLogReceiver, JobLogStreamer, enable_log_streaming
from logstreamer.flare.enable import JOB_CLASSES

DOCS = Path(__file__).parents[2] / "docs" / "nvflare.md"


def job_for(*clients: str) -> FedJob:
    job = FedJob("hello", min_clients=1)
    job.to_server(ValidationJsonGenerator())
    for client in clients:
        job.to(NPTrainer(), client)
    return job


def exported(job: Any, directory: Path) -> Path:
    job.export_job(str(directory))
    return directory / "hello"


def components(job: Path, app: str, side: str) -> list[tuple[str, Any]]:
    """Class and arguments of what is ours in an app."""
    config = json.loads((job / app / "config" / f"config_fed_{side}.json").read_text())
    found = [(component["path"], component.get("args", {})) for component in config["components"]]
    return [(path, args) for path, args in found if path.startswith("logstreamer.")]


def files_sent(job: Path, app: str) -> list[str]:
    return [args.get("log_file_name", "log.txt") for _, args in components(job, app, "client")]


def test_clients_with_apps_of_their_own_keep_them(tmp_path: Path):
    """An app for all would take their place."""
    job = job_for("site-1", "site-2")

    enable_log_streaming(job, "log.txt", "log.json")

    made = exported(job, tmp_path)
    for site in ("site-1", "site-2"):
        config = json.loads((made / f"app_{site}" / "config" / "config_fed_client.json").read_text())
        assert [executor["executor"]["path"].rpartition(".")[2] for executor in config["executors"]] == ["NPTrainer"]
        assert files_sent(made, f"app_{site}") == ["log.txt", "log.json"]
    assert len(components(made, "app_server", "server")) == 1


@pytest.mark.parametrize("by_hand", [False, True])
def test_the_job_carries_no_copy_of_our_modules(tmp_path: Path, by_hand: bool):
    """Its classes are those that a site which was enabled allows; a job with code is not held to the list."""
    job = job_for("@ALL")
    job.set_app_packages(["numpy"])
    if by_hand:
        job.to_clients(JobLogStreamer(log_file_name="log.txt"), id="log_streamer")
        job.to_server(JobLogReceiver(), id="log_receiver")
    else:
        enable_log_streaming(job)

    made = exported(job, tmp_path)

    assert not list(made.rglob("custom/**/*.py"))
    for side in ("client", "server"):
        [(path, _)] = components(made, "app", side)
        assert path in JOB_CLASSES
    assert job.job.app_packages == ["numpy", "logstreamer"]


def test_a_second_call_adds_files_to_the_same_receiver(tmp_path: Path):
    """Two receivers would take each other's streams; two streamers of a file would make two copies."""
    job = job_for("@ALL")

    enable_log_streaming(job, "log.txt", "log.txt", store=Path("/srv/logs"))
    enable_log_streaming(job, "log.json", "log.txt")

    made = exported(job, tmp_path)
    assert files_sent(made, "app") == ["log.txt", "log.json"]
    [(_, args)] = components(made, "app", "server")
    assert args["store"] == "/srv/logs"


def test_what_some_clients_send_already_stays(tmp_path: Path):
    """The others get it."""
    job = job_for("site-1", "site-2")
    job.to(JobLogStreamer(log_file_name="log.txt", poll_interval=2.0), "site-1")

    enable_log_streaming(job)

    made = exported(job, tmp_path)
    [(_, mine)] = components(made, "app_site-1", "client")
    assert mine["poll_interval"] == 2.0
    assert files_sent(made, "app_site-2") == ["log.txt"]


@pytest.mark.parametrize(
    ("receiver", "words"),
    [(JobLogReceiver(store="/srv/a"), "/srv/a already, not to /srv/b"), (StockReceiver(), "NVFlare's own")],
)
def test_a_receiver_that_would_be_displaced_is_refused(tmp_path: Path, receiver: Any, words: str):
    """And nothing is added."""
    job = job_for("@ALL")
    job.to_server(receiver)

    with pytest.raises(ConfigError, match=words):
        enable_log_streaming(job, store="/srv/b")

    assert files_sent(exported(job, tmp_path), "app") == []


def test_a_bad_name_among_good_ones_adds_nothing(tmp_path: Path):
    """Names are looked at first."""
    job = job_for("@ALL")

    with pytest.raises(ConfigError, match=r"\.\."):
        enable_log_streaming(job, "log.txt", "../x")

    assert files_sent(exported(job, tmp_path), "app") == []


def test_a_job_without_clients_is_refused():
    """What `to_clients` adds for all hides what single clients get later."""
    with pytest.raises(ConfigError, match="no clients yet"):
        enable_log_streaming(job_for())


def recipe(directory: Path) -> Any:
    script = directory / "train.py"
    script.write_text("")
    return NumpyFedAvgRecipe(name="hello", model=[0.0], min_clients=1, num_rounds=1, train_script=str(script))


def test_a_recipe(tmp_path: Path):
    """It makes its clients' apps when they are asked for."""
    hello = recipe(tmp_path)

    enable_log_streaming(hello, "log.txt")
    enable_log_streaming(hello, "log.json")

    made = exported(hello._job, tmp_path / "jobs")
    assert files_sent(made, "app") == ["log.txt", "log.json"]
    assert [path.name for path in made.rglob("custom/**/*.py")] == ["train.py"]


def test_the_blocks_of_the_documentation_do_what_they_say(tmp_path: Path):
    """As they stand there: the recipe, the FedJob, and the two files of a job configuration."""
    blocks = re.findall(r"^```(python|json)\n(.*?)^```$", DOCS.read_text(), re.DOTALL | re.MULTILINE)
    hello, job = recipe(tmp_path), job_for("@ALL")
    for language, text in blocks:
        if language == "python":
            exec(text, {"recipe": hello, "job": job})

    for name, made in (("recipe", hello._job), ("job", job)):
        assert "log.txt" in files_sent(exported(made, tmp_path / name), "app")
    configured = [json.loads(text)["components"] for language, text in blocks if language == "json"]
    for widget, [component] in zip((JobLogStreamer, JobLogReceiver), configured, strict=True):
        assert component["path"] == f"logstreamer.flare.{widget.__name__}"
        widget(**component["args"])
