"""The prompts a range is built from: rows by source, split into folds by whole sources, indexed by topic."""

from __future__ import annotations

import gzip
import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from enum import StrEnum
from importlib import resources
from pathlib import Path
from random import Random

import msgspec

from revenuer.lab.range.config import Fold

WORD = re.compile(r"[a-z]{4,14}|[一-鿿]{2}")
STOP = frozenset(
    [
        "about",
        "above",
        "after",
        "again",
        "also",
        "answer",
        "based",
        "because",
        "been",
        "before",
        "being",
        "below",
        "between",
        "both",
        "cannot",
        "correct",
        "could",
        "does",
        "doing",
        "down",
        "each",
        "every",
        "example",
        "explain",
        "find",
        "first",
        "following",
        "from",
        "give",
        "given",
        "have",
        "having",
        "here",
        "however",
        "into",
        "just",
        "know",
        "let",
        "like",
        "list",
        "long",
        "look",
        "made",
        "make",
        "many",
        "more",
        "most",
        "much",
        "must",
        "need",
        "needs",
        "next",
        "number",
        "only",
        "other",
        "please",
        "provide",
        "question",
        "same",
        "sentence",
        "should",
        "show",
        "some",
        "such",
        "sure",
        "take",
        "tell",
        "than",
        "thank",
        "thanks",
        "that",
        "their",
        "them",
        "then",
        "there",
        "these",
        "they",
        "this",
        "those",
        "through",
        "time",
        "under",
        "using",
        "very",
        "want",
        "well",
        "were",
        "what",
        "when",
        "where",
        "which",
        "while",
        "will",
        "with",
        "within",
        "without",
        "word",
        "words",
        "work",
        "would",
        "write",
        "year",
        "your",
        "following",
        "multiple",
        "choice",
        "questions",
        "answers",
        "english",
        "phrase",
        "german",
        "japanese",
        "swahili",
    ]
)

FOLDS: dict[str, Fold] = {
    # attack: both folds hold data generation, imitation, code and reasoning; likewise among the shippable ones
    "alpaca_generation": Fold.A,
    "alpaca_instructions": Fold.A,
    "camel_task_generation": Fold.A,
    "chatdoctor_5k": Fold.A,
    "code_alpaca_2k": Fold.A,
    "openthoughts_r1_math": Fold.A,
    "belle_zh_generation": Fold.B,
    "codealpaca_generation": Fold.B,
    "evol_codealpaca": Fold.B,
    "gorilla_apibench": Fold.B,
    "gpt4llm_alpaca_template": Fold.B,
    "metamath_bootstrap": Fold.B,
    "ultrafeedback_judge": Fold.B,
    # benign: chat, support, documents, structured data, agents and evaluations on both sides
    "alpaca_eval_instructions": Fold.A,
    "awesome_chatgpt_prompts": Fold.A,
    "humaneval_mbppplus": Fold.A,
    "instructionwild_user": Fold.A,
    "mmlu_test_lm_eval": Fold.A,
    "oasst1_en_val": Fold.A,
    "qmsum_meeting_queries": Fold.A,
    "sgd_user_turns": Fold.A,
    "spider_text2sql": Fold.A,
    "agentbench_dbbench": Fold.B,
    "banking77": Fold.B,
    "gsm8k_test_lm_eval": Fold.B,
    "mt_bench_vicuna_bench": Fold.B,
    "ntrex_translation_batch": Fold.B,
    "self_instruct_user_oriented": Fold.B,
    "sharegpt_v3": Fold.B,
    "tau_bench_agent": Fold.B,
    "zero_shot_cot_eval": Fold.B,
}
"""The fold of every source known here. A source not listed alternates within its role and kind, in name order."""


class Flavour(StrEnum):
    """What sort of thing a conversation is about. Closed."""

    CHAT = "chat"
    """What people ask of their own accord."""
    STUDY = "study"
    """Exercises and test questions."""
    SERVICE = "service"
    """What customers ask of a company, and what companies process."""


def flavour_of(kind: str) -> Flavour:
    """The flavour of a source's kind."""
    if kind.startswith("eval_harness"):
        return Flavour.STUDY
    return Flavour.CHAT if kind.startswith("chat") else Flavour.SERVICE


class Row(msgspec.Struct, frozen=True):
    """One prompt as its source has it; `raw` is the bare question where a published template was wrapped around it."""

    source: str
    role: str
    kind: str
    text: str
    split: str = ""
    system: str | None = None
    system_id: str | None = None
    context: str | None = None
    raw: str | None = None
    conversation_id: str | None = None
    turn: int = 0
    lang: str = "und"
    licence: str = ""

    @property
    def bare(self) -> str:
        """The question alone."""
        return self.raw or self.text


class Source(msgspec.Struct, frozen=True):
    """All rows of one source, in its own order."""

    name: str
    role: str
    kind: str
    rows: tuple[Row, ...]


class Conversation(msgspec.Struct, frozen=True):
    """User turns that belong together; single questions are conversations of one turn."""

    source: str
    topic: str
    turns: tuple[str, ...]


class PoolError(Exception):
    """The prompts asked for are not there; the message says where and what was looked for."""


def fold_of(sources: Iterable[tuple[str, str, str]]) -> dict[str, Fold]:
    """Fold of every (role, kind, name), from `FOLDS` or by alternation among the unlisted."""
    folds: dict[str, Fold] = {}
    unlisted: dict[tuple[str, str], int] = defaultdict(int)
    for role, kind, name in sorted(sources):
        if name in FOLDS:
            folds[name] = FOLDS[name]
        else:
            folds[name] = (Fold.A, Fold.B)[unlisted[role, kind] % 2]
            unlisted[role, kind] += 1
    return folds


class PromptPool:
    """Sources by role and kind, conversations by topic. Read-only once made."""

    def __init__(self, sources: Sequence[Source], systems: dict[str, str] | None = None) -> None:
        """`systems` maps a row's `system_id` to its text."""
        if not any(s.role == "benign" for s in sources) or not any(s.role == "attack" for s in sources):
            raise PoolError("a range needs at least one benign and one attack source; check the lists and the fold")
        self.sources = tuple(sorted(sources, key=lambda s: (s.role, s.name)))
        self.systems = dict(systems or {})
        self.conversations = tuple(_conversations(self.sources))
        self._topics: dict[str, tuple[int, ...]] = {}
        names: dict[Flavour, tuple[str, ...]] = {}
        kinds = {s.name: s.kind for s in self.sources}
        for flavour in Flavour:
            members = [i for i, c in enumerate(self.conversations) if flavour_of(kinds[c.source]) is flavour]
            found = _topic_index(self.conversations, members, flavour)
            self._topics.update(found)
            names[flavour] = tuple(sorted(found))
        self.topic_names = tuple(sorted(self._topics))
        self._names = {f: found or self.topic_names for f, found in names.items()}

    @classmethod
    def load(
        cls,
        directory: Path | None = None,
        *,
        fold: Fold | None = None,
        include: Sequence[str] = (),
        exclude: Sequence[str] = (),
    ) -> PromptPool:
        """Read `{role}__{source}.jsonl.gz` files of a directory, or the bundled sample when None.

        Raises `PoolError` when the directory has no such file, or a named source does not exist.
        """
        root = directory if directory is not None else bundled_prompts()
        files = sorted(root.glob("*__*.jsonl.gz"))
        if not files:
            raise PoolError(f"no prompt files named role__source.jsonl.gz in {root}")
        names = {f.name.removesuffix(".jsonl.gz").split("__", 1)[1] for f in files}
        for name in (*include, *exclude):
            if name not in names:
                raise PoolError(f"no source named {name!r} in {root}; there are {', '.join(sorted(names))}")
        decoder = msgspec.json.Decoder(Row)
        sources = []
        for file in files:
            name = file.name.removesuffix(".jsonl.gz").split("__", 1)[1]
            if (include and name not in include) or name in exclude:
                continue
            with gzip.open(file, "rb") as lines:
                rows = tuple(decoder.decode(line) for line in lines if line.strip())
            if rows:
                sources.append(Source(name, rows[0].role, rows[0].kind, rows))
        if fold is not None:
            folds = fold_of((s.role, s.kind, s.name) for s in sources)
            sources = [s for s in sources if folds[s.name] is fold]
        systems: dict[str, str] = {}
        for file in sorted(root.glob("*_system_prompts.json")):
            systems.update(msgspec.json.decode(file.read_bytes(), type=dict[str, str]))
        return cls(sources, systems)

    def of(self, role: str, *kinds: str) -> list[Source]:
        """Sources of a role, of any of the kinds (a kind matches by prefix); all of the role if no kind is given."""
        return [s for s in self.sources if s.role == role and (not kinds or s.kind.startswith(kinds))]

    def named(self, *names: str) -> list[Source]:
        """Sources by name, those present."""
        return [s for s in self.sources if s.name in names]

    def system_of(self, row: Row) -> str | None:
        """The system turn the source has for a row."""
        return row.system or (self.systems.get(row.system_id) if row.system_id else None)

    def topic(self, name: str) -> Sequence[int]:
        """Indices into `conversations` of a topic."""
        return self._topics[name]

    def interests(self, rng: Random, count: int, flavour: Flavour | None = None) -> list[str]:
        """Topics of one person or product, distinct; of one flavour, or of any."""
        names = self.topic_names if flavour is None else self._names[flavour]
        return rng.sample(names, min(count, len(names)))


def bundled_prompts() -> Path:
    """Folder of the prompts that ship with the package."""
    return Path(str(resources.files("revenuer") / "data" / "prompts"))


def content_words(text: str, limit: int = 400) -> list[str]:
    """Lower-case words of at least four letters (or Chinese pairs) that are not stop words."""
    return [w for w in WORD.findall(text[:limit].lower()) if w not in STOP]


def _conversations(sources: Iterable[Source]) -> Iterable[Conversation]:
    for source in sources:
        if source.role != "benign" or source.kind.startswith(("agent", "rag", "persona")):
            continue
        threads: dict[str, list[Row]] = defaultdict(list)
        for number, row in enumerate(source.rows):
            threads[row.conversation_id or f"#{number}"].append(row)
        for rows in threads.values():
            rows.sort(key=lambda r: r.turn)
            split = rows[0].split if source.kind in {"eval_harness", "customer_service"} else ""
            yield Conversation(source.name, split, tuple(r.bare for r in rows))


def _topic_index(
    conversations: Sequence[Conversation], members: Sequence[int], flavour: Flavour
) -> dict[str, tuple[int, ...]]:
    """Topics of some conversations: a source's own labels, and content words that neither few nor many of them have."""
    found: dict[str, list[int]] = defaultdict(list)
    for index in members:
        conversation = conversations[index]
        if conversation.topic:
            found[f"{conversation.source}/{conversation.topic}"].append(index)
        else:
            for word in sorted(set(content_words(" ".join(conversation.turns), 600))):
                found[f"{flavour}/{word}"].append(index)
    low = 4 if len(members) > 2000 else 3
    high = max(160, len(members) // 60)
    kept = {name: tuple(held) for name, held in found.items() if low <= len(held) <= high}
    return kept or ({f"{flavour}/everything": tuple(members)} if members else {})
