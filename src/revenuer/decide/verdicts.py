"""From evidence to verdicts, evaluation by evaluation. Pure: nothing is read, sent or stored here.

A verdict `harvesting` needs three things at one moment: a group whose e-value e-BH accepts, evidence of the account's
own inside it, and no permission on file. Own evidence well above its bar counts at once, otherwise it must stand at two
looks: who is drawn into a group by chance is mostly gone at the next. Once reached the verdict stays, with the moment
as `first_flagged_at`; every evaluation sees only exchanges before its moment, so nothing later can have influenced it.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from revenuer.harvest.assess import Assessed
from revenuer.harvest.evidence import Evidence, Tracked
from revenuer.records import Verdict
from revenuer.settings import Decision

FLAGGED = 20.0
"""Added to the score of a flagged account, so that scores order as verdicts do."""
STRONG = 1.0
"""Own log odds above the bar with which one look suffices."""
MERGE = 0.5
"""Two accepted groups are one campaign when they share this part of the smaller one's accounts."""


@dataclass
class CampaignState:
    """A campaign as it grows: `accounts` flagged at moments, `groups` numbers in `Evidence`."""

    name: str
    flagged_at: float
    flagged: dict[int, float] = field(default_factory=dict)
    groups: set[int] = field(default_factory=set)
    best: float = -np.inf


@dataclass
class AccountState:
    """What is held of one account: strongest group and, where flagged, since when and in which campaign."""

    verdict: Verdict = Verdict.CLEAR
    score: float = 0.0
    flagged_at: float | None = None
    campaign: str | None = None
    group: int | None = None


class Decider:
    """Verdicts over time. `accounts` maps account codes to states; unknown accounts are clear with score 0."""

    def __init__(self, evidence: Evidence, settings: Decision) -> None:
        self._evidence = evidence
        self._settings = settings
        self.accounts: dict[int, AccountState] = {}
        self.campaigns: list[CampaignState] = []
        self._made = 0
        self._stood: dict[int, float] = {}
        """Moment at which each account first had evidence of its own in an accepted group."""

    def step(self, moment: float, assessed: list[Assessed], permitted: list[Assessed]) -> None:
        """Take in one evaluation.

        Args:
            assessed: groups of accounts without a permission. permitted: groups of which some accounts have one, those
                accounts' share of each group only.
        """
        present = self._evidence.update(assessed)
        bounds = self._settings
        accepted = self._evidence.accepted(bounds.false_discovery, bounds.false_campaigns, bounds.fewest_groups)
        for group in present:
            if group.now is None:
                continue
            for account, own in zip(group.now.accounts.tolist(), group.now.own.tolist(), strict=True):
                state = self.accounts.setdefault(account, AccountState())
                score = account_score(group.now.score, own)
                if score > state.score:
                    state.score, state.group = score, group.number
                if state.verdict is Verdict.CLEAR and group.e_value >= 1 / self._settings.watch:
                    state.verdict = Verdict.WATCH
        for group in sorted((g for g in present if g.number in accepted), key=lambda g: -g.best):
            self._accept(moment, group)
        floor = min((self._evidence.groups[n].best for n in accepted), default=None)
        for found in permitted:
            if floor is not None and found.score >= floor:
                for account, own in zip(found.accounts.tolist(), found.own.tolist(), strict=True):
                    state = self.accounts.setdefault(account, AccountState())
                    state.verdict = Verdict.AUTHORISED
                    state.score = max(state.score, account_score(found.score, own))

    def _accept(self, moment: float, group: Tracked) -> None:
        now = group.now
        if now is None:
            return
        stands = (now.own >= self._evidence.member_bar) & (now.size >= self._settings.smallest_own)
        if stands.sum() < self._settings.smallest_accounts:
            return
        accounts, evidence = now.accounts[stands].tolist(), now.own[stands].tolist()
        before = {account for account in accounts if self._stood.setdefault(account, moment) < moment}
        ready = [
            (account, own)
            for account, own in zip(accounts, evidence, strict=True)
            if account in before or own >= self._evidence.member_bar + STRONG
        ]
        if not ready:
            return
        campaign = self._campaign_of(moment, group, set(accounts))
        campaign.groups.add(group.number)
        campaign.best = max(campaign.best, group.best)
        for account, own in ready:
            state = self.accounts[account]
            state.score = max(state.score, account_score(now.score, own) + FLAGGED)
            if state.verdict is not Verdict.HARVESTING:
                state.verdict = Verdict.HARVESTING
                state.flagged_at = moment
                state.campaign = campaign.name
                state.group = group.number
            if state.campaign == campaign.name:
                campaign.flagged.setdefault(account, state.flagged_at if state.flagged_at is not None else moment)

    def _campaign_of(self, moment: float, group: Tracked, accounts: set[int]) -> CampaignState:
        same: list[CampaignState] = []
        for campaign in self.campaigns:
            if group.number in campaign.groups:
                same.append(campaign)
                continue
            common = len(accounts & campaign.flagged.keys())
            if common >= 2 and common >= MERGE * min(len(accounts), len(campaign.flagged)):
                same.append(campaign)
        if not same:
            self._made += 1
            made = CampaignState(f"campaign-{self._made:03d}", moment)
            self.campaigns.append(made)
            return made
        oldest, *others = same
        for other in others:
            self._merge(oldest, other)
        return oldest

    def _merge(self, into: CampaignState, other: CampaignState) -> None:
        for account, moment in other.flagged.items():
            into.flagged[account] = min(moment, into.flagged.get(account, moment))
            self.accounts[account].campaign = into.name
        into.groups |= other.groups
        into.best = max(into.best, other.best)
        into.flagged_at = min(into.flagged_at, other.flagged_at)
        self.campaigns.remove(other)


def account_score(group_score: float, own: float) -> float:
    """An account's score, >= 0: the group's log odds and the account's own, both needed (log odds of the product)."""
    return float(np.logaddexp(0.0, -np.logaddexp(-group_score, -own)))
