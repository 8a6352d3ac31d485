"""The vocabulary every stage shares: frozen records and closed enums, no behaviour.

Times are UTC seconds since the epoch (float) throughout. Fields only ever grow, with defaults, so that stored
records of an older schema stay readable; the exact bytes of one record of each kind are pinned by a test.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any

import msgspec

SCHEMA_VERSION = 1


class Verdict(StrEnum):
    """What an account's traffic amounts to. Closed: a new value is a change of schema."""

    CLEAR = "clear"
    """Nothing found beyond what benign operators show."""
    WATCH = "watch"
    """Linked to a group, or evidence of its own, but not enough to decide. Accuses nobody."""
    HARVESTING = "harvesting"
    """Evidence above the calibrated bound, for the group and for this account by itself."""
    AUTHORISED = "authorised"
    """Would be `harvesting`, but a permission on file covers it."""


class Channel(StrEnum):
    """A kind of link between two accounts; channels are kept apart until they are combined explicitly."""

    TEMPLATE = "template"
    """Rare text chunks that recur in both accounts."""
    SEMANTIC = "semantic"
    """Unusually close distributions of what is asked."""
    INFRASTRUCTURE = "infrastructure"
    """Shared network, client stack, payment, or sign-up details."""
    TIMING = "timing"
    """Minute-level synchrony, hand-over or equal load against a shifted-time null."""


class Message(msgspec.Struct, frozen=True):
    """One turn as sent. `content` is plain text; parts that are not text are named in brackets (`[image]`)."""

    role: str
    content: str


class Params(msgspec.Struct, frozen=True, omit_defaults=True):
    """Request parameters that were set; None means the client did not send it. `tools` is a count."""

    temperature: float | None = None
    top_p: float | None = None
    max_tokens: int | None = None
    n: int | None = None
    stream: bool | None = None
    logprobs: bool | None = None
    reasoning_effort: str | None = None
    response_format: str | None = None
    tools: int | None = None


class Usage(msgspec.Struct, frozen=True, omit_defaults=True):
    """Tokens as the upstream counted them."""

    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    reasoning_tokens: int | None = None
    cached_tokens: int | None = None


class Response(msgspec.Struct, frozen=True, omit_defaults=True):
    """The answer; `text` may be absent where the log does not keep answers."""

    text: str | None = None
    finish_reason: str | None = None


class Exchange(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One request and its answer. Only id, ts, account and messages are required."""

    id: str
    ts: float
    account: str
    messages: tuple[Message, ...]
    org: str | None = None
    key: str | None = None
    ip: str | None = None
    asn: int | None = None
    user_agent: str | None = None
    ja4: str | None = None
    endpoint: str | None = None
    model: str | None = None
    params: Params = Params()
    response: Response = Response()
    usage: Usage = Usage()
    status: int | None = None
    latency_ms: float | None = None


class Account(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What the provider's books say of one billing account.

    `country` and `name` are carried for legal screening alone; no stage that scores may read them.
    `authorised` lists permitted uses, e.g. ``distillation:model-x``.
    """

    account: str
    org: str | None = None
    created_at: float | None = None
    plan: str | None = None
    payment: str | None = None
    email_domain: str | None = None
    country: str | None = None
    name: str | None = None
    authorised: tuple[str, ...] = ()


class RejectedRow(msgspec.Struct, frozen=True, kw_only=True):
    """An input row that could not be read: where, why, and the row itself as far as it can be shown.

    `line` counts from 1 (rows, for Parquet). `row` is cut at 2,000 characters.
    """

    file: str
    line: int
    reason: str
    row: str


class Reason(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Why a score is what it is: the signal's id, its value, a sentence, and the exchanges behind it."""

    signal: str
    value: float
    text: str
    exchanges: tuple[str, ...] = ()


class AccountResult(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the result file `accounts.jsonl`; `score` rises with the evidence of harvesting."""

    account: str
    campaign: str | None
    score: float
    verdict: Verdict
    first_flagged_at: float | None
    reasons: tuple[Reason, ...]


class CampaignResult(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the result file `campaigns.jsonl`; `exchanges` counts those of the campaign's strands."""

    campaign: str
    accounts: tuple[str, ...]
    exchanges: int
    first_seen: float
    first_flagged_at: float | None
    score: float
    reasons: tuple[Reason, ...]


class Edge(msgspec.Struct, frozen=True, kw_only=True):
    """Why two accounts are linked. `weight` is a log Bayes factor (natural log) for 'one operator'."""

    a: str
    b: str
    channel: Channel
    weight: float
    text: str


class TemplatePart(msgspec.Struct, frozen=True):
    """A piece of a shared template: fixed text seen in at least three accounts, or a slot (text is a hint)."""

    text: str
    slot: bool


class TimelineBucket(msgspec.Struct, frozen=True):
    """`exchanges` of a campaign in the bucket that begins at `start`, by `accounts` distinct accounts."""

    start: float
    exchanges: int
    accounts: int


class Member(msgspec.Struct, frozen=True, kw_only=True):
    """One account inside one campaign, with what speaks for and against it."""

    result: AccountResult
    org: str | None
    plan: str | None
    exchanges: int
    """All exchanges of the account in the log."""
    campaign_exchanges: int
    """Those that belong to the campaign's strands; the rest is other use and is not held against it."""
    first_seen: float
    last_seen: float
    hours: tuple[int, ...]
    """24 counts of campaign exchanges by UTC hour."""
    addresses: int
    clients: int
    models: tuple[str, ...]
    authorised: tuple[str, ...] = ()


class CampaignDetail(msgspec.Struct, frozen=True, kw_only=True):
    """A campaign with all that a person needs to judge it."""

    result: CampaignResult
    members: tuple[Member, ...]
    edges: tuple[Edge, ...]
    template: tuple[TemplatePart, ...]
    """Empty where the campaign has no shared template or its text is no longer at hand."""
    timeline: tuple[TimelineBucket, ...]
    bucket_seconds: float
    intents: tuple[tuple[str, float], ...]
    """What is asked for: (intent, share), largest first."""
    false_alarm_bound: float | None
    """Stated bound on the chance that a benign group scores this high; None where it was not calibrated."""
    doubts: tuple[str, ...] = ()
    """What speaks against the finding, or what was not measured."""


class StageTime(msgspec.Struct, frozen=True):
    """Seconds (wall and CPU) spent in one stage of a scan."""

    stage: str
    wall: float
    cpu: float


class ScanReport(msgspec.Struct, frozen=True, kw_only=True):
    """Everything one scan found; what `report` draws and `accounts.jsonl` / `campaigns.jsonl` are written from."""

    version: str
    files: tuple[str, ...]
    exchanges: int
    rejected: int
    accounts: int
    first_ts: float
    last_ts: float
    verdicts: dict[str, int]
    """Number of accounts per verdict, every verdict present."""
    campaigns: tuple[CampaignDetail, ...]
    """Ranked, strongest evidence first."""
    results: tuple[AccountResult, ...]
    stages: tuple[StageTime, ...]
    calibration: str
    """One paragraph: what thresholds were calibrated on, and the bound they carry."""
    notes: tuple[str, ...] = ()
    extra: dict[str, Any] = msgspec.field(default_factory=dict)
