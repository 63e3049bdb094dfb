"""`canhman forecast`: issues forecasts where they are due, or as of a past instant."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from core.forecast import Forecast, Reason

APP = typer.Typer()


@APP.command("forecast", epilog="Example: canhman forecast --at 2026-03-02T05:00:00+07:00 --station kl-01 --json")
def forecast(
    once: Annotated[bool, typer.Option("--once", help="Issue what is due now, and end.")] = False,
    at: Annotated[str, typer.Option(help="Issue as of this past instant, with a zone, from what was measured before it (a hindcast), and end.")] = "",
    station: Annotated[str, typer.Option(help="With --at: this station only.")] = "",
    wait: Annotated[float, typer.Option(min=0, help="Seconds to wait for a missing server at start.")] = 60,
    json: Annotated[bool, typer.Option("--json", help="With --once or --at: print the result as JSON.")] = False,
    log_json: Annotated[bool, typer.Option("--log-json", help="Log as JSON lines.")] = False,
) -> None:
    """Issue forecasts: days at 05:00 local, hours on the hour where new readings came.

    Without --once or --at until SIGTERM or Ctrl-C. Every issue is kept as it was issued; none is ever changed.
    """
    import asyncio

    from canhman import forecasting, logs, services, terminal
    from canhman.settings import read_settings

    if (station or json) and not (once or at):
        raise typer.BadParameter("--station and --json go with --once or --at")
    if once and (at or station):
        raise typer.BadParameter("--once issues what is due now, everywhere; --at TIME [--station S] issues as of a past instant")
    if at:
        moment = _instant(at)
        logs.set_up(json=log_json)
        with terminal.progress("stations read", None, quiet=json) as bar:
            issued = asyncio.run(
                forecasting.hindcast(read_settings(), moment, station=station, wait_s=wait, moved=lambda done, total: bar(done, f"of {total}"))
            )
        if json:
            terminal.as_json([_shape(f) for f in issued])
        else:
            terminal.table(("Station", "Point", "Target", "Leads", "Median g/L", "P(>1)", "P(>4)"), [_row(f) for f in issued], empty=NOTHING)
    elif once:
        logs.set_up(json=log_json)
        with terminal.progress("points read", None, quiet=json) as bar:
            done = asyncio.run(forecasting.once(read_settings(), wait_s=wait, moved=lambda done, total: bar(done, f"of {total}")))
        if json:
            terminal.as_json({"due": done.due, "issued": done.issued})
        else:
            terminal.result(f"{done.issued} forecasts issued; {done.due} were due" + (f", {done.points} points have salinity" if done.points else ""))
    else:
        logs.set_up(json=log_json)
        asyncio.run(
            services.alone(
                lambda signals, started: forecasting.forecast(read_settings(), wait_s=wait, signals=signals, started=started),
                lambda what: terminal.started("forecast", what),
            )
        )


NOTHING = "nothing to issue: it takes readings no older than 6 h and three days of good ones before that instant"


def _instant(text: str) -> int:
    from core.instant import parse_rfc3339

    found = parse_rfc3339(text)
    if found is None:
        raise typer.BadParameter(f"{text!r} is no time with a zone, such as 2026-03-02T05:00:00+07:00", param_hint="--at")
    return found


def _row(f: Forecast) -> tuple[object, ...]:
    from core.forecast import MEDIAN

    first = f"{f.quantiles[0][MEDIAN]:.2f}", f"{f.exceedance(0, 1.0):.2f}", f"{f.exceedance(0, 4.0):.2f}"
    return (f.station, f.point, f.target, f"{f.leads[0]}–{f.leads[-1]}", *first)


def _shape(f: Forecast) -> dict[str, Any]:
    from core.bands import LINES
    from core.clock import rfc3339
    from core.forecast import QUANTILES

    head = {name: getattr(f, name) for name in ("station", "point", "target", "model", "version", "inputs")}
    times = {"issued_at": rfc3339(f.issued_at), "data_until": rfc3339(f.data_until), "unit": "g/L", "leads": f.leads, "times": [rfc3339(t) for t in f.times]}
    quantiles = {f"q{round(100 * q):02d}": [round(row[i], 4) for row in f.quantiles] for i, q in enumerate(QUANTILES)}
    chances = {"p_gt": {f"{line:g}": [round(row[i], 4) for row in f.p_gt] for i, line in enumerate(LINES)}}
    return head | times | quantiles | chances | {"reasons": [_reason(r) for r in f.reasons], "missing": f.missing}


def _reason(r: Reason) -> dict[str, Any]:
    from core.reasons import reason_text
    from core.texts import LANGUAGES

    told = {lang: reason_text(r, lang) for lang in LANGUAGES}
    return {"code": r.code, "name": r.name, "effect": round(r.effect, 4), "lead": r.lead, "text": told}
