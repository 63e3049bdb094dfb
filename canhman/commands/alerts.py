"""`canhman alerts`: opens, clears and sends alerts; with --list what is open, with --outbox what became of the messages."""

from __future__ import annotations

from typing import Annotated

import typer

APP = typer.Typer()


@APP.command("alerts", epilog="Example: canhman alerts --list --lang en")
def alerts(
    list_: Annotated[bool, typer.Option("--list", help="Print the open alerts (of each place the highest line), and end.")] = False,
    outbox: Annotated[bool, typer.Option("--outbox", help="Print the newest 50 messages with what became of them, and end.")] = False,
    json: Annotated[bool, typer.Option("--json", help="With --list or --outbox: print JSON, the alerts as GET /api/v1/alerts?state=open has them.")] = False,
    lang: Annotated[str, typer.Option(help="With --list: the language of the texts, vi or en.")] = "vi",
    wait: Annotated[float, typer.Option(min=0, help="Seconds to wait for a missing server at start.")] = 60,
    log_json: Annotated[bool, typer.Option("--log-json", help="Log as JSON lines.")] = False,
) -> None:
    """Watch the readings and forecasts, open and clear alerts, and send them on.

    Without --list or --outbox until SIGTERM or Ctrl-C. The numbers are in alerts.toml, read again at SIGHUP. Messages go to the inbox of the
    pages, and to CANHMAN_WEBHOOK where it is set. One at a time on a CANHMAN_DATA (up and demo have it); killed at any moment, it goes on where it stood.
    """
    import asyncio

    from canhman import alerting, logs, services, terminal
    from canhman.settings import read_settings
    from core.texts import LANGUAGES

    if json and not (list_ or outbox):
        raise typer.BadParameter("--json goes with --list or --outbox")
    if list_ and outbox:
        raise typer.BadParameter("--list and --outbox are two answers: ask for one")
    if lang not in LANGUAGES:
        raise typer.BadParameter(f"{lang!r} is not one of {', '.join(LANGUAGES)}", param_hint="--lang")
    if list_:
        from alerts.message import text
        from alerts.shape import shape

        found, now = asyncio.run(alerting.open_alerts(read_settings(), wait_s=0))
        if json:
            terminal.as_json({"items": [shape(alert, station=station, now=now) for alert, station in found]})
        else:
            rows = [alerting.row(alert, text(alert, station=station, lang=lang, now=now).summary) for alert, station in found]
            terminal.table(("Id", "Kind", "Line g/L", "State", "Opened", "Text"), rows, empty="No open alerts.")
        return
    if outbox:
        messages = [alerting.message(intent) for intent in asyncio.run(alerting.outbox(read_settings(), wait_s=0))]
        if json:
            terminal.as_json({"items": messages})
        else:
            columns = {"Id": "id", "State": "state", "Tries": "attempts", "Due": "due_at", "Receipt": "receipt", "Message": "key"}
            terminal.table(tuple(columns), [[m[name] for name in columns.values()] for m in messages], empty="No messages.")
        return
    logs.set_up(json=log_json)
    asyncio.run(
        services.alone(
            lambda signals, started: alerting.alerts(read_settings(), wait_s=wait, signals=signals, started=started),
            lambda what: terminal.say(f"canhman alerts: {what}", style="green"),
        )
    )
