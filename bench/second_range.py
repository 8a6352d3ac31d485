"""Write a labelled range log with customers and campaigns of its own making: a second opinion on the product's range.

Thresholds learned on one simulated range gave 0 or 33 false accounts on another, so this generator shares no code and
no choices with the product's. Words: the open prompts (real prompts, simulated behaviour) and `second_words.py`.

    python bench/second_range.py --prompts DIR --out DIR --seed 1 [--exchanges 120000] [--days 10] [--sources-half all]

DIR holds `{role}__{source}.jsonl.gz`; `../outputs/alpaca_eval` and `../traces` beside it give answers and rates. Halves
share no source but ShareGPT (split by conversation) and 174 Chinese seed tasks (both). Limits: addresses are from 240/4
and 2001:db8::/32; kept answers seldom fit their question; people's questions are reused, reworded, three to six times.
"""

from __future__ import annotations

import argparse
import sys
import zlib
from collections.abc import Callable, Iterator
from hashlib import blake2b
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq
import zstandard

if __name__ == "__main__":  # run as a script, the folder above is not searched
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bench.second_words import SAY, Ask, Asked, Corpus, Rng, Turns, choose, feed, framed, mixes, reword, works

START, DAY, HOUR = 1_772_409_600.0, 86400.0, 3600.0  # a Monday
Host = tuple[str, int]  # address, autonomous system
Customer = dict[str, Any]  # what the provider sees of an account besides its text

# The median answer in tokens, and the spread of its logarithm, where no trace says it.
LENGTHS = {"short": (25, 0.8), "long": (700, 0.6), "reasoning": (1500, 0.8), "list": (500, 0.5)}


class Account(NamedTuple):
    ident: str
    cls: str
    operator: str
    campaign: str | None
    customer: Customer
    ask: Ask
    n: float
    pattern: str
    rng: Rng


class World:
    """Draws customers and keeps the accounts made. Every operator and account has a random stream of its own."""

    def __init__(self, corpus: Corpus, seed: int, scale: float, days: float) -> None:
        self.corpus, self.seed, self.scale, self.end = corpus, seed, scale, START + days * DAY
        self.launch = START + 0.5 * days * DAY  # of a new model
        self.accounts: list[Account] = []
        rng = self.stream("world")
        blocks, self.nets = iter(rng.permutation(1 << 20)), dict[str, list[tuple[int, list[int]]]]()
        kinds = {"isp": (40, 150), "mobile": (8, 60), "cloud": (10, 120), "exit": (8, 12), "office": (60, 2)}
        for kind, (count, size) in kinds.items():
            numbers = rng.integers(1000, 60000, count)
            self.nets[kind] = [(int(asn), [int(next(blocks)) for _ in range(size)]) for asn in numbers]
        self.relays = [self.addresses(rng, "exit", 6) for _ in range(3)]  # of one provider with customers of all kinds
        builds = [(lib, i) for lib in SAY["library"] for i in range(5)]
        ja4 = [f"t13d{len(lib)}{i // 2}h1_{self.name(lib + str(i // 2), 12)}" for lib, i in builds]
        self.stacks = [(f"{lib}/1.{rng.integers(90)}.{i}", hello) for (lib, i), hello in zip(builds, ja4, strict=True)]
        self.popular = 1 / (rng.permutation(len(self.stacks)) + 2.0)
        self.outages = [float(rng.uniform(START, self.end)) for _ in range(3)]

    def stream(self, name: str) -> Rng:
        return np.random.default_rng([self.seed, zlib.crc32(name.encode())])

    def name(self, text: str, size: int = 10) -> str:
        return blake2b(f"{self.seed}/{text}".encode()).hexdigest()[:size]

    def addresses(self, rng: Rng, kind: str, count: int) -> list[Host]:
        """Hosts of one network; most of them in a few of its /24 (or IPv6 /64) blocks."""
        asn, blocks = self.nets[kind][int(len(self.nets[kind]) * rng.random() ** 1.5)]
        narrow, found = [choose(rng, blocks) for _ in range(max(1, count // 3))], []
        for _ in range(count):
            block, end = choose(rng, narrow if rng.random() < 0.7 else blocks), rng.integers(1, 255)
            four = f"{240 + (block >> 16)}.{block >> 8 & 255}.{block & 255}.{end}"
            six = kind in ("isp", "mobile") and block % 8 == 0
            found.append((f"2001:db8:{block >> 8:x}:{block & 255:x}::{end:x}" if six else four, asn))
        return found

    def word(self, rng: Rng) -> str:
        return "".join(choose(rng, SAY["syllable"]) for _ in range(3)).title()

    def stack(self, rng: Rng) -> tuple[str, str]:
        return self.stacks[int(rng.choice(len(self.stacks), p=self.popular / self.popular.sum()))]

    def customer(self, rng: Rng, person: bool) -> Customer:
        word = self.word(rng)
        kinds = ["isp"] + ["mobile"] * (rng.random() < 0.4) + ["exit"] * (rng.random() < 0.15)
        kinds = kinds if person else [choose(rng, ["cloud", "cloud", "office", "exit"])]
        young = rng.random() < 0.25
        created = rng.uniform(START - 5 * DAY, self.end - 2 * DAY) if young else START - rng.gamma(1.5, 150 * DAY)
        begin = max(START, created + rng.exponential(HOUR))
        stop = self.end if rng.random() < 0.75 else rng.uniform(min(begin + DAY, self.end), self.end)
        params = {
            "temperature": choose(rng, [None, None, 0.0, 0.2, 0.3, 0.7, 0.7, 1.0]),
            "max_tokens": choose(rng, [None, None, 256, 512, 1024, 2048, 4096]),
            "top_p": choose(rng, [None, None, 1.0, 0.95]),
            "tools": int(rng.integers(1, 9)) if rng.random() < (0.1 if person else 0.25) else None,
            "stream": bool(rng.random() < (0.7 if person else 0.35)),
        }
        domains = ["mailhub", "postbox", "inbox"] if rng.random() < 0.15 + 0.6 * person else [word.lower()]
        return {
            "org": None
            if person and rng.random() < 0.7
            else word + choose(rng, [" Ltd", " GmbH", " Labs", "", " Inc"]),
            "name": word + " " + choose(rng, SAY["name"] if person else ["Ltd", "GmbH", "Inc"]),
            "email_domain": choose(rng, domains) + ".example",
            "payment": None if rng.random() < 0.12 else self.name(f"pay{rng.integers(1 << 60)}", 12),
            "country": choose(rng, SAY["country"]),
            "plan": choose(
                rng, ["free", "plus", "plus", "payg", "payg"] if person else ["payg", "payg", "team", "scale"]
            ),
            "created_at": round(created),
            "authorised": [],
            "tz": int(rng.integers(-8, 10)),
            "hosts": [h for kind in kinds for h in self.addresses(rng, kind, int(rng.geometric(0.35)))],
            "stacks": [self.stack(rng) for _ in range(1 + (rng.random() < 0.3))],
            "params": params,
            "model": choose(rng, ["atlas-1-large", "atlas-1-large", "atlas-1-mini", "atlas-1-think"]),
            "adopts": self.launch + rng.exponential(2 * DAY) if rng.random() < 0.5 else np.inf,
            "endpoint": choose(rng, ["openai.chat"] * 6 + ["openai.responses", "anthropic.messages"]),
            "span": (float(begin), float(max(stop, begin + 6 * HOUR))),
            "banned": np.inf,
        }

    def add(self, who: tuple[str, str, str | None], customer: Customer, ask: Ask, n: float, pattern: str) -> None:
        """One account of `who` (class, operator, campaign); half of them do something else beside their main work."""
        ident = "acct_" + self.name(f"account{len(self.accounts)}")
        rng = self.stream(ident)
        if rng.random() < 0.5:
            side = rng.uniform(0.02, 0.25)
            tests = works(feed(rng, SAY["check"], False, 0.3), framed("{x}"), "short")
            ask = mixes(rng, (1 - side, ask), (0.8 * side, self.anything(rng, 1 + n * side)), (0.2 * side, tests))
        self.accounts.append(Account(ident, *who, customer, ask, n, pattern, rng))

    def anything(self, rng: Rng, n: float) -> Ask:
        return self.chatter(rng, n) if rng.random() < 0.65 else self.product(rng, self.word(rng))(n)

    def talk(self, rng: Rng, n: float, pool: str = "chat", system: str = "", focus: float = 0.6) -> Ask:
        """A person's conversations: follow-ups carry what came before, old questions return in other words."""
        talks = self.corpus.pools[pool].pick(rng, int(n / 2) + 3, focus)
        memory, at, turn = choose(rng, [0, 2, 6, 6]), -1, 0
        tongue = choose(rng, SAY["tongue"]) if pool == "chat" and rng.random() < 0.05 else "{x}"
        history: Turns = []

        def ask(gap: float) -> Asked:
            nonlocal at, turn
            if (gap > 1800 and pool == "chat") or at < 0 or turn >= len(talks[at % len(talks)]) or rng.random() < 0.1:
                at, turn = (int(rng.integers(len(talks))) if rng.random() < 0.12 else at + 1), 0
                history.clear()
            text = talks[at % len(talks)][turn]
            text = reword(rng, text) if rng.random() < 0.8 else text
            if turn == 0:
                seed = "中" in tongue and rng.random() < 0.3
                text = tongue.replace("{x}", choose(rng, self.corpus.zh_seeds) if seed else text)
            turn += 1
            past = ([("system", system)] if system else []) + (history[-memory:] if memory else [])
            history.extend([("user", text[:800]), ("assistant", choose(rng, self.corpus.replies))])
            return Asked([*past, ("user", text)], "code" if "```" in text else "conv")

        return ask

    def chatter(self, rng: Rng, n: float) -> Ask:
        """A person with a client of her own; some clients hold several assistants."""
        shown = rng.random()
        heads = choose(rng, SAY["front"]) if shown < 0.35 else choose(rng, self.corpus.personas) if shown < 0.42 else ""
        many = [choose(rng, self.corpus.personas) for _ in range(3)] if shown > 0.85 else [heads]
        return mixes(rng, *((1, self.talk(rng, n / len(many), "chat", head)) for head in many))

    def product(
        self, rng: Rng, company: str, uses: str = "", frame: str = "frame", sweep: float = 0.4, kind: str = ""
    ) -> Callable[[float], Ask]:
        """An app on the model: a system turn, a frame for its users' words, a topic. Each account gets a slice."""
        industry, k, bot = choose(rng, SAY["industry"]), str(rng.integers(2, 9)), choose(rng, SAY["name"])

        def told(text: str) -> str:
            return text.replace("{c}", company).replace("{i}", industry).replace("{k}", k).replace("{u}", bot)

        rules = [choose(rng, SAY["rule"]) for _ in range(int(rng.integers(1, 6)))]
        system = told(choose(rng, ["\n", " ", "\n- "]).join([choose(rng, SAY["role"]), *rules]))
        system = system if rng.random() < 0.7 else ""
        use = choose(rng, (uses or "first first spoken sql document meeting code instruct").split())
        use = use if self.corpus.pools[use].items else "first"
        template, dated, swept = told(choose(rng, SAY[frame])), choose(rng, SAY["dated"]), bool(rng.random() < sweep)
        kind = kind or choose(rng, ["conv", "short", "code", "long", "list", "reasoning"])

        def turns(text: str) -> Turns:
            today = dated.replace("{d}", str(rng.integers(2, 12))).replace("{u}", choose(rng, SAY["name"]))
            return framed(template, system and system + today)(text)

        def account(n: float) -> Ask:
            if use == "spoken":
                return self.talk(rng, n, use, system, 0.8)
            items = self.corpus.pools[use].pick(rng, int(n * rng.uniform(0.4, 1.1)) + 5, 0.7)
            return works(feed(rng, items, swept, 0.12), list if use == "sql" else turns, kind)

        return account


# Benign classes: operators, accounts of one (from, to), exchanges of an account (mean), when, what its accounts share;
# for those that are products: uses, frame, share that sweeps, kind of answer.
CUSTOMERS = """
chat 1120 1 1 26 human person
app_dev 200 1 3 75 service,service,human,batch team
support_bot 45 1 2 130 service team spoken,spoken,first frame .1
nightly_eval 28 1 3 120 nightly team
new_model_benchmark 28 1 2 70 launch team
llm_judge 28 1 3 100 nightly,batch,human team graded judge .8
inhouse_synthetic 18 1 4 110 batch,steady,nightly team first,document synth .9 long
ci_review 38 1 2 75 human,service team code,coding review .5 code
rag_backfill 26 1 3 100 batch,steady team document,meeting index 1
fallback_router 24 1 1 60 outage team
drift_monitor 22 1 2 100 hourly team
team_key 24 1 1 120 human team
llm_gateway 8 1 2 350 service team
reasoning_audit 20 1 2 90 service,human team first,document,meeting audit .4 reasoning
agency 5 7 24 32 service,human team first,document,instruct frame
shared_relay 3 18 30 26 human exit
classroom 5 16 30 14 lesson office
licensed_distillation 4 3 9 110 steady,batch team
security_research 16 1 2 60 human,batch team first probe .6
"""
TEAM = ("org", "name", "email_domain", "payment", "country", "tz", "stacks", "plan", "model")
ALLOWED = {
    "licensed_distillation": ("distillation:atlas-mini", 1.0),
    "security_research": ("security-research", 0.5),
    "inhouse_synthetic": ("synthetic-data:classifier", 0.5),
    "nightly_eval": ("evaluation", 0.2),
}


def main_work(w: World, cls: str, rng: Rng, company: str, style: list[str]) -> Callable[[float], Ask]:
    """What an operator of this class does: a function from an account's size to its requests."""
    pools = w.corpus.pools
    if cls in ("nightly_eval", "drift_monitor", "new_model_benchmark"):
        exam = choose(rng, w.corpus.exams)
        size = min(len(exam), int(rng.integers(15, 40) if cls == "drift_monitor" else rng.integers(40, 250)))
        begin = 0 if rng.random() < 0.5 else int(rng.integers(len(exam) - size + 1))  # many stop after the first N
        turns, kind = (
            framed("{x}", choose(rng, [*SAY["front"][:2], "", "", ""])),
            choose(rng, ["short", "conv", "code"]),
        )
        return lambda _n: works(feed(rng, exam[begin : begin + size], True, 0.0), turns, kind)
    if cls == "licensed_distillation":
        turns, kind = framed(choose(rng, SAY["fixed"])), choose(rng, ["long", "reasoning"])
        pool = pools[choose(rng, ["instruct", "coding", "maths", "domain"])]
        return lambda n: works(feed(rng, pool.deal(rng, int(n * 1.3) + 5), True), turns, kind)
    if cls == "classroom":
        sheet = pools[choose(rng, ["code", "first"])].pick(rng, 14, 0.8)
        asked = (reword(rng, x) for x in feed(rng, sheet, False, 0.2))
        return lambda n: mixes(rng, (7, works(asked, framed("{x}"), "conv")), (3, w.chatter(rng, n / 3)))
    many = {"shared_relay": 1, "team_key": 4, "llm_gateway": 5}.get(cls)
    if many:
        return lambda n: mixes(rng, *((rng.uniform(0.5, 2), w.anything(rng, n / many)) for _ in range(many)))
    if cls == "chat":
        return lambda n: w.chatter(rng, n)
    return w.product(rng, company, style[0].replace(",", " "), style[1], float(style[2]), style[3])


def add_customers(w: World) -> None:
    for cls, operators, low, high, mean, patterns, shares, *style in map(str.split, CUSTOMERS.strip().split("\n")):
        for k in range(max(1, round(int(operators) * w.scale))):
            rng, team = w.stream(f"{cls}{k}"), shares == "team"
            base = w.customer(rng, not team)
            work = main_work(w, cls, rng, base["org"] or w.word(rng), style + ["", "frame", "0.4", ""][len(style) :])
            pattern = choose(rng, patterns.split(","))
            common = w.relays[k % 3] if shares == "exit" else w.addresses(rng, shares, 4) if shares == "office" else []
            permission, share = ALLOWED.get(cls, ("", 0.0))
            allowed = [permission] if rng.random() < share else []
            for _ in range(int(rng.integers(int(low), int(high) + 1))):
                own = w.customer(rng, not team) | {"authorised": allowed}
                if team:  # one customer: the same bill and stack, neighbouring machines
                    own |= {f: base[f] for f in TEAM}
                    own["hosts"] = base["hosts"] if rng.random() < 0.5 else own["hosts"] + base["hosts"][:2]
                elif common:
                    own |= {"hosts": common if rng.random() < 0.6 else common + own["hosts"][:2], "tz": base["tz"]}
                if cls == "team_key":
                    people = [w.customer(rng, True) for _ in range(int(rng.integers(3, 12)))]
                    own |= {"hosts": [p["hosts"][0] for p in people], "stacks": [p["stacks"][0] for p in people]}
                n = int(mean) * float(np.exp(rng.normal(-0.4, 0.9)))
                w.add((cls, f"{cls}-{k}", None), own, work(n), n, pattern)


# Campaigns: accounts, exchanges of one (mean), pools, wording, infrastructure, when, share of harvest (from, to),
# spread of load (of its logarithm), and whether the list is dealt by topic.
CAMPAIGNS = """
careless 18 75 instruct fixed careless steady .85 1 .4
many_light 60 13 instruct,coding fixed mixed human .85 1 .2
diluted_low 34 75 instruct fixed relay human .05 .1 .8
diluted_half 26 60 coding,instruct random relay human,service .2 .5 .8
slow_careful 36 28 domain,instruct random careful drip .75 .95 .3
natural 30 38 first,instruct none mixed human,steady .8 1 .9
judge 12 75 judged,graded judge mixed steady,batch .85 1 .4
reasoning 20 60 maths reasoning mixed batch .85 1 .7
task_generation 8 95 tasks none careful service .85 1 .9
chinese 15 60 chinese chinese mixed human .85 1 .4
russian 14 55 instruct,domain russian careful steady,human .6 .9 .4
pool_switch 24 60 instruct fixed switch steady .85 1 .4
code_heavy 5 260 coding system careless service,batch .85 1 .8 topic
domain_personas 9 70 domain system mixed human .5 .9 1 topic
"""


def wording(w: World, rng: Rng, style: str) -> Callable[[str], Turns]:
    if style in ("fixed", "chinese", "russian"):
        template = framed(choose(rng, SAY[style]))
        return lambda x: (
            [("user", x)] if x.startswith("你被要求") else template(x)
        )  # a published Chinese prompt as it is
    if style == "judge":  # a published rubric as it is, another one around the rest
        rubric = framed(choose(rng, SAY["judge"]).replace("{k}", "10").replace("{i}", "anything").replace("{c}", "us"))
        return lambda x: rubric(x) if x.startswith("[Question]") else [("user", x)]
    if style == "system":
        industries = [choose(rng, SAY["industry"]) for _ in range(6)]
        return lambda x: framed("{x}", f"You are an expert in {choose(rng, industries)}. {SAY['system'][0]}")(x)
    if style != "random":
        return framed("{x}", w.corpus.maths_system if style == "reasoning" else "")
    before, after = ([choose(rng, SAY[part]) for _ in range(12)] for part in ("before", "after"))
    front = choose(rng, SAY["front"])

    def scattered(text: str) -> Turns:
        parts = [choose(rng, before), reword(rng, text), choose(rng, after)]
        parts = parts[int(rng.random() < 0.35) : 3 - int(rng.random() < 0.35)]
        system = [("system", front)] if rng.random() < 0.3 else []
        return [*system, ("user", choose(rng, ["\n", " ", "\n\n"]).join(parts))]

    return scattered


def add_campaigns(w: World) -> None:
    for line in CAMPAIGNS.strip().split("\n"):
        name, count, mean, pools, style, infra, patterns, low, high, spread, *topic = line.split()
        rng, size = w.stream("campaign " + name), max(5, round(int(count) * w.scale))
        bills = [w.customer(rng, True) for _ in range(max(2, size // 6))]
        racks = [w.addresses(rng, choose(rng, ["cloud", "exit"]), 5) for _ in range(3)]
        stacks = [w.stack(rng) for _ in range(1 if infra == "careless" else 4)]
        signup, pivots, switch = START + rng.uniform(-40, 0.5) * DAY, rng.random() < 0.5, w.launch - DAY * rng.random()
        loads = float(mean) * np.exp(rng.normal(0, float(spread), size) - float(spread) ** 2 / 2)
        dealt = [w.corpus.pools[p] for p in pools.split(",") if w.corpus.pools[p].items]
        work = [x for pool in dealt for x in pool.deal(rng, int(loads.sum() * 1.3 / len(dealt)) + size, bool(topic))]
        work = work if topic else [work[i] for i in rng.permutation(len(work))]
        bounds = (np.concatenate([[0], np.cumsum(loads) / loads.sum()]) * len(work)).astype(int)
        say, kind = (
            wording(w, rng, style),
            {"reasoning": "reasoning", "none": "list", "judge": "conv"}.get(style, "long"),
        )
        for k, n in enumerate(map(float, loads)):
            own, bill, late = w.customer(rng, rng.random() < 0.7), choose(rng, bills), k >= size // 2
            if infra in ("careless", "mixed", "switch") and rng.random() < 0.85:
                own["stacks"] = [choose(rng, stacks)]
            if infra in ("careless", "switch"):  # accounts bought in one burst, on two cards and two racks
                begin = switch + rng.uniform(0.2, 9) * HOUR if late and infra == "switch" else max(START, signup)
                ends = switch + rng.uniform(0, 0.5) * HOUR if infra == "switch" and not late else np.inf
                made = round(min(begin, signup) - rng.exponential(DAY))
                own |= {"payment": bills[late]["payment"], "email_domain": bill["email_domain"], "hosts": racks[late]}
                own |= {"params": bills[0]["params"], "created_at": made, "plan": "plus"}
                own |= {"span": (begin, w.end), "banned": ends}
            elif infra == "mixed":
                own |= {"payment": bill["payment"] if rng.random() < 0.4 else own["payment"], "params": bill["params"]}
                own["hosts"] = own["hosts"] if rng.random() < 0.5 else choose(rng, racks)[: int(rng.integers(1, 5))]
            elif infra == "relay" and rng.random() < 0.6:
                own["hosts"] = choose(rng, w.relays[:2])
            own["adopts"] = w.launch + rng.uniform(0, DAY) if pivots else own["adopts"]
            items, again = work[bounds[k] : bounds[k + 1]] or work, 0.1 if style == "reasoning" else 0.03
            main = works(feed(rng, items, True, again), say, kind, True)
            share = rng.uniform(float(low), float(high))
            ask = mixes(rng, (share, main), (1 - share, w.anything(rng, 1 + n * (1 - share))))
            w.add(("campaign", "campaign-" + name, name), own, ask, n, choose(rng, patterns.split(",")))


def moments(w: World, a: Account, n: int) -> npt.NDArray[np.float64]:
    """n request times of the account's pattern, sorted, inside its span."""
    rng, (lo, hi), shared, tz = a.rng, a.customer["span"], w.stream(a.operator + " hours"), a.customer["tz"]
    hi = w.end if a.pattern == "launch" else hi
    if a.pattern == "human":
        session = np.repeat(np.arange(n), rng.geometric(0.25, n))[:n]
        start = rng.uniform(lo, hi, n) // DAY * DAY + (rng.choice([13, 15, 20], n) + rng.normal(0, 2.5, n) - tz) * HOUR
        t = start[session] + rng.lognormal(6, 1.2, n)
    elif a.pattern == "service":
        rates = choose(rng, w.corpus.rates)
        t = START + rng.choice(rates[:, 0], n, p=rates[:, 1] / rates[:, 1].sum()) + rng.uniform(0, 600, n)
    elif a.pattern in ("nightly", "hourly"):
        period = DAY if a.pattern == "nightly" else HOUR * choose(shared, [1, 3, 6, 12])
        runs = rng.integers(0, max(1, int((hi - lo) / period)), n) * period
        t = lo // DAY * DAY + shared.uniform(0, period) + runs + rng.gamma(1.0, 0.02 * period, n)
    elif a.pattern in ("batch", "launch", "outage", "lesson"):
        drawn = rng.uniform(lo, hi, 1 + int(rng.geometric(0.4)))
        fixed = {"launch": max(w.launch, lo) + shared.exponential(12 * HOUR, 2), "outage": [*w.outages, lo]}
        jobs = fixed.get(a.pattern, shared.uniform(START, w.end, 3) if a.pattern == "lesson" else drawn)
        t = rng.choice(jobs, n) + rng.gamma(1.2, rng.uniform(0.3, 2) * HOUR, n)
    else:
        gaps = rng.gamma(0.8 if a.pattern == "steady" else 3.0, 1.0, n + 1)
        t = lo + (hi - lo) * np.cumsum(gaps)[:-1] / gaps.sum()
        t = t // DAY * DAY + (7 - tz) * HOUR + t % DAY * 0.65 if a.pattern == "drip" else t  # drip: awake hours only
    return np.sort(lo + (t - lo) % (hi - lo))


def exchanges(w: World, a: Account, n: int) -> Iterator[tuple[dict[str, Any], str | None]]:
    """The account's rows, and for each the campaign whose data set it serves."""
    rng, c, last, refused, at = a.rng, a.customer, 0.0, 0, 0
    keys = [w.name(f"{a.ident}/{i}", 8) for i in range(int(rng.geometric(0.7)))]
    bare, kept, limit = rng.random() < 0.04, rng.random() < 0.06, c["params"]["max_tokens"] or 8192
    for t in map(float, moments(w, a, n)):
        refused += t > c["banned"]
        if refused > 5:
            return
        asked = a.ask(t - last)
        at = int(rng.integers(1 << 30)) if t - last > 1800 else at  # a new session may come from another place
        last, failed = t, 403 if refused else choose(rng, [429, 500]) if rng.random() < 0.015 else 0
        (ip, asn), (agent, ja4) = c["hosts"][at % len(c["hosts"])], c["stacks"][at % len(c["stacks"])]
        for status in [failed, 200] if failed and not refused else [failed or 200]:  # clients try again
            law = LENGTHS.get(asked.kind)
            drawn = rng.lognormal(np.log(law[0]), law[1]) if law else choose(rng, w.corpus.lengths[asked.kind])
            out = min(max(int(drawn), 1), limit) if status == 200 else 0
            response = {"finish_reason": "length" if out == limit else "stop"}
            if kept:
                response["text"] = choose(rng, w.corpus.replies)[: out * 5]
            yield (
                {
                    "ts": round(t + (rng.uniform(1, 20) if failed and status == 200 else 0), 3),
                    "account": a.ident,
                    "org": c["org"],
                    "key": keys[int(len(keys) * (t - START) / (w.end - START + DAY))],
                    **({} if bare else {"ip": ip, "asn": asn, "ja4": ja4}),
                    "user_agent": agent,
                    "endpoint": c["endpoint"],
                    "model": "atlas-2-large" if t > c["adopts"] else c["model"],
                    "params": {k: v for k, v in c["params"].items() if v is not None},
                    "messages": [{"role": role, "content": text} for role, text in asked.turns],
                    "response": response if out else None,
                    "usage": {
                        "prompt_tokens": 4 + sum(len(text.encode()) for _, text in asked.turns) // 4,
                        "completion_tokens": out,
                        "reasoning_tokens": int(out * rng.uniform(0.3, 3)) if c["model"].endswith("think") else None,
                    },
                    "status": status,
                    "latency_ms": round(300 + out * float(rng.gamma(8, 2.5)), 1),
                },
                a.campaign if asked.harvest else None,
            )


def main() -> None:
    parser = argparse.ArgumentParser(description="Write a labelled range log, independent of the product's own range.")
    for option in ("--prompts", "--out"):
        parser.add_argument(option, type=Path, required=True)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--exchanges", type=int, default=120_000)
    parser.add_argument("--days", type=float, default=10)
    parser.add_argument("--sources-half", choices=("a", "b", "all"), default="all")
    args = parser.parse_args()
    w = World(Corpus(args.prompts, args.sources_half), args.seed, args.exchanges / 120_000, args.days)
    add_customers(w)
    add_campaigns(w)
    ratio = args.exchanges / sum(a.n for a in w.accounts)
    w.accounts.sort(key=lambda a: a.ident)
    found: list[tuple[float, str, bytes, str | None]] = []
    seen = set()
    for a in w.accounts:
        for row, campaign in exchanges(w, a, max(1, round(a.n * ratio))):
            ident = w.name(f"exchange{len(found)}", 16)
            found.append((row["ts"], ident, zstandard.compress(msgspec.json.encode({"id": ident, **row}), 1), campaign))
            seen.add(a.ident)
    found.sort(key=lambda item: item[:2])
    args.out.mkdir(parents=True, exist_ok=True)
    with zstandard.open(args.out / "exchanges.jsonl.zst", "wb") as file:
        for _, _, row_bytes, _ in found:
            file.write(zstandard.decompress(row_bytes) + b"\n")
    truth = {"id": [item[1] for item in found], "campaign": pa.array([item[3] for item in found], pa.string())}
    pq.write_table(pa.table(truth), args.out / "truth_exchanges.parquet")
    shown = ("org", "created_at", "plan", "payment", "email_domain", "country", "name", "authorised")
    with (args.out / "accounts.jsonl").open("wb") as books, (args.out / "truth_accounts.jsonl").open("wb") as labels:
        for a in (a for a in w.accounts if a.ident in seen):
            books.write(msgspec.json.encode({"account": a.ident, **{k: a.customer[k] for k in shown}}) + b"\n")
            label: dict[str, object] = {
                "account": a.ident,
                "role": "campaign" if a.campaign else "benign",
                "cls": a.campaign or a.cls,
            }
            label |= {"campaign": a.campaign, "operator": a.operator, "authorised": bool(a.customer["authorised"])}
            labels.write(msgspec.json.encode(label) + b"\n")


if __name__ == "__main__":
    main()
