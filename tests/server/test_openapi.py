"""The API does what its description says, whatever it is asked."""

from __future__ import annotations

import json
from collections.abc import Iterator

import hypothesis
import jsonschema_rs
import pytest
import requests
import schemathesis
from hypothesis import HealthCheck
from hypothesis import strategies as st
from schemathesis.specs.openapi.checks import positive_data_acceptance

from logstreamer.server.openapi import description
from server.bench import TOKEN, Bench

FILES = {
    "f": b"2026-11-24 18:20:37 INFO one\ntwo\n",
    "empty": b"",
    "tree/g.log": b"x" * 70_000 + b'\n\xff\xfe\x00\r\n{"level":30,"time":1}\nhalf',
    "lines": b"bytes\n" * 100,
}
SETTINGS = hypothesis.settings(max_examples=10, database=None, suppress_health_check=list(HealthCheck), print_blob=True)
SEARCH = "/api/v1/search"
# Schemathesis reports to Hypothesis in a way that its latest version advises against.
pytestmark = pytest.mark.filterwarnings("ignore::hypothesis.errors.HypothesisDeprecationWarning")
ENDLESS = "/api/v1/events"


@pytest.fixture(scope="module")
def running(tmp_path_factory) -> Iterator[Bench]:
    """A receiver with finished streams and one that goes on."""
    bench = Bench(tmp_path_factory.mktemp("openapi"))
    (bench.directory / "tree").mkdir()
    for name, content in FILES.items():
        bench.finish(bench.follow(name, content))
    bench.follow("live", b"one\nhalf")
    yield bench
    bench.close()


schema = schemathesis.openapi.from_dict(description()).exclude(path=[ENDLESS, SEARCH])
search = schemathesis.openapi.from_dict(description()).include(path=SEARCH)
search.config.phases.coverage.enabled = False  # a process for each question
endless = schemathesis.openapi.from_dict(description()).include(path=ENDLESS)
there = schemathesis.openapi.from_dict(description()).include(path_regex="{file}")


def call(bench, case, **options) -> None:
    """Ask, and compare with the description."""
    headers = {**(case.headers or {}), "Authorization": f"Bearer {TOKEN}"}
    case.call_and_validate(base_url=f"http://{bench.engine.endpoint.netloc}", headers=headers, **options)


@schema.parametrize()
@SETTINGS
def test_any_question(running, case):
    """Right ones and wrong ones; streams that do not exist."""
    call(running, case)


@search.parametrize()
@hypothesis.settings(SETTINGS, max_examples=4)
def test_any_search(running, case):
    """Bounds are bounds; that a pattern or a cursor is one, no schema can say."""
    call(running, case, excluded_checks=[positive_data_acceptance])


@endless.given(last=st.none() | st.text("0123456789@/-,.sjf %", max_size=30).map(str.strip))
@endless.parametrize()
@hypothesis.settings(SETTINGS, max_examples=30)
def test_any_question_without_an_end(running, case, last):
    """It begins as described, or is refused in one line; nothing that is asked makes it fail."""
    request = case.as_transport_kwargs(base_url=f"http://{running.engine.endpoint.netloc}")
    request["headers"] = {**request["headers"], "Authorization": f"Bearer {TOKEN}"}
    if last is not None:
        request["headers"]["Last-Event-ID"] = last
    with requests.request(**request, stream=True, timeout=30) as answer:
        if answer.status_code != 200:
            assert answer.status_code in (400, 405)
            validator("logstreamer.server.bodies.Trouble").validate(answer.json())
            return
        lines = answer.iter_lines()
        first = next(line for line in lines if line.startswith(b"data: "))
    validator("Streams").validate(json.loads(first.removeprefix(b"data: ")))


@there.given(data=st.data())
@there.parametrize()
@SETTINGS
def test_any_question_about_a_stream_that_is_there(running, case, data):
    """So that answers come, not only errors."""
    file = data.draw(st.sampled_from([*FILES, "live"]))
    case.path_parameters = {"site": "s", "job": "j", "file": file}
    call(running, case)


def test_the_description_is_served(running):
    """As it is, to who is let in."""
    answer, body = running.ask("/openapi.json")

    assert (answer.status, json.loads(body)) == (200, json.loads(json.dumps(description())))
    assert running.ask("/openapi.json", token="")[0].status == 401


def events_of(body: bytes) -> list[tuple[str, dict]]:
    """(name, data) of every event."""
    found = []
    for block in body.decode().split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.split("\n") if ": " in line and not line.startswith(":"))
        if "data" in fields:
            found.append((fields["event"], json.loads(fields["data"])))
    return found


def validator(name: str) -> jsonschema_rs.Draft202012Validator:
    """Of one schema of the description."""
    document = description()
    return jsonschema_rs.Draft202012Validator(
        {"$ref": f"#/components/schemas/{name}", "components": document["components"]}
    )


def test_the_events_of_a_search_are_as_described(running):
    """Each kind at least once."""
    answer, body = running.ask("/api/v1/search?q=one&context=2")
    names = {"hit": "Hit", "progress": "Progress", "done": "Done"}
    seen = events_of(body)

    assert answer.status == 200
    assert {name for name, _ in seen} == set(names)
    for name, data in seen:
        validator(names[name]).validate(data)


def test_live_events_are_as_described(running):
    """Streams, lines, an open line and marks."""
    names = {"streams": "Streams", "lines": "LinesEvent", "skip": "SkipEvent"}
    events = running.events("s/j/live@0", "s/j/f@0")
    seen = events.until(lambda event: event.name == "lines" and any(line.get("open") for line in event.data["lines"]))
    events.close()

    assert any(event.data.get("marks") for event in seen)
    for event in seen:
        validator(names[event.name]).validate(event.data)


def test_what_is_not_described_is_found():
    """The schemas are closed: a field too many is an error, and so is a missing one."""
    good = {"offset": 0, "end": 2, "text": "x"}
    validator("Line").validate(good)
    for bad in ({**good, "extra": 1}, {"offset": 0, "end": 2}, {**good, "offset": "0"}):
        with pytest.raises(jsonschema_rs.ValidationError):
            validator("Line").validate(bad)
