"""Sending line protocol: `/write` of InfluxDB 1.x through httpx; `/api/v2/write` is in `influx_v2`.

Both give the bare status and text; what they mean is decided in one place, by one rule for all versions.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import httpx

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
    """InfluxDB 1.x: the client is shared with the queries and closed by its owner."""

    def __init__(self, http: httpx.Client, query: InfluxQL, database: str, where: str) -> None:
        self._http = http
        self._query = query
        self._database = database
        self._where = where

    def send(self, body: bytes) -> Answer:
        """POST /write."""
        try:
            answer = self._http.post("/write", params={"db": self._database, "precision": "ms"}, content=body)
        except httpx.HTTPError as error:
            raise UnavailableError(f"{self._where}: {error or type(error).__name__}") from error
        return Answer(status=answer.status_code, text=answer.text, page=is_page(answer.headers.get("content-type")))

    def create(self) -> None:
        """CREATE DATABASE; harmless where it exists."""
        name = self._database.replace("\\", "\\\\").replace('"', '\\"')
        self._query.run(f'CREATE DATABASE "{name}"')

    def close(self) -> None:
        """Nothing of its own."""


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
