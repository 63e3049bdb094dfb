"""Why a forecast says what it says, as the station page tells it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

from api.web.words import clock, date_words, local
from core.forecast import Forecast, Reason
from core.model_card import ModelCard
from core.reasons import Called, capitals, missing_text, model_word, reason_text
from core.texts import say


@dataclass(frozen=True, slots=True, kw_only=True)
class Why:
    """`reasons` are (of which hours or days, sentence), the nearest first, of these the strongest; `missing` sentences of silent drivers;
    `origin` whose word it is, and of when.
    """

    reasons: tuple[tuple[str, str], ...]
    missing: tuple[str, ...]
    origin: str


def why(f: Forecast, hours: Forecast | None = None, *, card: ModelCard | None, called: Called = capitals, now: int, lang: str, timezone: str) -> Why:
    """Of an issue of days, and of the one of `hours` that verdict and hours to pump are made of; `card` is that of the days' model, where there is one;
    `called` names the place of a driver.

    It is named what a reason is about where it gives some of others than tomorrow, or where another model says the hours and gives none.
    """
    hourly = hours.reasons if hours is not None else ()
    apart = hours is not None and hours.model != f.model
    named = bool(hourly) or apart or any(r.lead != 1 for r in f.reasons)
    reasons = [(say(lang, "reason.hourly"), reason_text(r, lang, called)) for r in hourly]
    reasons += [(_days(r, lang) if named else "", reason_text(r, lang, called)) for r in sorted(f.reasons, key=lambda r: r.lead)]
    learned = ""
    if card is not None:
        learned = say(lang, "reason.learned", since=_day(card.data_from, lang), until=_day(card.data_until, lang), n=len(card.stations))
    return Why(
        reasons=tuple(reasons) or (("", say(lang, "reason.none")),),
        missing=tuple(missing_text(name, lang, called) for name in dict.fromkeys((*(hours.missing if hours is not None else ()), *f.missing))),
        origin=" ".join(part for part in (_origin(hours, "hours", now, lang, timezone), _origin(f, "days", now, lang, timezone), learned) if part),
    )


def _origin(f: Forecast | None, key: str, now: int, lang: str, timezone: str) -> str:
    if f is None:
        return ""
    times = {"issued": _when(f.issued_at, now, lang, timezone), "until": _when(f.data_until, now, lang, timezone)}
    return say(lang, f"reason.from.{key}", model=model_word(f.model, lang), **times)


def card_of(f: Forecast, cards: Iterable[ModelCard]) -> ModelCard | None:
    """Whose word an issue is; another model may have been promoted since."""
    return next((c for c in cards if (c.target, c.model, c.version) == (f.target, f.model, f.version)), None)


def _days(r: Reason, lang: str) -> str:
    return say(lang, "record.lead.one") if r.lead == 1 else say(lang, "record.lead.more", days=r.lead)


def _day(text: str, lang: str) -> str:
    """An ISO date as `5/12/2025` in Vietnamese, in English as it is."""
    try:
        day = date.fromisoformat(text)
    except ValueError:
        return text
    return f"{day.day}/{day.month}/{day.year}" if lang == "vi" else text


def _when(ms: int, now: int, lang: str, timezone: str) -> str:
    """`5:00`, with its date where it is not today's."""
    told = clock(ms, timezone)
    return told if local(ms, timezone).date() == local(now, timezone).date() else f"{told} {date_words(ms, timezone, lang)}"
