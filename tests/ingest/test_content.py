from __future__ import annotations

import contextlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from revenuer.ingest.content import SHORT, answer_of, messages_of, response_format_of, text_of, usage_of
from revenuer.ingest.source import RowError
from revenuer.records import Message, Response, Usage

JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "role",
                    "content",
                    "type",
                    "text",
                    "tool_calls",
                    "choices",
                    "message",
                    "output",
                    "parts",
                    "usage",
                    "name",
                ]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=15,
)


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (None, ""),
        ("plain", "plain"),
        ([], ""),
        (["a", "b"], "a\nb"),
        ({"type": "text", "text": "one part"}, "one part"),
        ([{"text": "no type"}], "no type"),
        ([{"type": "input_text", "text": "a"}, {"type": "input_image"}, {"type": "input_file"}], "a\n[image]\n[file]"),
        ([{"type": "blob", "modality": "video", "content": "AAAA"}], "[video]"),
        ([{"type": "redacted_thinking", "data": "x"}], "[redacted_thinking]"),
        ([{"type": "refusal", "refusal": "I cannot."}], "I cannot."),
        ([{"type": "server_tool_use", "name": "web_search", "input": {"q": 1}}], '[tool_call web_search({"q":1})]'),
        (
            [{"type": "tool_result", "content": [{"type": "image"}, {"type": "text", "text": "x"}]}],
            "[tool_result [image]\nx]",
        ),
        ([{"type": "tool_call_response", "response": {"a": 1}}], '[tool_result {"a":1}]'),
        ([{"type": "web_search_tool_result", "content": "found"}], "[tool_result found]"),
        ([{"odd": 1}, 7], "[unknown]"),
    ],
)
def test_parts_become_text(content: object, text: str) -> None:
    assert text_of(content, "content") == text


def test_tool_calls_are_kept_short() -> None:
    text = text_of([{"type": "tool_use", "name": "f", "input": "y" * 10_000}], "content")
    assert text == f"[tool_call f({'y' * SHORT})]"
    assert len(text_of([{"type": "tool_result", "content": "z" * 10_000}], "content")) == SHORT + len("[tool_result ]")


def test_a_bare_text_is_a_user_turn() -> None:
    assert messages_of("hi", "input") == (Message("user", "hi"),)


def test_legacy_function_calls() -> None:
    [turn] = messages_of(
        [{"role": "assistant", "content": None, "function_call": {"name": "f", "arguments": "{}"}}], "m"
    )
    assert turn == Message("assistant", "[tool_call f({})]")


@given(JSON)
def test_no_json_value_breaks_the_readers(value: Any) -> None:
    for reader in (messages_of, text_of):
        with contextlib.suppress(RowError):
            assert isinstance(reader(value, "x"), tuple | str)
    with contextlib.suppress(RowError):
        assert isinstance(answer_of(value), Response)
    assert isinstance(usage_of(value), Usage)
    response_format_of(value)


def test_anthropic_tokens_beside_the_prompt_are_added_up() -> None:
    usage = {"input_tokens": 5, "cache_read_input_tokens": 7, "cache_creation_input_tokens": 1, "output_tokens": 2}
    assert usage_of({"usage": usage}) == Usage(13, 2, None, 7)


def test_openai_tokens_contain_the_cached_ones() -> None:
    usage = {"input_tokens": 5, "input_tokens_details": {"cached_tokens": 3}, "output_tokens": 2}
    assert usage_of({"usage": usage}) == Usage(5, 2, None, 3)
