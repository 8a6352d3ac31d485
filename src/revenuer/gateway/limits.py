"""Limits in constant time: requests, input and output tokens a minute, and concurrency, at up to four scopes at once.

The rule of each is GCRA (ITU-T I.371, annex A): a bucket is one number, the theoretical arrival time. Tokens are
reserved before the request goes upstream, by its own bound on the answer, and settled when the answer is there, so
that many requests under way together cannot pass a limit by a multiple. Processes that share limits tell each other
what they let pass (see `replicas`); those that cannot are given a share each (`Share`).
"""

from __future__ import annotations

import tomllib
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import msgspec

from revenuer.gateway.errors import Reason
from revenuer.settings import SettingsError

Rate = Annotated[float, msgspec.Meta(gt=0)]
Count = Annotated[int, msgspec.Meta(ge=1)]

BUSY_SECONDS = 1.0
"""When to come back where too many requests run at once: nobody knows when one ends."""


class Scope(StrEnum):
    """What a limit is counted over."""

    KEY = "key"
    ACCOUNT = "account"
    CAMPAIGN = "campaign"
    MODEL = "model"


class Rule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Limits of one scope; None is no limit. `burst_seconds`: how much unused allowance may be spent at once."""

    requests_per_minute: Rate | None = None
    input_tokens_per_minute: Rate | None = None
    output_tokens_per_minute: Rate | None = None
    concurrency: Count | None = None
    burst_seconds: Rate = 5.0


class Shared(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Over which processes the limits hold. A change takes effect at the next start."""

    redis: str | None = None
    """URL of the Redis through which they tell each other; without it each has its part of every limit."""
    processes: Count = 1
    """How many there are: `workers` of one gateway times the number of gateways."""


class Rules(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """For each scope a rule by name; `default` is for every name that has none."""

    shared: Shared = Shared()
    key: dict[str, Rule] = {}
    account: dict[str, Rule] = {}
    campaign: dict[str, Rule] = {}
    model: dict[str, Rule] = {}

    def rule(self, scope: Scope, name: str) -> Rule | None:
        """The rule of a name in a scope."""
        named: dict[str, Rule] = getattr(self, scope.value)
        return named.get(name) or named.get("default")


def load_rules(path: Path) -> Rules:
    """Read a TOML file of tables like `[account.default]` or `[model."atlas-1"]`. Raises SettingsError."""
    try:
        return msgspec.convert(tomllib.loads(path.read_text(encoding="utf-8")), Rules)
    except OSError as error:
        raise SettingsError(f"{path}: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, msgspec.ValidationError) as error:
        raise SettingsError(f"{path}: {error}") from None


class Bucket:
    """One rate. `rate` units a second; `room` seconds of allowance that may be spent at once."""

    __slots__ = ("arrival", "rate", "room")

    def __init__(self, rate: float, room: float) -> None:
        self.rate, self.room, self.arrival = rate, room, 0.0

    def wait(self, cost: float, now: float) -> float:
        """Seconds until `cost` units fit; 0 where they fit now. What never fits passes where the bucket is idle."""
        ahead = self.arrival - now
        if ahead <= 0:
            return 0.0
        return max(0.0, min(ahead, ahead + cost / self.rate - self.room))

    def take(self, cost: float, now: float) -> None:
        """Spend `cost` units; negative ones are given back."""
        # What was idle in the meantime is worth nothing: no refund reaches further back than now.
        self.arrival = max(self.arrival, now) + cost / self.rate
        if self.arrival < now:
            self.arrival = now


class Share(msgspec.Struct, frozen=True):
    """What part of each limit is this process's own: the rate divided by `rate`, the burst by `burst`.

    Processes that hear of each other have the whole rate each, and a part of the burst, since that much can pass in
    every one of them before the others know. Processes that do not hear of each other have a part of the rate too.
    """

    rate: Count = 1
    burst: Count = 1


class Use(msgspec.Struct, frozen=True, array_like=True):
    """What passed under one name since it was last told, and how many of its requests run at present."""

    scope: Scope
    name: str
    requests: int
    tokens_in: int
    tokens_out: int
    running: int


class _State:
    __slots__ = ("at", "inputs", "new_in", "new_out", "new_requests", "outputs", "requests", "rule", "running", "share")

    def __init__(self, at: tuple[Scope, str], rule: Rule, share: Share) -> None:
        self.at = at
        self.new_requests = self.new_in = self.new_out = 0
        self.requests: Bucket | None = None
        self.inputs: Bucket | None = None
        self.outputs: Bucket | None = None
        self.running = 0
        self.apply(rule, share)

    def apply(self, rule: Rule, share: Share) -> None:
        """Another rule or share from now on; what was spent stays spent."""
        self.rule, self.share = rule, share
        room = rule.burst_seconds / share.burst
        self.requests = _bucket(self.requests, rule.requests_per_minute, share.rate, room)
        self.inputs = _bucket(self.inputs, rule.input_tokens_per_minute, share.rate, room)
        self.outputs = _bucket(self.outputs, rule.output_tokens_per_minute, share.rate, room)

    def take(self, requests: int, tokens_in: int, tokens_out: int, now: float) -> None:
        """Spend in every bucket that is there."""
        if self.requests is not None:
            self.requests.take(requests, now)
        if self.inputs is not None:
            self.inputs.take(tokens_in, now)
        if self.outputs is not None:
            self.outputs.take(tokens_out, now)

    def note(self, requests: int, tokens_in: int, tokens_out: int) -> None:
        """Remember what others have to be told."""
        self.new_requests += requests
        self.new_in += tokens_in
        self.new_out += tokens_out

    def idle(self, now: float) -> bool:
        held = (self.requests, self.inputs, self.outputs)
        return self.running == 0 and all(bucket is None or bucket.arrival <= now for bucket in held)


class Grant:
    """What one request has reserved; give it to `Limits.settle` exactly once, also where the request failed."""

    __slots__ = ("states", "tokens_in", "tokens_out")

    def __init__(self, states: list[_State], tokens_in: int, tokens_out: int) -> None:
        self.states, self.tokens_in, self.tokens_out = states, tokens_in, tokens_out


class Denied(msgspec.Struct, frozen=True):
    """Which limit said no, and when to come back (seconds)."""

    reason: Reason
    scope: Scope
    retry_after: float


class Limits:
    """All buckets of this process. Times are monotonic seconds."""

    def __init__(self, rules: Rules | None = None, most: int = 200_000, share: Share | None = None) -> None:
        """`most` bounds the number of (scope, name) pairs held; idle ones are forgotten beyond it."""
        self.rules = rules or Rules()
        self.share = share or Share()
        """Another one may be put here at any time."""
        self._most = most
        self._told: dict[tuple[Scope, str], _State] | None = None
        self._elsewhere: dict[tuple[Scope, str], int] = {}
        self._states: dict[tuple[Scope, str], _State] = {}

    def reserve(
        self,
        names: list[tuple[Scope, str]],
        tokens_in: int,
        tokens_out: int,
        now: float,
        extra: dict[Scope, Rule] | None = None,
    ) -> Grant | Denied:
        """Take from every scope of `names`, or from none.

        Args:
            extra: a rule that replaces the one in force for a scope (measures against one account or campaign).
        """
        states: list[_State] = []
        denied: Denied | None = None
        for scope, name in names:
            rule = extra.get(scope) if extra else None
            if rule is None:
                rule = self.rules.rule(scope, name)
            if rule is None:
                continue
            state = self._state(scope, name, rule)
            states.append(state)
            found = self._refused(scope, state, tokens_in, tokens_out, now)
            if found is not None and (denied is None or found.retry_after > denied.retry_after):
                denied = found
        if denied is not None:
            return denied
        for state in states:
            state.running += 1
            state.take(1, tokens_in, tokens_out, now)
            if self._told is not None:
                state.note(1, tokens_in, tokens_out)
                self._told[state.at] = state
        return Grant(states, tokens_in, tokens_out)

    def settle(self, grant: Grant, tokens_in: int | None, tokens_out: int, now: float) -> None:
        """The request is over: replace what was reserved by what was used; `tokens_in` None keeps the estimate."""
        more_in = 0 if tokens_in is None else tokens_in - grant.tokens_in
        more_out = tokens_out - grant.tokens_out
        for state in grant.states:
            state.running -= 1
            state.take(0, more_in, more_out, now)
            if self._told is not None:
                state.note(0, more_in, more_out)
                self._told[state.at] = state
        grant.states = []

    def drain(self) -> list[Use]:
        """What passed here since the last call; the first one begins the count."""
        told, self._told = self._told or {}, {}
        out = [Use(*at, s.new_requests, s.new_in, s.new_out, s.running) for at, s in told.items()]
        for state in told.values():
            state.new_requests = state.new_in = state.new_out = 0
        return out

    def running(self) -> dict[tuple[Scope, str], int]:
        """How many requests run here, by name; names without any are left out."""
        return {at: state.running for at, state in self._states.items() if state.running}

    def spend(self, use: Use, now: float) -> None:
        """Charge what another process let pass."""
        at = (use.scope, use.name)
        state = self._states.get(at)
        if state is None:
            rule = self.rules.rule(*at)
            if rule is None:
                return
            state = self._states[at] = _State(at, rule, self.share)
        state.take(use.requests, use.tokens_in, use.tokens_out, now)

    def elsewhere(self, running: dict[tuple[Scope, str], int]) -> None:
        """How many requests run in other processes, by name; replaces what was said before."""
        self._elsewhere = running

    def replace(self, rules: Rules) -> None:
        """Other rules from now on; what was spent under a rule that stays is kept."""
        self.rules = rules

    def sweep(self, now: float) -> None:
        """Forget what says nothing, where too much is held."""
        if len(self._states) > self._most:
            self._states = {at: state for at, state in self._states.items() if not state.idle(now)}

    def __len__(self) -> int:
        return len(self._states)

    def _refused(self, scope: Scope, state: _State, tokens_in: int, tokens_out: int, now: float) -> Denied | None:
        if state.rule.concurrency is not None:
            own = max(1, state.rule.concurrency // self.share.rate)
            if state.running + self._elsewhere.get(state.at, 0) >= own:
                return Denied(Reason.LIMIT_CONCURRENCY, scope, BUSY_SECONDS)
        if state.requests is not None and (wait := state.requests.wait(1, now)) > 0:
            return Denied(Reason.LIMIT_REQUESTS, scope, wait)
        if state.inputs is not None and (wait := state.inputs.wait(tokens_in, now)) > 0:
            return Denied(Reason.LIMIT_TOKENS, scope, wait)
        if state.outputs is not None and (wait := state.outputs.wait(tokens_out, now)) > 0:
            return Denied(Reason.LIMIT_TOKENS, scope, wait)
        return None

    def _state(self, scope: Scope, name: str, rule: Rule) -> _State:
        state = self._states.get((scope, name))
        if state is None:
            state = self._states[scope, name] = _State((scope, name), rule, self.share)
        elif state.share is not self.share or (state.rule is not rule and state.rule != rule):
            state.apply(rule, self.share)
        return state


def _bucket(before: Bucket | None, per_minute: float | None, parts: int, room: float) -> Bucket | None:
    if per_minute is None:
        return None
    bucket = Bucket(per_minute / 60 / parts, room)
    if before is not None:
        bucket.arrival = before.arrival
    return bucket
