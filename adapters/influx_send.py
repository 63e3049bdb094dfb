"""Sending line protocol: `/write` of InfluxDB 1.x through httpx, `/api/v2/write` through influxdb-client.

Both give the bare status and text; what they mean is decided in one place, by one rule for all versions.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import httpx
import urllib3
from influxdb_client.client.exceptions import InfluxDBError
from influxdb_client.client.influxdb_client import InfluxDBClient
from influxdb_client.rest import ApiException
from influxdb_client.service.write_service import WriteService

from adapters.influx_query import InfluxQL, status_error, words
from adapters.line_protocol import Lines
from core.errors import RefusedError, UnavailableError

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
        return Answer(status=answer.status_code, text=answer.text, page=_is_page(answer.headers.get("content-type")))

    def create(self) -> None:
        """CREATE DATABASE; harmless where it exists."""
        name = self._database.replace("\\", "\\\\").replace('"', '\\"')
        self._query.run(f'CREATE DATABASE "{name}"')

    def close(self) -> None:
        """Nothing of its own."""


class V2Sender:
    """InfluxDB 2.x through the library as it is: synchronous, no retries, no redirects, one body a batch."""

    def __init__(self, client: InfluxDBClient, org: str, bucket: str, where: str) -> None:
        self._client = client
        self._org = org
        self._bucket = bucket
        self._where = where
        self._service = WriteService(client.api_client)  # type: ignore[no-untyped-call]  # the library is untyped

    def send(self, body: bytes) -> Answer:
        """POST /api/v2/write. WriteService rather than WriteApi: that one hides the status, and 200 is no success."""
        try:
            _, status, headers = self._service.post_write_with_http_info(  # type: ignore[no-untyped-call]  # the library is untyped
                org=self._org,
                bucket=self._bucket,
                body=body,
                precision="ms",
                content_type="text/plain; charset=utf-8",
                _return_http_data_only=False,
                urlopen_kw={"redirect": False, "retries": False},
            )
        except ApiException as error:
            if not error.status:
                raise UnavailableError(f"{self._where}: {error.reason}") from error
            return Answer(status=error.status, text=error.body or error.reason or "", page=_is_page(_content_type(error.headers)))
        except (urllib3.exceptions.HTTPError, OSError, UnicodeDecodeError) as error:
            raise UnavailableError(f"{self._where}: {error}") from error
        return Answer(status=status, text="", page=_is_page(_content_type(headers)))

    def create(self) -> None:
        """Make the bucket, kept for ever, through the buckets API."""
        by_hand = f"make it by hand: influx bucket create --org {self._org} --name {self._bucket} --retention 0"
        try:
            if not self._has_bucket():
                self._client.buckets_api().create_bucket(bucket_name=self._bucket, org=self._org)
        except ApiException as error:
            if not error.status or error.status >= 500 or error.status == 429:
                raise UnavailableError(f"{self._where}: answered {error.status} {words(error.body or '')}") from error
            said = f"{error.status} {words(error.body or '')}"
            raise RefusedError(f"{self._where}: cannot make bucket {self._bucket!r} with this token ({said}); {by_hand}") from error
        except InfluxDBError as error:  # the library's own: no such org
            raise RefusedError(f"{self._where}: {error.message}; {by_hand}") from error
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise UnavailableError(f"{self._where}: {error}") from error

    def _has_bucket(self) -> bool:
        try:
            found = self._client.buckets_api().find_buckets(name=self._bucket, org=self._org)  # type: ignore[no-untyped-call]  # the library is untyped
        except ApiException as error:
            if error.status == 404:  # how 2.x says that no bucket has the name (or that the org is not there: then making it says so)
                return False
            raise
        return bool(found.buckets)

    def close(self) -> None:
        """Close the library's pool."""
        self._client.close()  # type: ignore[no-untyped-call]  # the library is untyped


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


def _is_page(content_type: str | None) -> bool:
    return (content_type or "").lower().startswith("text/html")


def _content_type(headers: object) -> str | None:
    get = getattr(headers, "get", None)
    return str(get("Content-Type", "")) if get else None
