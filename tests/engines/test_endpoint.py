"""Receivers' addresses as people write them."""

from __future__ import annotations

import pytest

from logstreamer import ConfigError, WebSocketEngine
from logstreamer.engines.endpoint import Endpoint


@pytest.mark.parametrize(
    "url", ["", "receiver:8080", "ftp://receiver", "http://", "http://[::1", "http://a:99999", "http://u@a"]
)
def test_what_is_no_receivers_url_is_named(url):
    with pytest.raises(ConfigError, match="receiver"):
        Endpoint.parse(url)


def test_a_url_brings_its_token_and_its_prefix():
    endpoint = Endpoint.parse("wss://logs.example/prefix/?token=abc")

    assert endpoint.token == "abc"
    assert endpoint.ingest_url == "wss://logs.example/prefix/api/v1/ingest"
    assert str(endpoint) == "https://logs.example/prefix"


def test_a_token_with_a_line_break_is_refused_before_anything_is_sent():
    with pytest.raises(ConfigError, match="token"):
        WebSocketEngine.connect("site-1", {"server": "http://127.0.0.1:1"}, token="a\nb")
