"""One run: programs, links, writers and rotators together, and the judgement at the end."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any

from tests.chaos.clock import Clock, pause
from tests.chaos.oracle import Mark, Verdict, judge
from tests.chaos.plan import IDLE_TIMEOUT, RECEIVER, FileSpec, Plan
from tests.chaos.processes import PATIENCE, Ill, ProcessFailed, Program
from tests.chaos.proxy import Proxy
from tests.chaos.report import Report
from tests.chaos.rotator import Rotator
from tests.chaos.truth import Truth
from tests.chaos.writer import LogFile, Writer
from tests.ports import ReservedPort

JOB = "chaos"
_TICK = 0.1
_MOST_LINES = 60
_PROLOGUE = 3
"""Lines that are stored before anything bad happens: a sender that never said where it began has no past to resume."""


def run_plan(plan: Plan, parent: Path | None = None) -> Report:
    """Carry out *plan* in a new directory below *parent*; it is kept when something was wrong."""
    directory = Path(tempfile.mkdtemp(prefix=f"chaos-{plan.seed}-", dir=parent))
    report = Report(plan.seed)
    began = time.monotonic()
    try:
        _Run(plan, directory, report).run()
    except ProcessFailed as error:
        report.complaints.append(str(error))
    finally:
        report.seconds = time.monotonic() - began
    if report.passed:
        shutil.rmtree(directory)
    else:
        report.kept.append(str(directory))
        report.complaints.append(_log_lines(directory, report.complaints))
    return report


class _Run:
    def __init__(self, plan: Plan, directory: Path, report: Report) -> None:
        self._plan = plan
        self._directory = directory
        self._report = report
        self._clock = Clock()
        self._logs: list[LogFile] = []
        self._threads: list[Writer | Rotator] = []
        self._programs: dict[str, Program] = {}
        self._store = directory / "store"

    def run(self) -> None:
        (self._directory / "plan.txt").write_text("\n".join(map(str, (*self._plan.files, *self._plan.faults))) + "\n")
        port = ReservedPort()
        with ExitStack() as ends:
            proxy = ends.enter_context(Proxy(self._plan.sites, port.number))
            self._make_logs(ends)
            ends.callback(self._kill_all)
            self._start(port.number, proxy)
            self._make_trouble(proxy)
            self._finish(proxy)
        self._write_facts()
        for log in self._logs:
            self._report.add_verdict(self._judge(log))
        self._verify()

    # --- the course of a run

    def _make_logs(self, ends: ExitStack) -> None:
        for spec in self._plan.files:
            place = self._directory / "sites" / spec.site
            place.mkdir(parents=True, exist_ok=True)
            truths = self._directory / "truth" / spec.site
            truths.mkdir(parents=True, exist_ok=True)
            log = LogFile(place / spec.name, spec, Truth(truths / spec.name), self._plan.filler(spec))
            ends.callback(log.close)
            log.write(b"".join(log.line(20) for _ in range(_PROLOGUE)))
            self._logs.append(log)

    def _start(self, port: int, proxy: Proxy) -> None:
        serve = ["serve", "-v", "--listen", f"127.0.0.1:{port}", "--dest", str(self._store)]
        serve += ["--idle-timeout", f"{IDLE_TIMEOUT:g}"]
        self._programs[RECEIVER] = Program(RECEIVER, serve, self._directory / "receiver.log", "ready at")
        for site in self._plan.sites:
            paths = [str(log.path) for log in self._logs if log.spec.site == site]
            url = f"http://127.0.0.1:{proxy.ports[site]}"
            send = ["send", "-v", *paths, "--to", url, "--site", site, "--job", JOB]
            self._programs[site] = Program(site, send, self._directory / f"{site}.log", "following")
        for program in self._programs.values():
            program.start()
        for program in self._programs.values():
            program.wait_ready()
        self._wait_for("every log's first lines", lambda: all(map(self._has_begun, self._logs)))

    def _has_begun(self, log: LogFile) -> bool:
        copy = self._copy_of(log.spec)
        return copy.exists() and copy.stat().st_size > 0

    def _wait_for(self, what: str, condition: Any) -> None:
        deadline = time.monotonic() + PATIENCE
        while not condition():
            if time.monotonic() > deadline:
                raise ProcessFailed(f"{what}: not stored within {PATIENCE:g} s")
            pause(0.02)

    def _make_trouble(self, proxy: Proxy) -> None:
        clock = self._clock = Clock()
        ill = Ill(self._programs, clock)
        with self._writing():
            for fault in self._plan.faults:
                if not self._idle_until(fault.at, ill):
                    break
                if fault.target in self._plan.sites and fault.kind not in ("kill", "freeze"):
                    proxy.inject(fault)
                elif not ill.inject(fault):
                    continue
                self._report.faults[fault.kind if fault.target != RECEIVER else f"{fault.kind} receiver"] += 1
            self._idle_until(self._plan.seconds, ill)
        ill.heal()
        proxy.heal()
        for program in self._programs.values():
            program.wait_ready()

    def _idle_until(self, moment: float, ill: Ill) -> bool:
        while self._clock.now < moment:
            if not self._clock.wait(min(_TICK, moment - self._clock.now)):
                return False
            ill.tend()
        return True

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """Writers and rotators are at work; afterwards they have ended."""
        self._threads = [kind(log, self._plan, self._clock) for log in self._logs for kind in (Writer, Rotator)]
        for thread in self._threads:
            thread.start()
        try:
            yield
        finally:
            self._clock.stop()
            for thread in self._threads:
                thread.join(PATIENCE)
        for thread in self._threads:
            if thread.failure is not None:
                raise thread.failure
            if isinstance(thread, Rotator):
                self._report.rotations += thread.done

    def _finish(self, proxy: Proxy) -> None:
        """Senders drain and end, then the receiver does."""
        senders = [self._programs[site] for site in self._plan.sites]
        for program in (*senders, self._programs[RECEIVER]):
            program.look()
        for program in senders:
            program.ask_to_stop()
        for program in senders:
            self._expect_good_end(program)
        self._report.carried, self._report.connections = proxy.carried, proxy.connections
        receiver = self._programs[RECEIVER]
        receiver.look()
        receiver.ask_to_stop()
        self._expect_good_end(receiver)
        self._report.usages = {name: program.usages for name, program in self._programs.items()}

    def _expect_good_end(self, program: Program) -> None:
        try:
            code = program.wait()
        except ProcessFailed as error:
            self._report.complaints.append(str(error))
            return
        if code != 0:
            self._report.complaints.append(f"{program.name} ended with exit code {code} after SIGTERM")

    def _kill_all(self) -> None:
        for program in self._programs.values():
            program.end()

    # --- judgement

    def _write_facts(self) -> None:
        """What the oracle goes by, for whoever looks into a failure."""
        facts = {
            "generations": {log.spec.label: list(map(asdict, log.truth.generations)) for log in self._logs},
            "absences": {name: list(map(asdict, program.absences.known)) for name, program in self._programs.items()},
        }
        (self._directory / "facts.json").write_text(json.dumps(facts, indent=1))

    def _copy_of(self, spec: FileSpec) -> Path:
        return self._store / spec.site / JOB / spec.name

    def _judge(self, log: LogFile) -> Verdict:
        copy = self._copy_of(log.spec)
        sidecar = json.loads(copy.with_name(f".{copy.name}.logstreamer.json").read_bytes())
        verdict = judge(
            log.spec.label,
            log.truth.path,
            copy,
            list(_marks(sidecar)),
            log.truth.generations,
            self._programs[log.spec.site].absences,
        )
        if sidecar["state"] != "finished":
            verdict.complaints.append(f"its state is {sidecar['state']!r}, not 'finished'")
        if sidecar["troubles"]:
            verdict.complaints.append(f"the store had trouble: {sidecar['troubles']}")
        others = {entry.name for entry in copy.parent.iterdir() if not entry.name.startswith(".")}
        others -= {spec.name for spec in self._plan.files}
        if others:
            verdict.complaints.append(f"files that nobody wrote: {sorted(others)}")
        return verdict

    def _verify(self) -> None:
        """What the product itself says of its copies."""
        command = [sys.executable, "-m", "logstreamer", "verify"]
        if subprocess.run([*command, "--help"], capture_output=True, check=False).returncode != 0:
            return
        done = subprocess.run([*command, str(self._store)], capture_output=True, text=True, check=False)
        if done.returncode != 0:
            self._report.complaints.append(f"verify ended with {done.returncode}:\n{done.stdout}{done.stderr}")


def _marks(sidecar: dict[str, Any]) -> Iterator[Mark]:
    for segment in sidecar["segments"]:
        at = datetime.fromisoformat(segment["at"]).timestamp()
        yield Mark(segment["offset"], segment.get("lost", 0), segment["reason"], at, segment.get("detail", ""))


def _log_lines(directory: Path, complaints: list[str]) -> str:
    """What the programs said about the logs complained of, and their warnings."""
    labels = {text.split(":", 1)[0] for text in complaints}
    wanted = {label for label in labels if label.endswith(".log")}
    parts = []
    for log in sorted(directory.glob("*.log")):
        names = {label.rpartition("/")[2] for label in wanted if log.stem in (RECEIVER, label.partition("/")[0])}
        lines = log.read_text(errors="replace").splitlines()
        chosen = [line for line in lines if _concerns(line, names)]
        parts.append(f"{log.name}:\n" + "\n".join(f"  {line}" for line in chosen[-_MOST_LINES:]))
    return "\n".join(parts)


def _concerns(line: str, names: set[str]) -> bool:
    return line.startswith("---") or " ERROR " in line or "Traceback" in line or any(name in line for name in names)
