"""What is asked: a workload yields, request by request, the messages one program or person sends."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random
from typing import NamedTuple, Protocol

import msgspec

from revenuer.lab.range.banks import banks, half
from revenuer.lab.range.config import Fold
from revenuer.lab.range.phrases import Template
from revenuer.lab.range.pool import Flavour, PromptPool, Row, Source
from revenuer.lab.range.text import Answers, reword, vary

Turn = tuple[str, str]


class Ask(NamedTuple):
    """Messages as (role, content), and the length of answer this kind of request gets (tokens, median)."""

    messages: tuple[Turn, ...]
    answer_tokens: int = 200


class Workload(Protocol):
    """Stateful source of requests of one stream."""

    def next(self, rng: Random, session: int) -> Ask:
        """The next request; `session` says which sitting or run it belongs to."""
        ...


class Material:
    """Pool, stand-in answers and fold, handed to every workload."""

    def __init__(self, pool: PromptPool, fold: Fold | None) -> None:
        self.pool, self.fold = pool, fold
        self.answers = Answers(pool)
        code = [r.text for s in pool.of("benign", "eval_harness_code", "text_to_sql", "agent") for r in s.rows]
        self.code = code or [c.turns[0] for c in pool.conversations]
        """Texts with code in them, where there are any."""
        self._threads: dict[str, list[tuple[Row, ...]]] = {}

    def threads(self, source: Source) -> list[tuple[Row, ...]]:
        """The dialogues of a source, turns in order."""
        if source.name not in self._threads:
            found: dict[str, list[Row]] = {}
            for i, row in enumerate(source.rows):
                found.setdefault(row.conversation_id or f"#{i}", []).append(row)
            self._threads[source.name] = [tuple(sorted(t, key=lambda r: r.turn)) for t in found.values()]
        return self._threads[source.name]


def ask(system: str | None, user: str, tokens: int) -> Ask:
    """A single-turn request."""
    return Ask((("system", system), ("user", user)) if system else (("user", user),), tokens)


class Chat:
    """A person: a handful of interests, conversations with history, returns to topics and to earlier questions."""

    def __init__(self, m: Material, rng: Random, topics: Sequence[str] = (), system: str | None = None) -> None:
        self._m = m
        flavour = rng.choices((Flavour.CHAT, Flavour.STUDY, None), (0.75, 0.13, 0.12))[0]
        self._topics = list(topics) or m.pool.interests(rng, rng.randint(2, 7), flavour)
        self._system = system
        self._repeat = rng.choice((0.02, 0.05, 0.1, 0.2))
        self._window = rng.choice((4, 8, 12, 30))
        self._reply_words = rng.randint(15, 70)
        self._past: list[str] = []
        self._session = -1
        self._queue: list[str] = []
        self._history: list[Turn] = []
        self._seen: set[int] = set()

    def next(self, rng: Random, session: int) -> Ask:
        """Goes on with the conversation of the session, or begins another."""
        if session != self._session or not self._queue:
            self._session = session
            self._history = []
            self._queue = self._conversation(rng)
        text = self._queue.pop(0)
        if self._past and rng.random() < self._repeat:
            text = reword(rng, rng.choice(self._past))
        self._past.append(text)
        kept = self._history[-self._window :]
        head: tuple[Turn, ...] = (("system", self._system),) if self._system else ()
        messages = (*head, *kept, ("user", text))
        self._history += [("user", text), ("assistant", self._m.answers.make(rng, text, self._reply_words))]
        return Ask(messages, 260)

    def _conversation(self, rng: Random) -> list[str]:
        pool = self._m.pool
        members = pool.topic(
            rng.choice(self._topics) if rng.random() < 0.85 else pool.interests(rng, 1, Flavour.CHAT)[0]
        )
        pick = members[int(rng.random() * len(members))]
        again = pick in self._seen
        self._seen.add(pick)
        turns = list(pool.conversations[pick].turns[:14])
        if again:
            turns = [reword(rng, t) if rng.random() < 0.7 else vary(rng, t) for t in turns]
        elif rng.random() < 0.35:
            turns[0] = vary(rng, turns[0]) if rng.random() < 0.5 else reword(rng, turns[0])
        return turns


class Templated:
    """A product or job: one template around inputs that come from `inputs`."""

    def __init__(
        self,
        m: Material,
        template: Template,
        inputs: Callable[[Random, int], str],
        *,
        tokens: int = 180,
        answer_words: int = 0,
        subject: str = "general",
        personas: Sequence[str] = (),
        stamped: bool = False,
    ) -> None:
        """`stamped` programs put who and when into the system turn, so that hardly two are alike."""
        self._m, self._template, self._inputs = m, template, inputs
        self._stamped = stamped
        self._tokens, self._words, self._subject, self._personas = tokens, answer_words, subject, personas

    def next(self, rng: Random, session: int) -> Ask:
        """The template with the next input in it."""
        x = self._inputs(rng, session)
        slots = {
            "x": x,
            "n": str(rng.randint(3, 20)),
            "subject": self._subject,
            "language": rng.choice(banks().languages),
        }
        if self._words:
            slots["answer"] = self._m.answers.make(rng, x, int(self._words * rng.uniform(0.4, 1.8)))
        slots["persona"] = rng.choice(self._personas) if self._personas else "You are a friendly expert."
        system, user = self._template.render(rng, **slots)
        if self._stamped and system:
            who = rng.choice(banks().first_names)
            system = (
                f"{system} User: {who} ({rng.randrange(10**6)}). Time: {rng.randrange(24):02d}:{rng.randrange(60):02d}."
            )
        return ask(system, user, self._tokens)


class Published:
    """Rows of a source as they are, with the source's own system turn."""

    def __init__(self, m: Material, rows: Callable[[Random, int], Row], tokens: int = 300) -> None:
        self._m, self._rows, self._tokens = m, rows, tokens

    def next(self, rng: Random, session: int) -> Ask:
        """The next row."""
        row = self._rows(rng, session)
        text = f"{row.context}\n\n{row.text}" if row.context else row.text
        return ask(self._m.pool.system_of(row), text, self._tokens)


class Threads:
    """Multi-turn dialogues of a product's users (support, agents): system turn, history, next user turn."""

    def __init__(self, m: Material, source: Source, system: str | None, *, tokens: int = 120, window: int = 20) -> None:
        self._m, self._system, self._tokens, self._window = m, system, tokens, window
        self._threads = m.threads(source)
        self._open: list[list[tuple[Row, ...] | int | list[Turn]]] = []

    def next(self, rng: Random, session: int) -> Ask:  # noqa: ARG002
        """One of a few open dialogues moves on by a turn."""
        if not self._open or (len(self._open) < 4 and rng.random() < 0.3):
            self._open.append([rng.choice(self._threads), 0, []])
        slot = int(rng.random() * len(self._open))
        thread, at, history = self._open[slot]
        assert isinstance(thread, tuple)
        assert isinstance(at, int)
        assert isinstance(history, list)
        row = thread[at]
        text = row.text if rng.random() < 0.6 else vary(rng, row.text) if rng.random() < 0.5 else reword(rng, row.text)
        system = self._system or self._m.pool.system_of(row)
        head: tuple[Turn, ...] = (("system", system),) if system else ()
        messages = (*head, *history[-self._window :], ("user", text))
        history += [("user", text), ("assistant", self._m.answers.make(rng, text, 18))]
        if at + 1 >= len(thread) or at > 12:
            self._open.pop(slot)
        else:
            self._open[slot][1] = at + 1
        return Ask(messages, self._tokens)


class Review:
    """Code review in continuous integration: a fixed instruction around a diff."""

    def __init__(self, m: Material, rng: Random, system: str | None) -> None:
        self._system = system
        nouns, suffixes = banks().code_nouns, ("py", "ts", "go", "java", "rb", "sql")
        self._note = rng.choice(half(banks().review_notes, m.fold))
        self._code = m.code
        self._paths = [
            f"{rng.choice(nouns)}/{rng.choice(nouns)}_{rng.choice(nouns)}.{rng.choice(suffixes)}" for _ in range(24)
        ]
        self._names = [
            f"{a}_{b}" for a in rng.sample(banks().code_verbs, 10) for b in rng.sample(banks().code_nouns, 4)
        ]

    def next(self, rng: Random, session: int) -> Ask:  # noqa: ARG002
        """A diff of a few hunks, with lines of real code tasks among made-up ones."""
        nouns, path = banks().code_nouns, rng.choice(self._paths)
        parts = [self._note, f"diff --git a/{path} b/{path}"]
        for _ in range(rng.randint(1, 5)):
            at = rng.randint(1, 900)
            parts.append(
                f"@@ -{at},{rng.randint(3, 12)} +{at},{rng.randint(3, 20)} @@ def {rng.choice(self._names)}():"
            )
            for _ in range(rng.randint(2, 9)):
                call = f"{rng.choice(self._names)}({rng.choice(nouns)}, {rng.randint(0, 99)})"
                parts.append(f"{rng.choice('+- ')}    {rng.choice(nouns)} = {call}")
        if rng.random() < 0.5:
            parts += [f"+ {line}" for line in rng.choice(self._code)[:600].splitlines()]
        return ask(self._system, "\n".join(parts), 220)


class Probing:
    """A security researcher: attempts at the model's limits, varied and repeated, around ordinary questions."""

    def __init__(self, m: Material, rng: Random) -> None:
        self._probes = half(banks().probes, m.fold)
        self._chat = m.pool.conversations
        self._language = rng.choice(banks().languages)
        self._system = rng.choice(banks().guarded_system) if rng.random() < 0.5 else None

    def next(self, rng: Random, session: int) -> Ask:  # noqa: ARG002
        """The next attempt."""
        x = self._chat[int(rng.random() * len(self._chat))].turns[0][:300]
        text = rng.choice(self._probes).replace("{x}", x).replace("{language}", self._language)
        return ask(self._system, reword(rng, text) if rng.random() < 0.5 else text, 150)


class Mixture:
    """Several workloads in one stream, chosen per request or per session."""

    def __init__(self, parts: Sequence[tuple[float, Workload]], *, sticky: bool = True) -> None:
        self._weights = [w for w, _ in parts]
        self._parts = [p for _, p in parts]
        self._sticky, self._session = sticky, -1
        self._now = self._parts[0]

    def next(self, rng: Random, session: int) -> Ask:
        """A request of the part whose turn it is."""
        if not self._sticky or session != self._session:
            self._session = session
            self._now = rng.choices(self._parts, self._weights)[0]
        return self._now.next(rng, session)


def change(rng: Random) -> float:
    """How often a program alters an input's numbers, names or constraints: never for many, often for some."""
    return rng.choice((0.0, 0.0, 0.05, 0.15, 0.4))


def any_of(texts: Sequence[str], *, reuse: float = 0.0, variation: float = 0.3) -> Callable[[Random, int], str]:
    """Inputs of a product: drawn with replacement, often a little different; `reuse` repeats one of the last."""
    recent: list[str] = []

    def draw(rng: Random, _session: int) -> str:
        if recent and rng.random() < reuse:
            return rng.choice(recent)
        text = texts[int(rng.random() * len(texts))]
        if rng.random() < variation:
            text = vary(rng, text) if rng.random() < 0.75 else reword(rng, text)
        recent.append(text)
        del recent[:-20]
        return text

    return draw


def in_order(
    texts: Sequence[str], *, restart: bool = False, again: float = 0.0, variation: float = 0.0
) -> Callable[[Random, int], str]:
    """A list worked through in order; varied on later passes, or begun anew with every session when `restart`.

    `again` is the chance that an earlier item is asked once more in other words, `variation` that an item is changed a
    little before it is sent.
    """
    state = {"at": 0, "session": -1}

    def draw(rng: Random, session: int) -> str:
        if restart and session != state["session"]:
            state["session"], state["at"] = session, 0
        at = state["at"]
        if at and again and rng.random() < again:
            return reword(rng, texts[int(rng.random() * at) % len(texts)])
        state["at"] = at + 1
        text = texts[at % len(texts)]
        fresh = restart or (at < len(texts) and not (variation and rng.random() < variation))
        return text if fresh else vary(rng, text)

    return draw


def rows_in_order(rows: Sequence[Row], *, restart: bool = False) -> Callable[[Random, int], Row]:
    """Rows worked through in order, as `in_order`."""
    state = {"at": 0, "session": -1}

    def draw(rng: Random, session: int) -> Row:
        if restart and session != state["session"]:
            state["session"], state["at"] = session, 0
        at = state["at"]
        state["at"] = at + 1
        row = rows[at % len(rows)]
        return row if restart or at < len(rows) else msgspec.structs.replace(row, text=vary(rng, row.text))

    return draw


def subject_texts(m: Material, rng: Random, most: int = 400) -> list[str]:
    """Bare texts one product works on: a few topics, or everything its users think of."""
    pool = m.pool
    if rng.random() < 0.25:
        picks = sorted(rng.sample(range(len(pool.conversations)), min(most, len(pool.conversations))))
    else:
        flavour = rng.choices((Flavour.CHAT, Flavour.STUDY, Flavour.SERVICE, None), (0.4, 0.15, 0.25, 0.2))[0]
        picks = [i for t in pool.interests(rng, rng.randint(1, 6), flavour) for i in pool.topic(t)]
    texts = [turn for i in picks for turn in pool.conversations[i].turns[:2] if len(turn) > 12]
    return texts[:most] or ["Hello, can you help me?"]
