"""Settings of the gateway."""

from __future__ import annotations

from pathlib import Path

import pytest

from revenuer.gateway.config import FailMode, GatewaySettings, Upstream, load_gateway_settings
from revenuer.gateway.errors import Dialect
from revenuer.settings import SettingsError

FULL = """
port = 9000
fail = "closed"
[[upstreams]]
url = "https://models.example/base"
dialects = ["anthropic"]
key_env = "THE_KEY"
[timeouts]
head = 3
[sizes]
body = 2048
"""


def test_a_file_with_the_command_line_on_top(tmp_path: Path) -> None:
    file = tmp_path / "gateway.toml"
    file.write_text(FULL)
    read = load_gateway_settings(file, port=None, workers=3)
    assert (read.port, read.workers, read.fail, read.timeouts.head, read.sizes.body) == (
        9000,
        3,
        FailMode.CLOSED,
        3,
        2048,
    )
    assert read.upstreams == (Upstream("https://models.example/base", (Dialect.ANTHROPIC,), key_env="THE_KEY"),)


def test_an_upstream_is_enough() -> None:
    read = load_gateway_settings(None, upstreams=[{"url": "http://127.0.0.1:1"}])
    assert read == GatewaySettings(upstreams=(Upstream("http://127.0.0.1:1"),))
    assert read.fail is FailMode.OPEN


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("port = 1", "no upstream"),
        ("port =", "not TOML"),
        (FULL.replace("9000", "90000"), "port"),
        (FULL.replace("head", "heads"), "heads"),
        (FULL.replace("https://", "ftp://"), "not a URL"),
        (FULL.replace("https://", "https://user:word@"), "no credentials"),
        (FULL.replace('"anthropic"', ""), "dialect"),
    ],
)
def test_what_is_wrong_is_named(text: str, named: str, tmp_path: Path) -> None:
    file = tmp_path / "gateway.toml"
    file.write_text(text)
    with pytest.raises(SettingsError, match=named):
        load_gateway_settings(file)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="No such file"):
        load_gateway_settings(tmp_path / "none.toml")


def test_where_the_providers_key_comes_from(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert Upstream("http://h").key() is None
    monkeypatch.setenv("THE_KEY", "sk-1")
    assert Upstream("http://h", key_env="THE_KEY").key() == b"sk-1"
    file = tmp_path / "key"
    file.write_text("sk-2\n")
    assert Upstream("http://h", key_file=str(file)).key() == b"sk-2"


def test_a_key_that_cannot_be_had_or_sent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("THE_KEY", raising=False)
    file = tmp_path / "key"
    file.write_text("sk\r\nX: 1")
    for upstream in (
        Upstream("http://h", key_env="THE_KEY"),
        Upstream("http://h", key_file=str(tmp_path / "none")),
        Upstream("http://h", key_file=str(file)),
    ):
        with pytest.raises(SettingsError) as caught:
            upstream.key()
        assert "sk" not in str(caught.value)
