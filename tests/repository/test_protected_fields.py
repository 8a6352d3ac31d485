"""Nationality, country and language never raise suspicion: the stages that score cannot even read them."""

from __future__ import annotations

import ast
import re

import pytest
from tests.repository.tree import Source, python_sources, told

SCORING = ("profile", "link", "harvest", "decide")

PROTECTED = {"country", "nationality", "language", "lang", "locale", "ethnicity", "citizenship"}
ACCOUNT = re.compile(r"(?:^|_)(?:acc|acct|account|accounts|holder|customer)s?(?:$|_)", re.I)
"""Variables that hold an `Account`, whose `name` is a person's or a company's."""

RULE = (
    "profile, link, harvest and decide do not read country, nationality, language or the name on an account. They "
    "are carried for legal screening (screen/) and for the evidence file alone. If a signal seems to need one, the "
    "signal is measuring where people come from: leave it out."
)


def _accounts(tree: ast.Module) -> set[str]:
    """Names annotated as `Account` anywhere in the file."""
    named: set[str] = set()
    for node in ast.walk(tree):
        target = node.arg if isinstance(node, ast.arg) else None
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            target = node.target.id
        annotation = getattr(node, "annotation", None)
        if target and annotation is not None and re.search(r"\bAccount\b", ast.unparse(annotation)):
            named.add(target)
    return named


def _holds_account(value: ast.expr, accounts: set[str]) -> bool:
    """Whether an expression looks like an `Account`: by its annotation, or by what its variable is called."""
    inner: ast.expr = value
    while isinstance(inner, ast.Subscript | ast.Call):
        inner = inner.value if isinstance(inner, ast.Subscript) else inner.func
        if isinstance(inner, ast.Attribute) and inner.attr in ("get", "pop"):
            inner = inner.value
    label = inner.attr if isinstance(inner, ast.Attribute) else inner.id if isinstance(inner, ast.Name) else ""
    return label in accounts or bool(ACCOUNT.search(label))


def problems(source: Source) -> list[str]:
    """Where one file reads a protected field, as an attribute or by its name in a string."""
    accounts = _accounts(source.tree)
    out: list[str] = []
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Attribute) and (
            node.attr in PROTECTED or (node.attr == "name" and _holds_account(node.value, accounts))
        ):
            out.append(f"{source.path}:{node.lineno} reads .{node.attr}")
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value in PROTECTED:
            out.append(f"{source.path}:{node.lineno} names the field {node.value!r}")
    return out


def test_scoring_stages_do_not_read_where_people_come_from() -> None:
    found = [problem for source in python_sources(*SCORING) for problem in problems(source)]
    assert not found, told(found, RULE)


@pytest.mark.parametrize(
    ("text", "allowed"),
    [
        ("def f(account): return account.plan", True),
        ("def f(account): return account.country", False),
        ("def f(row): return row['country']", False),
        ("def f(a): return getattr(a, 'nationality')", False),
        ("def f(account): return account.name", False),
        ("def f(accounts): return [accounts[k].name for k in accounts]", False),
        ("def f(accounts, k): return accounts.get(k).name", False),
        ("def f(a: Account): return a.name", False),
        ("def f(a: Account | None): return a.name if a else ''", False),
        ("def f(self): return self.account.name", False),
        ("def f(channel): return channel.name", True),
        ("def f(field): return field.name", True),
        ("def f(event): return event.lang", False),
    ],
)
def test_the_rule_itself(text: str, allowed: bool) -> None:
    assert (problems(Source("link/made_up.py", text)) == []) is allowed
