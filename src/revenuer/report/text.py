"""Words and figures for people: hostile strings made harmless and visible, numbers, times, odds, bounds.

Every string that comes from a log passes `ident` or `prose` before it is shown. HTML escaping is not done here but by
the template engine; this module deals with what escaping leaves: characters that hide, reorder or flood text.
"""

from __future__ import annotations

import math
import unicodedata
from datetime import UTC, datetime, timedelta

NBSP = "\u00a0"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_JOINERS = "\u200c\u200d"  # needed to spell Persian and many Indic words, so prose keeps them
_MAX_MARKS = 8  # combining marks on one letter; no living script stacks more


def ident(value: str, limit: int = 80) -> str:
    """An identifier on one line: at most `limit` characters, everything invisible shown as a code point."""
    return _visible(_cut(value, limit), keep="")


def prose(value: str, limit: int = 600) -> str:
    """A sentence on one line: at most `limit` characters; control and direction characters are shown, not obeyed."""
    return _visible(_cut(value, limit), keep=_JOINERS)


def passage(value: str, limit: int = 6_000) -> str:
    """Text of several lines; like `prose`, but line breaks and tabs stay."""
    return _visible(_cut(value, limit).replace("\r\n", "\n"), keep=_JOINERS + "\n\t")


def _cut(value: str, limit: int) -> str:
    return value if len(value) <= limit else f"{value[:limit]}… [cut: {len(value):,} characters in all]"


def _visible(value: str, keep: str) -> str:
    if value.isascii() and value.isprintable():
        return value
    shown: list[str] = []
    marks = 0
    for character in value:
        category = unicodedata.category(character)
        marks = marks + 1 if category in ("Mn", "Me") else 0
        if marks > _MAX_MARKS:
            continue
        spacing = character == " " or (category == "Zs" and keep != "")
        if spacing or character in keep or category[0] not in "CZ":
            shown.append(character)
        elif ord(character) < 0x20:
            shown.append(chr(0x2400 + ord(character)))
        else:
            shown.append(f"⟨U+{ord(character):04X}⟩")
    return "".join(shown)


def count(number: int) -> str:
    """A count with thousands marked: ``12,345``."""
    return f"{number:,}"


def compact(number: int) -> str:
    """A count in at most four characters where it is below a billion: ``987``, ``1.2k``, ``34k``, ``5.1M``."""
    for limit, unit in ((1_000_000, "M"), (1_000, "k")):
        if number >= limit - limit // 2000:
            scaled = number / limit
            return f"{scaled:.1f}{unit}" if scaled < 9.95 else f"{scaled:.0f}{unit}"
    return str(number)


def plural(number: int, one: str, many: str | None = None) -> str:
    """``1 account``, ``2 accounts``."""
    return f"{number:,}{NBSP}{one if number == 1 else many or one + 's'}"


def decimal(number: float) -> str:
    """A score, two decimals so that columns align; fewer where it is large, more where it would vanish."""
    if math.isnan(number):
        return "not a number"
    if math.isinf(number):
        return "∞" if number > 0 else "−∞"
    size = abs(number)
    if size >= 1e9 or 0 < size < 0.001:
        return f"{number:.1e}".replace("-", "−")
    digits = 0 if size >= 1000 else 2 if size >= 0.01 or size == 0 else 4
    return f"{number:,.{digits}f}".replace("-", "−")


def value(number: float) -> str:
    """A signal's value: three significant digits, no padding."""
    if not math.isfinite(number) or abs(number) >= 1000 or 0 < abs(number) < 0.001:
        return decimal(number)
    return f"{number:.3g}".replace("-", "−")


def percent(part: float, whole: float) -> str:
    """A share that never rounds something to nothing, nor nearly all to all."""
    if whole <= 0 or not math.isfinite(part / whole):
        return "–"
    share = 100 * part / whole
    if share <= 0:
        return f"0{NBSP}%"
    if share < 0.1:
        return f"<{NBSP}0.1{NBSP}%"
    if share >= 100:
        return f"100{NBSP}%"
    if share > 99.9:
        return f">{NBSP}99.9{NBSP}%"
    return f"{share:.1f}{NBSP}%" if share < 10 or share > 99 else f"{share:.0f}{NBSP}%"


def instant(seconds: float | None) -> str:
    """UTC minute, ``2026-03-04 17:05``; ``never`` for None."""
    if seconds is None:
        return "never"
    moment = _moment(seconds)
    return moment.strftime("%Y-%m-%d %H:%M") if moment else "out of range"


def day(seconds: float, *, year: bool = True) -> str:
    """UTC day, ``4 Mar 2026``; month names are fixed so that the machine's locale changes nothing."""
    moment = _moment(seconds)
    if moment is None:
        return "out of range"
    month = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")[moment.month - 1]
    return f"{moment.day}{NBSP}{month}" + (f"{NBSP}{moment.year}" if year else "")


def clock(seconds: float) -> str:
    """UTC time of day, ``17:05``."""
    moment = _moment(seconds)
    return moment.strftime("%H:%M") if moment else "–"


def _moment(seconds: float) -> datetime | None:
    try:
        return _EPOCH + timedelta(seconds=seconds)
    except (OverflowError, ValueError):
        return None


def duration(seconds: float) -> str:
    """A length of time in its two largest units: ``3 d 4 h``, ``12 min``, ``0.4 s``."""
    if not math.isfinite(seconds) or seconds < 0:
        return "–"
    if seconds < 59.5:
        return f"{seconds:.0f}{NBSP}s" if seconds >= 10 or seconds == 0 else f"{seconds:.2g}{NBSP}s"
    if round(seconds) < 600:
        minutes, rest = divmod(round(seconds), 60)
        return f"{minutes}{NBSP}min" + (f" {rest}{NBSP}s" if rest else "")
    minutes = round(seconds / 60)
    days, hours, minutes = minutes // 1440, minutes // 60 % 24, minutes % 60
    if days:
        return f"{days:,}{NBSP}d" + (f" {hours}{NBSP}h" if hours and days < 100 else "")
    if hours:
        return f"{hours}{NBSP}h" + (f" {minutes}{NBSP}min" if minutes else "")
    return f"{minutes}{NBSP}min"


def odds(weight: float) -> str:
    """A natural-log Bayes factor in words: how many times likelier the match is under one operator than under two."""
    if math.isnan(weight):
        return "not measured"
    side = "one operator than two" if weight >= 0 else "two operators than one"
    factor = math.exp(min(abs(weight), 50))
    if factor < 1.05:
        return "equally likely under one operator and two"
    if factor > 1e6:
        return f"over a million times likelier under {side}"
    return f"{two_digits(factor)} times likelier under {side}"


def two_digits(number: float) -> str:
    """A positive number rounded to two significant digits: ``1,100``, ``3.4``."""
    if number < 10:
        return f"{number:.1f}"
    magnitude = 10 ** (math.floor(math.log10(number)) - 1)
    return f"{int(round(number / magnitude) * magnitude):,}"


def rarity(bound: float | None) -> str | None:
    """A false-alarm bound as ``1 in 1,000``, never rounded to look better; None where no bound was stated."""
    if bound is None or not 0 < bound <= 1:
        return None
    inverse = 1 / bound
    if inverse < 10:
        return f"{math.ceil(bound * 100)}{NBSP}in{NBSP}100"
    step: int = 10 ** (math.floor(math.log10(inverse * (1 + 1e-9))) - 1)
    return f"1{NBSP}in{NBSP}{math.floor(inverse * (1 + 1e-9) / step) * step:,}"


def bound_sentence(bound: float | None) -> str:
    """What a campaign's false-alarm bound says, in a sentence a manager can repeat without overstating it."""
    words = rarity(bound)
    if words is None:
        return (
            "No false-alarm bound was calibrated for a group like this, so none is stated. Treat the score as a rank."
        )
    return f"At most {words} benign groups would score this high, on traffic like that used for calibration."
