"""Every reason is a proper error of each dialect."""

from __future__ import annotations

import json

import pytest

from revenuer.gateway.errors import REFUSALS, Dialect, Reason, error_body


def test_every_reason_has_its_row() -> None:
    assert set(REFUSALS) == set(Reason)


@pytest.mark.parametrize("reason", Reason)
def test_refusals_are_errors_of_the_dialect(reason: Reason) -> None:
    status, body = error_body(Dialect.OPENAI, reason, None, "ref-1", "https://example.org/appeal", 2.1)
    error = json.loads(body)["error"]
    assert set(error) == {"message", "type", "param", "code"}
    assert (status, error["code"]) == (REFUSALS[reason].status, reason.value)
    assert 400 <= status < 600
    for part in ("ref-1", "https://example.org/appeal", "in 3 s"):
        assert part in error["message"]
    status, body = error_body(Dialect.ANTHROPIC, reason, "In other words.", "ref-1")
    read = json.loads(body)
    assert (read["type"], read["request_id"]) == ("error", "ref-1")
    assert read["error"]["message"] == "In other words. Reference: ref-1."
    assert read["error"]["type"] == REFUSALS[reason].anthropic
