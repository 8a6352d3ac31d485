"""Every way in which the gateway says no, as a proper error of the client's own dialect.

A refusal names its reason, a reference number, how to appeal, and when to come back (`Retry-After`), so that the
official SDKs raise their usual exceptions and a person has something to quote.
"""

from __future__ import annotations

from enum import StrEnum

import msgspec


class Reason(StrEnum):
    """Why a request was not served. Closed; the value is the `code` that clients see."""

    NO_KEY = "no_key"
    UNKNOWN_KEY = "unknown_key"
    MODEL_NOT_ALLOWED = "model_not_allowed"
    SLOW_DOWN = "slow_down"
    LIMIT_REQUESTS = "limit_requests"
    LIMIT_TOKENS = "limit_tokens"
    LIMIT_CONCURRENCY = "limit_concurrency"
    REFUSED = "refused"
    CHALLENGE = "challenge"
    BAD_REQUEST = "bad_request"
    UNKNOWN_PATH = "unknown_path"
    TOO_LARGE = "too_large"
    HEADERS_TOO_LARGE = "headers_too_large"
    TIMEOUT = "timeout"
    HTTP_VERSION = "http_version"
    NOT_SUPPORTED = "not_supported"
    UPSTREAM_DOWN = "upstream_down"
    UPSTREAM_TIMEOUT = "upstream_timeout"
    UNAVAILABLE = "unavailable"


class Refusal(msgspec.Struct, frozen=True):
    """How a reason is said: HTTP status, `type` of either dialect, and a sentence for people."""

    status: int
    openai: str
    anthropic: str
    message: str


_INVALID = ("invalid_request_error", "invalid_request_error")
_LIMIT = ("rate_limit_error", "rate_limit_error")
REFUSALS: dict[Reason, Refusal] = {
    Reason.NO_KEY: Refusal(401, "invalid_request_error", "authentication_error", "No API key was given."),
    Reason.UNKNOWN_KEY: Refusal(401, "invalid_request_error", "authentication_error", "This API key is not valid."),
    Reason.MODEL_NOT_ALLOWED: Refusal(
        403, "invalid_request_error", "permission_error", "This API key may not use this model."
    ),
    Reason.SLOW_DOWN: Refusal(429, *_LIMIT, "This account is slowed down: its use looks like harvesting of answers."),
    Reason.LIMIT_REQUESTS: Refusal(429, *_LIMIT, "Too many requests."),
    Reason.LIMIT_TOKENS: Refusal(429, *_LIMIT, "Too many tokens."),
    Reason.LIMIT_CONCURRENCY: Refusal(429, *_LIMIT, "Too many requests at the same time."),
    Reason.REFUSED: Refusal(403, "permission_error", "permission_error", "This account is not served at present."),
    Reason.CHALLENGE: Refusal(
        403, "permission_error", "permission_error", "Please verify this account before using it further."
    ),
    Reason.BAD_REQUEST: Refusal(400, *_INVALID, "The request cannot be read."),
    Reason.UNKNOWN_PATH: Refusal(404, "invalid_request_error", "not_found_error", "There is nothing at this path."),
    Reason.TOO_LARGE: Refusal(413, "invalid_request_error", "request_too_large", "The request is too large."),
    Reason.HEADERS_TOO_LARGE: Refusal(431, "invalid_request_error", "request_too_large", "The headers are too large."),
    Reason.TIMEOUT: Refusal(408, "invalid_request_error", "timeout_error", "The request did not arrive in time."),
    Reason.HTTP_VERSION: Refusal(505, *_INVALID, "HTTP/1.1 is spoken here."),
    Reason.NOT_SUPPORTED: Refusal(501, *_INVALID, "This is not supported here."),
    Reason.UPSTREAM_DOWN: Refusal(502, "server_error", "api_error", "The model cannot be reached."),
    Reason.UPSTREAM_TIMEOUT: Refusal(504, "server_error", "timeout_error", "The model did not answer in time."),
    Reason.UNAVAILABLE: Refusal(503, "server_error", "overloaded_error", "The service cannot take this request now."),
}
"""One row for every reason."""


class Dialect(StrEnum):
    """A family of wire formats."""

    OPENAI = "openai"
    ANTHROPIC = "anthropic"


def error_body(
    dialect: Dialect,
    reason: Reason,
    message: str | None = None,
    reference: str = "",
    appeal_url: str | None = None,
    retry_after: float | None = None,
) -> tuple[int, bytes]:
    """(HTTP status, JSON body). `message` replaces the reason's own sentence; `retry_after` in seconds is said too."""
    row = REFUSALS[reason]
    text = message or row.message
    if retry_after is not None:
        text += f" Try again in {max(1, -int(-retry_after // 1))} s."
    if reference:
        text += f" Reference: {reference}."
    if appeal_url:
        text += f" To appeal: {appeal_url}"
    if dialect is Dialect.ANTHROPIC:
        body: object = {
            "type": "error",
            "error": {"type": row.anthropic, "message": text, "code": reason.value},
            "request_id": reference or None,
        }
    else:
        body = {"error": {"message": text, "type": row.openai, "param": None, "code": reason.value}}
    return row.status, msgspec.json.encode(body)
