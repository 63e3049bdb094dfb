"""Forecasts and alerts as lines for Grafana: measurements `forecast` and `alert` beside the readings.

`forecast,lead=latest,org=o,point=main,station=kl-01,target=hour q05=0.1,…,p_gt_4=0.02,issued=1772402400000i,model="persistence" 1772406000000`,
and with `issued=0i` alone where that was taken back: nothing is deleted, and a field that is left out keeps its value
`alert,kind=observed,line=4,org=o,point=main,station=kl-01 level=4i,state="open",value=4.2,p=0.7 1772402400000`
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TypeVar

import numpy as np

from adapters.influx_send import Sender, deliver
from adapters.line_protocol import Lines, escape_tag
from core.alert import Alert
from core.bands import LINES
from core.board import TakenBack, forecast_rows
from core.errors import RefusedError
from core.forecast import QUANTILES, Forecast
from core.ports import RefusedRow

_BODY_LINES = 5000
_FIELDS = tuple(f"q{round(100 * q):02d}" for q in QUANTILES) + tuple("p_gt_" + f"{line:g}".replace(".", "_") for line in LINES)

T = TypeVar("T")


def forecast_lines(f: Forecast | TakenBack) -> Iterator[str]:
    """Every lead as `latest` (a later issue overwrites it), and days ahead also as d01, d03, d07, d14. Raises ValueError for what no line can hold."""
    tags = f"org={escape_tag(f.org)},point={escape_tag(f.point)},station={escape_tag(f.station)},target={escape_tag(f.target)}"
    if isinstance(f, TakenBack):
        yield from (f"forecast,lead={lead},{tags} issued=0i {time}" for lead, time in f.rows)
        return
    end = f"issued={f.issued_at}i,model={_text(f.model)}"
    fields = {
        time: ",".join(f"{name}={float(x)!r}" for name, x in zip(_FIELDS, (*quantiles, *p_gt), strict=True))
        for time, quantiles, p_gt in zip(f.times, f.quantiles, f.p_gt, strict=True)
    }
    yield from (f"forecast,lead={lead},{tags} {fields[time]},{end} {time}" for lead, time in forecast_rows(f.target, f.leads, f.times))


def alert_lines(a: Alert) -> Iterator[str]:
    """The alert as it stands at `updated_at`; without a line the tag is left out. Raises ValueError for what no line can hold."""
    line = "" if a.line is None else f"line={a.line:g},"
    tags = f"kind={escape_tag(a.kind)},{line}org={escape_tag(a.org)},point={escape_tag(a.point)},station={escape_tag(a.station)}"
    facts = "".join(f",{name}={float(x)!r}" for name, x in (("value", a.value), ("p", a.p)) if x is not None and np.isfinite(x))
    yield f"alert,{tags} level={a.level}i,state={_text(a.state)}{facts} {a.updated_at}"


def send_lines(sender: Sender, lines: Iterator[str], where: str, database: str) -> None:
    """Send them in bodies of some thousand. Raises UnavailableError where the store is away, RefusedError after all others where it will never take one."""
    try:
        texts = list(lines)
    except ValueError as error:
        raise RefusedError(f"{where}: cannot be written: {error}") from error
    refused = _send(sender, texts, where, database)
    if refused:
        raise RefusedError(f"{where}: {len(refused)} lines refused: {refused[0][1]}")


def send_rows(sender: Sender, rows: Sequence[T], lines: Callable[[T], Iterable[str]], where: str, database: str) -> list[RefusedRow]:
    """Send the lines of each in their order; returns those of which one fits no line or will never be taken, after all others are sent."""
    texts: list[str] = []
    sent: list[int] = []
    refused: dict[int, str] = {}
    for n, row in enumerate(rows):
        try:
            of_row = list(lines(row))
        except ValueError as error:
            refused[n] = f"{where}: cannot be written: {error}"
            continue
        texts += of_row
        sent += [n] * len(of_row)
    for n, said in _send(sender, texts, where, database):
        refused.setdefault(sent[n], f"{where}: {said}")
    return [RefusedRow(row=n, text=text) for n, text in sorted(refused.items())]


def _send(sender: Sender, texts: Sequence[str], where: str, database: str) -> list[tuple[int, str]]:
    """In bodies of some thousand; returns which were refused, with the store's words."""
    refused: list[tuple[int, str]] = []
    for first in range(0, len(texts), _BODY_LINES):
        body = list(texts[first : first + _BODY_LINES])
        whole = Lines(texts=body, order=np.arange(len(body)), starts=list(range(len(body) + 1)))
        refused += [(first + n, said) for n, said in deliver(sender, whole, where, database)]
    return refused


def _text(value: str) -> str:
    """A string field. Raises ValueError for a line break, which ends a line whatever stands before it."""
    if "\n" in value or "\r" in value:
        raise ValueError(f"{value!r} holds a line break")
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
