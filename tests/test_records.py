"""Stored bytes stay readable: one encoded example of each kind of record is pinned, and old rows still decode.

A failure here means that the form of stored records changed. Growing a record by a field with a default is allowed:
add the field to the example. Anything else (a rename, a removed field, another type) is a new SCHEMA_VERSION.
"""

from __future__ import annotations

import inspect

import msgspec
import pytest

from revenuer import records
from revenuer.records import (
    Account,
    AccountResult,
    CampaignDetail,
    CampaignResult,
    Channel,
    Edge,
    Exchange,
    Member,
    Message,
    Params,
    Reason,
    RejectedRow,
    Response,
    ScanReport,
    StageTime,
    TemplatePart,
    TimelineBucket,
    Usage,
    Verdict,
)

REASON = Reason(signal="even_load", value=2.5, text="Load is even over 40 accounts.", exchanges=("e1", "e2"))
REASON_JSON = b'{"signal":"even_load","value":2.5,"text":"Load is even over 40 accounts.","exchanges":["e1","e2"]}'

ACCOUNT_RESULT = AccountResult(
    account="a1",
    campaign="c1",
    score=7.25,
    verdict=Verdict.HARVESTING,
    first_flagged_at=1700000000.5,
    reasons=(REASON,),
)
ACCOUNT_RESULT_JSON = (
    b'{"account":"a1","campaign":"c1","score":7.25,"verdict":"harvesting","first_flagged_at":1700000000.5,"reasons":['
    + REASON_JSON
    + b"]}"
)

CAMPAIGN_RESULT = CampaignResult(
    campaign="c1",
    accounts=("a1", "a2"),
    exchanges=60,
    first_seen=1699990000.0,
    first_flagged_at=None,
    score=7.25,
    reasons=(),
)
CAMPAIGN_RESULT_JSON = (
    b'{"campaign":"c1","accounts":["a1","a2"],"exchanges":60,"first_seen":1699990000.0,"first_flagged_at":null,'
    b'"score":7.25,"reasons":[]}'
)

EDGE = Edge(a="a1", b="a2", channel=Channel.TEMPLATE, weight=4.5, text="Share a rare instruction.")
EDGE_JSON = b'{"a":"a1","b":"a2","channel":"template","weight":4.5,"text":"Share a rare instruction."}'

MEMBER = Member(
    result=ACCOUNT_RESULT,
    org="Org",
    plan="free",
    exchanges=100,
    campaign_exchanges=60,
    first_seen=1.0,
    last_seen=2.0,
    hours=(60,) + (0,) * 23,
    addresses=2,
    clients=1,
    models=("m",),
    authorised=("evaluation",),
)
MEMBER_JSON = (
    b'{"result":'
    + ACCOUNT_RESULT_JSON
    + b',"org":"Org","plan":"free","exchanges":100,"campaign_exchanges":60,"first_seen":1.0,"last_seen":2.0,"hours":[60'
    + b",0" * 23
    + b'],"addresses":2,"clients":1,"models":["m"],"authorised":["evaluation"]}'
)

DETAIL = CampaignDetail(
    result=CAMPAIGN_RESULT,
    members=(MEMBER,),
    edges=(EDGE,),
    template=(TemplatePart("Solve: ", False),),
    timeline=(TimelineBucket(0.0, 60, 2),),
    bucket_seconds=3600.0,
    intents=(("reasoning", 0.75),),
    false_alarm_bound=0.001,
    doubts=("One day of traffic.",),
)
DETAIL_JSON = (
    b'{"result":'
    + CAMPAIGN_RESULT_JSON
    + b',"members":['
    + MEMBER_JSON
    + b'],"edges":['
    + EDGE_JSON
    + b'],"template":[{"text":"Solve: ","slot":false}],"timeline":[{"start":0.0,"exchanges":60,"accounts":2}],'
    b'"bucket_seconds":3600.0,"intents":[["reasoning",0.75]],"false_alarm_bound":0.001,'
    b'"doubts":["One day of traffic."]}'
)

PINNED: list[tuple[msgspec.Struct, bytes]] = [
    (Message("user", "Hi"), b'{"role":"user","content":"Hi"}'),
    (
        Params(0.5, 0.9, 256, 2, True, False, "low", "json_object", 3),
        b'{"temperature":0.5,"top_p":0.9,"max_tokens":256,"n":2,"stream":true,"logprobs":false,'
        b'"reasoning_effort":"low","response_format":"json_object","tools":3}',
    ),
    (
        Usage(10, 20, 5, 1),
        b'{"prompt_tokens":10,"completion_tokens":20,"reasoning_tokens":5,"cached_tokens":1}',
    ),
    (Response("Hello", "stop"), b'{"text":"Hello","finish_reason":"stop"}'),
    (
        Exchange(
            id="e1",
            ts=1700000000.25,
            account="a1",
            messages=(Message("user", "Hi"),),
            org="Org",
            key="k1",
            ip="192.0.2.1",
            asn=64500,
            user_agent="client/1",
            ja4="t13d",
            endpoint="openai.chat",
            model="m",
            params=Params(temperature=0.5),
            response=Response(text="Hello"),
            usage=Usage(prompt_tokens=10),
            status=200,
            latency_ms=12.5,
        ),
        b'{"id":"e1","ts":1700000000.25,"account":"a1","messages":[{"role":"user","content":"Hi"}],"org":"Org",'
        b'"key":"k1","ip":"192.0.2.1","asn":64500,"user_agent":"client/1","ja4":"t13d","endpoint":"openai.chat",'
        b'"model":"m","params":{"temperature":0.5},"response":{"text":"Hello"},"usage":{"prompt_tokens":10},'
        b'"status":200,"latency_ms":12.5}',
    ),
    (
        Account(
            account="a1",
            org="Org",
            created_at=1699990000.0,
            plan="free",
            payment="p1",
            email_domain="example.org",
            country="XX",
            name="A Name",
            authorised=("distillation:model-x",),
        ),
        b'{"account":"a1","org":"Org","created_at":1699990000.0,"plan":"free","payment":"p1",'
        b'"email_domain":"example.org","country":"XX","name":"A Name","authorised":["distillation:model-x"]}',
    ),
    (
        RejectedRow(file="log.jsonl", line=7, reason="no id", row="{}"),
        b'{"file":"log.jsonl","line":7,"reason":"no id","row":"{}"}',
    ),
    (REASON, REASON_JSON),
    (ACCOUNT_RESULT, ACCOUNT_RESULT_JSON),
    (CAMPAIGN_RESULT, CAMPAIGN_RESULT_JSON),
    (EDGE, EDGE_JSON),
    (TemplatePart("question", True), b'{"text":"question","slot":true}'),
    (TimelineBucket(3600.0, 60, 2), b'{"start":3600.0,"exchanges":60,"accounts":2}'),
    (MEMBER, MEMBER_JSON),
    (DETAIL, DETAIL_JSON),
    (StageTime("link", 1.5, 1.25), b'{"stage":"link","wall":1.5,"cpu":1.25}'),
    (
        ScanReport(
            version="0.1.0",
            files=("log.jsonl",),
            exchanges=100,
            rejected=1,
            accounts=2,
            first_ts=1.0,
            last_ts=2.0,
            verdicts={"clear": 1, "watch": 0, "harvesting": 1, "authorised": 0},
            campaigns=(DETAIL,),
            results=(ACCOUNT_RESULT,),
            stages=(StageTime("link", 1.5, 1.25),),
            calibration="On benign groups.",
            notes=("A note.",),
            extra={"k": 1},
        ),
        b'{"version":"0.1.0","files":["log.jsonl"],"exchanges":100,"rejected":1,"accounts":2,"first_ts":1.0,'
        b'"last_ts":2.0,"verdicts":{"clear":1,"watch":0,"harvesting":1,"authorised":0},"campaigns":['
        + DETAIL_JSON
        + b'],"results":['
        + ACCOUNT_RESULT_JSON
        + b'],"stages":[{"stage":"link","wall":1.5,"cpu":1.25}],"calibration":"On benign groups.","notes":["A note."],'
        b'"extra":{"k":1}}',
    ),
]

OLDEST: list[tuple[type[msgspec.Struct], bytes]] = [
    (Exchange, b'{"id":"e1","ts":1.0,"account":"a1","messages":[]}'),
    (Account, b'{"account":"a1"}'),
    (Params, b"{}"),
    (Usage, b"{}"),
    (Response, b"{}"),
    (Reason, b'{"signal":"s","value":1.0,"text":"t"}'),
    (Exchange, b'{"id":"e1","ts":1.0,"account":"a1","messages":[],"a_field_of_tomorrow":[1]}'),
]
"""Rows as the first schema could write them with everything optional left out, and one from a later schema."""

KINDS = [kind for _, kind in inspect.getmembers(records, inspect.isclass) if issubclass(kind, msgspec.Struct) and kind]


def _name(value: object) -> str:
    return type(value).__name__ if isinstance(value, msgspec.Struct) else ""


def test_every_kind_of_record_is_pinned() -> None:
    pinned = {type(record) for record, _ in PINNED}
    missing = [kind.__name__ for kind in KINDS if kind not in pinned]
    assert not missing, f"give each of these a line in PINNED: {missing}"


@pytest.mark.parametrize(("record", "encoded"), PINNED, ids=_name)
def test_encoded_bytes(record: msgspec.Struct, encoded: bytes) -> None:
    assert msgspec.json.encode(record) == encoded
    assert msgspec.json.decode(encoded, type=type(record)) == record


@pytest.mark.parametrize(("record", "encoded"), PINNED, ids=_name)
def test_an_example_sets_every_field(record: msgspec.Struct, encoded: bytes) -> None:
    fields = {field.encode_name for field in msgspec.structs.fields(record)}
    assert set(msgspec.json.decode(encoded)) >= fields - {"params", "response", "usage"}


@pytest.mark.parametrize(("kind", "encoded"), OLDEST)
def test_older_and_newer_rows_decode(kind: type[msgspec.Struct], encoded: bytes) -> None:
    assert isinstance(msgspec.json.decode(encoded, type=kind), kind)


@pytest.mark.parametrize("kind", KINDS)
def test_records_are_frozen(kind: type[msgspec.Struct]) -> None:
    assert kind.__struct_config__.frozen, f"{kind.__name__} can be changed after it was made"


def test_closed_vocabularies() -> None:
    assert [verdict.value for verdict in Verdict] == ["clear", "watch", "harvesting", "authorised"]
    assert [channel.value for channel in Channel] == ["template", "semantic", "infrastructure", "timing"]
    assert records.SCHEMA_VERSION == 1
