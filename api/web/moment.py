"""What a page is made of: the situation and the warnings of one moment, as its reader may see them; and writing the page."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from alerts.listing import highest
from alerts.message import sentence, text
from api.access import ANONYMOUS, Caller
from api.backend import Backend
from api.language import language
from api.present import Present
from api.web.words import DateHeader, clock, date_header, full_date, local
from core.alert import Alert
from core.place import Station
from core.texts import say, texts
from registry.situation import Situation

TIMEZONE = "Asia/Ho_Chi_Minh"  # of what belongs to no station: the date in the header
CLEARED_DAYS = 7
DAY_MS = 86_400_000
AGE_WORDS = (
    *("age.minutes", "age.hours", "age.hours.whole", "age.days", "ago", "ago.now", "stale", "alert.silent.hours", "alert.silent.days"),
    *("offline", "error.server", "page.shown", "page.printed", "date.full"),
)
REFRESH_S, LEAST_REFRESH_S, REFRESH_EVERY_SIM_S = 15.0, 2.0, 900.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """`now` [ms] by the installation's clock; `alerts` stand now at the stations seen, the highest of each place; `cleared` ended these days."""

    request: Request
    lang: str
    caller: Caller
    now: int
    speed: float
    situation: Situation
    alerts: tuple[Alert, ...]
    cleared: tuple[Alert, ...]

    def seen(self) -> list[Station]:
        """The stations the caller may see."""
        return [s for s in self.situation.directory.snapshot.stations if self.caller.sees(org=s.org, public=s.public)]

    def alerts_at(self, station: str) -> list[Alert]:
        """The standing alerts of a station, the gravest first."""
        return sorted((a for a in self.alerts if a.station == station), key=lambda a: (-a.level, -a.opened_at))


async def moment(request: Request, caller: Caller = ANONYMOUS) -> Moment:
    """All that is known now. Raises UnavailableError while the database is away."""
    backend: Backend = request.app.state.backend
    present: Present = request.app.state.present
    situation = await present.look()
    now = backend.clock.now_ms()
    directory = situation.directory
    live = [
        a
        for a in await backend.alerts.live_alerts(cleared_since=now - CLEARED_DAYS * DAY_MS)
        if (s := directory.station(a.station)) is not None and caller.sees(org=s.org, public=s.public)
    ]
    standing = sorted(highest(a for a in live if a.state != "cleared"), key=lambda a: (-a.level, -a.opened_at))
    return Moment(
        request=request,
        lang=language(request),
        caller=caller,
        now=now,
        speed=backend.speed(),
        situation=situation,
        alerts=tuple(standing),
        cleared=tuple(sorted((a for a in live if a.state == "cleared"), key=lambda a: -(a.cleared_at or 0))),
    )


def page(template: str, at: Moment, words: Mapping[str, object], *, place: str) -> Response:
    """A page, filled with `words`, that keeps itself up to date. `place` is where in the bottom bar it stands: home | river | alerts."""
    lang = at.lang
    context: dict[str, object] = {
        "request": at.request,
        "lang": lang,
        "nonce": at.request.state.nonce,
        "at": at,
        "place": place,
        "day": today(at),
        "news": news(at),
        "live": live(at),
        "printed": _dated("page.printed", at),
        "taken": _dated("page.taken", at),
        **words,
    }
    html = at.request.app.state.templates.get_template(template).render(context)
    # never from a cache: yesterday's verdict must not be shown as today's
    return HTMLResponse(html, headers={"Cache-Control": "no-store", "Content-Language": lang})


def today(at: Moment) -> DateHeader:
    """The line under the name."""
    return date_header(at.now, TIMEZONE, at.lang)


def live(at: Moment) -> dict[str, object]:
    """What the scripts reckon with: the server's now [ms], how far the wall's clock is ahead of UTC [ms], how fast it runs, how often to ask again [s],
    and the words.
    """
    refresh = REFRESH_S if at.speed <= 0 else min(REFRESH_S, max(LEAST_REFRESH_S, REFRESH_EVERY_SIM_S / at.speed))
    words = {key: texts(at.lang)[key] for key in AGE_WORDS}
    offset = (local(at.now, TIMEZONE).utcoffset() or timedelta()) // timedelta(milliseconds=1)
    return {"now": at.now, "speed": at.speed, "refresh": refresh, "clock": clock(at.now, TIMEZONE), "offset": offset, "words": words}


def _dated(key: str, at: Moment) -> str:
    """When a page was made; the script keeps it true for paper, and without scripts it is how old the page is."""
    return say(at.lang, key, time=clock(at.now, TIMEZONE), date=full_date(at.now, TIMEZONE, at.lang))


def news(at: Moment) -> dict[str, object] | None:
    """The newest open alert, so that the page can say it once."""
    fresh = max((a for a in at.alerts if a.state == "open"), key=lambda a: (a.updated_at, a.id), default=None)
    station = at.situation.directory.station(fresh.station) if fresh is not None else None
    if fresh is None or station is None:
        return None
    told = text(fresh, station=station, lang=at.lang, now=at.now)
    words = say(at.lang, "page.news", what=f"{told.place}: {sentence(told.title)}")
    return {"id": fresh.id, "time": fresh.updated_at, "text": words}
