"""Sending line protocol: `/write` of InfluxDB 1.x over a connection of its own; `/api/v2/write` is in `influx_v2`.

Both give the bare status and text; what they mean is decided in one place, by one rule for all versions.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol
from urllib.parse import urlencode

from adapters.http_kept import KeptConnection
from adapters.influx_query import InfluxQL, status_error, words
from adapters.line_protocol import Lines
from core.errors import UnavailableError

_SPLIT = (400, 413, 422)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """HTTP status, body, and whether the body is a web page: then it is not the store that speaks."""

    status: int
    text: str
    page: bool


class Sender(Protocol):
    """One dialect."""

    def send(self, body: bytes) -> Answer:
        """Post one body of lines. Raises UnavailableError where no answer came."""
        ...

    def create(self) -> None:
        """Make the database or bucket where it is not there."""
        ...

    def close(self) -> None:
        """Close connections."""
        ...


class V1Sender:
    """InfluxDB 1.x."""

    def __init__(self, http: KeptConnection, query: InfluxQL, database: str) -> None:
        self._http = http
        self._query = query
        self._database = database
        self._target = f"/write?{urlencode({'db': database, 'precision': 'ms'})}"

    def send(self, body: bytes) -> Answer:
        """POST /write."""
        answer = self._http.post(self._target, body)
        return Answer(status=answer.status, text=answer.text, page=is_page(answer.content_type))

    def create(self) -> None:
        """CREATE DATABASE; harmless where it exists."""
        name = self._database.replace("\\", "\\\\").replace('"', '\\"')
        self._query.run(f'CREATE DATABASE "{name}"')

    def close(self) -> None:
        """Close the connection."""
        self._http.close()


def deliver(sender: Sender, lines: Lines, where: str, database: str) -> list[tuple[int, str]]:
    """Send all lines; returns those the store will never take, with its words.

    Only 204 is success. 400, 413 and 422 are halved and sent again (writing twice changes nothing) down to the one
    line; 401, 403 and 404 raise RefusedError; every other answer, or none, raises UnavailableError.
    """
    refused: list[tuple[int, str]] = []
    waiting = [(0, len(lines.texts))] if lines.texts else []
    while waiting:
        first, last = waiting.pop()
        answer = sender.send(lines.body(first, last))
        if answer.status == 204:
            continue
        if answer.status not in _SPLIT or (answer.page and answer.status != 413):  # a proxy's own 400 says nothing about a line
            if answer.status in _SPLIT or 200 <= answer.status < 300:
                raise UnavailableError(f"{where}: answered {answer.status} without being InfluxDB: {words(answer.text) or 'no 204'}")
            raise status_error(where, database, answer.status, answer.text)
        if last - first == 1:
            refused.append((first, words(answer.text) or f"refused with {answer.status}"))
            continue
        middle = (first + last) // 2
        waiting += [(middle, last), (first, middle)]
    return sorted(refused)


def is_page(content_type: str | None) -> bool:
    """Whether it is a web page that answered."""
    return (content_type or "").lower().startswith("text/html")
