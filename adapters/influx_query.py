"""InfluxQL over `/query`, the same in InfluxDB 1.x and 2.x: bound values, times in ms, chunked JSON, errors as ours."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TypeVar

import httpx
import msgspec

from core.errors import CanhManError, RefusedError, UnavailableError

CREATE_HINT = "make it with: canhman migrate --create-store"


class Series(msgspec.Struct):
    """One series of an answer, possibly one of several chunks of it."""

    name: str = ""
    columns: list[str] = []
    values: msgspec.Raw = msgspec.Raw(b"[]")  # rows; whoever asked knows their types
    tags: dict[str, str] = {}


class _Result(msgspec.Struct):
    statement_id: int = 0
    series: list[Series] = []
    error: str = ""


class _Answer(msgspec.Struct):
    results: list[_Result] | None = None
    error: str = ""


Row = TypeVar("Row")

_decoder = msgspec.json.Decoder(_Answer)


class InfluxQL:
    """Asks one database. `where` names the server in errors, without a secret."""

    def __init__(self, http: httpx.Client, database: str, where: str, timeout: httpx.Timeout) -> None:
        self._http = http
        self._database = database
        self.where = where
        self._timeout = timeout

    def run(self, statements: str, params: Mapping[str, str | int] | None = None) -> dict[int, list[Series]]:
        """The series of each statement by its number; one without rows is absent. Raises UnavailableError or RefusedError."""
        form = {"db": self._database, "q": statements, "params": json.dumps(params or {}), "epoch": "ms", "chunked": "true"}
        try:
            answer = self._http.post("/query", data=form, timeout=self._timeout)
        except httpx.HTTPError as error:
            raise UnavailableError(f"{self.where}: {error or type(error).__name__}") from error
        if answer.status_code != 200:
            raise status_error(self.where, self._database, answer.status_code, answer.text)
        return self._collect(answer.content)

    def _collect(self, content: bytes) -> dict[int, list[Series]]:
        found: dict[int, list[Series]] = {}
        answers = 0
        for line in content.splitlines():
            if not line.strip():
                continue
            try:
                answer = _decoder.decode(line)
            except (msgspec.DecodeError, UnicodeDecodeError) as error:
                raise UnavailableError(f"{self.where}: this is not an answer of InfluxDB: {words(line.decode(errors='replace'))}") from error
            if answer.error or answer.results is None:
                raise UnavailableError(f"{self.where}: {answer.error or 'this is not an answer of InfluxDB'}")
            answers += 1
            for result in answer.results:
                if result.error:
                    raise self._error(result.error)
                if any(series.name == "databases" for series in result.series):
                    raise RefusedError(f"{self.where} is VictoriaMetrics: it takes writes but answers no InfluxQL; use InfluxDB 1.6 to 2.x")
                found.setdefault(result.statement_id, []).extend(result.series)
        if not answers:
            raise UnavailableError(f"{self.where}: an empty answer to a query")
        return found

    def _error(self, text: str) -> CanhManError:
        if "database not found" in text or "bucket not found" in text:
            return RefusedError(f"{self.where}: {text}; {CREATE_HINT}")
        if "authoriz" in text or "error parsing query" in text:
            return RefusedError(f"{self.where}: {text}")
        return UnavailableError(f"{self.where}: {text}")


def rows_of(series: Sequence[Series], decoder: msgspec.json.Decoder[list[Row]], where: str) -> list[Row]:
    """The rows of all chunks of one statement."""
    try:
        return [row for chunk in series for row in decoder.decode(chunk.values)]
    except msgspec.DecodeError as error:
        raise UnavailableError(f"{where}: a row of another shape than asked for: {error}") from error


def status_error(where: str, database: str, status: int, text: str) -> CanhManError:
    """What an HTTP status other than success means for the caller: wait, or have the configuration changed."""
    said = words(text)
    if status in (401, 403):
        return RefusedError(f"{where}: {status} {said}; check CANHMAN_STORE_TOKEN and what it may read and write")
    if status == 404:
        return RefusedError(f"{where}: 404 {said}; is {database!r} there, and is this InfluxDB's address? {CREATE_HINT}")
    if status == 400:
        return RefusedError(f"{where}: 400 {said}")
    return UnavailableError(f"{where}: answered {status} {said}")


def words(text: str) -> str:
    """The server's words in one line: `error` (1.x) or `message` (2.x) of its JSON, else the beginning of the text."""
    try:
        body = json.loads(text)
    except ValueError:
        body = None
    if isinstance(body, dict):
        text = str(body.get("message") or body.get("error") or text)
    line = " ".join(text.split())
    return line if len(line) <= 300 else f"{line[:150]} … {line[-140:]}"  # it quotes the line first and says what is wrong last
