"""One query of a board, as Grafana sends it: InfluxQL that reads, and nothing else."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import msgspec

from adapters.influx_query import InfluxQL, rows_of
from core.errors import RefusedError

_rows = msgspec.json.Decoder(list[list[Any]])
_READS = re.compile(r"(SELECT|SHOW\s+TAG\s+VALUES)\b", re.IGNORECASE)
# in the order they are met: what stands inside quotes or slashes is a name or a value; a comment could hide a quote
_TOKEN = re.compile(
    r"""(?P<quoted>'(?:\\.|[^'\\])*'|"(?:\\.|[^"\\])*"|(?:=~|!~|\bFROM\b)\s*/(?:\\.|[^/\\])*/)|(?P<comment>--|/\*)|(?P<word>\w+)|.""",
    re.DOTALL | re.IGNORECASE,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """One series of an answer; times in ms."""

    name: str
    tags: dict[str, str]
    columns: list[str]
    rows: list[list[Any]]


def ask(influxql: InfluxQL, query: str) -> list[Answered]:
    """The series of one reading statement. Raises RefusedError for any other, and where the store has an error for it; UnavailableError."""
    check_reads(query)
    found: list[Answered] = []
    for series in influxql.run(query).get(0, []):
        rows = rows_of([series], _rows, influxql.where)
        if found and (found[-1].name, found[-1].tags) == (series.name, series.tags):  # the next chunk of it
            found[-1].rows.extend(rows)
        else:
            found.append(Answered(name=series.name, tags=series.tags, columns=series.columns, rows=rows))
    return found


def check_reads(query: str) -> None:
    """Raises RefusedError for what is not one SELECT or SHOW TAG VALUES, or what would write (INTO)."""
    text = query.strip()
    reads = _READS.match(text) is not None
    for token in _TOKEN.finditer(text):
        reads = reads and not token["comment"] and token[0] not in ";'\"" and (token["word"] or "").upper() != "INTO"
    if not reads:
        raise RefusedError(f"only one SELECT or SHOW TAG VALUES is asked, not: {text[:100]}")
