"""The series store on InfluxDB 1.6 to 2.x: line protocol in, InfluxQL out.

Measurement = domain of the quantity, tags org, station, point, sensor; fields `ec` float, `ec_qc` and `ec_qt` integers
for each quantity, `rx` integer for the point. `_qt` absent reads as 0.
"""

from __future__ import annotations

import ssl
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

import httpx
import msgspec
import numpy as np
from numpy.typing import NDArray

from adapters.http_kept import KeptConnection
from adapters.influx_ask import Answered, ask
from adapters.influx_boards import known_rows, write_latest, write_stations
from adapters.influx_cursor import CursorFile
from adapters.influx_lines import encode_flags, encode_rows, group
from adapters.influx_mirror import alert_lines, forecast_lines, send_rows
from adapters.influx_newest import Newest
from adapters.influx_places import NOWHERE, Places
from adapters.influx_query import InfluxQL, rows_of
from adapters.influx_read import read_keys, stored_series
from adapters.influx_send import Sender, V1Sender, deliver
from adapters.rows import last_rows, survivors
from core.alert import Alert
from core.batch import Batch
from core.board import Shown, TakenBack
from core.errors import ConfigError, RefusedError
from core.forecast import Forecast
from core.place import Station
from core.ports import RefusedRow
from core.series import SeriesKey

CONNECT_S = 5.0
_policies: msgspec.json.Decoder[list[list[str | int | bool]]] = msgspec.json.Decoder(list[list[str | int | bool]])


class InfluxStore:
    """One database (1.x) or bucket (2.x).

    The calls block, each request for at most `timeout` (reads `read_timeout`) seconds, and are for one thread at a
    time: give the store a thread of its own. Every write says `_qt=0` where something may have stood before; set
    `shared` where other processes write readings of the same series, for what they write cannot be known here.
    """

    durable_after = 0.0  # InfluxDB syncs its WAL before it answers 204

    def __init__(
        self,
        url: str,
        *,
        database: str = "canhman",
        api: Literal["v1", "v2"] = "v1",
        org: str = "",
        token: str = "",
        tls: ssl.SSLContext | None = None,
        cursor_path: Path | None = None,
        shared: bool = False,
        timeout: float = 10.0,
        read_timeout: float = 60.0,
    ) -> None:
        """`url` is http://host:8086 or https://…; `tls` what to trust there (default: the system's authorities).

        `token` is `user:password` for v1. Without `cursor_path` the store keeps no cursor (readers, the judge).
        """
        if api == "v1" and token and ":" not in token:
            raise ConfigError("the store's token must be user:password for api=v1")
        if api == "v2" and not (org and token):
            raise ConfigError("api=v2 needs an org and a token")
        self.name = f"influxdb-{api}"
        self._url = url.rstrip("/")
        self._where = f"InfluxDB at {self._url}"
        self._database = database
        self._api = api
        self._org = org
        self._token = token
        self._tls = tls
        self._timeout = timeout
        self._read_timeout = read_timeout
        self._cursors = CursorFile(cursor_path) if cursor_path else None
        self._newest = None if shared else Newest()
        self._places = Places()
        self._http: httpx.Client | None = None
        self._sender: Sender | None = None
        self._influxql: InfluxQL | None = None

    async def open(self) -> None:
        """Make the clients and ask the server. Raises UnavailableError or RefusedError."""
        self._connect()
        await self.ping()

    async def create(self) -> None:
        """CREATE DATABASE, or a bucket that keeps for ever. Raises RefusedError where the token may not."""
        self._connect()
        self._out.create()

    async def ping(self) -> None:
        """Ask for one row. An error in the answer: no such database; a list of databases: VictoriaMetrics."""
        self._ask.run('SELECT * FROM "station" LIMIT 1')

    async def write(self, batch: Batch, keys: Sequence[SeriesKey], cursor: int | None = None, *, journal: str = "") -> list[RefusedRow]:
        """See the port. Refused: NaN, infinities, unknown quantities, tags that no line can hold, what the server refuses.

        A line carries all quantities of a point at one time, and where it is refused all its rows are.
        """
        rows, refused = survivors(batch)
        rows, numbers, unwritable = self._locate(batch, rows, keys)
        refused += unwritable
        if len(rows):
            grouped = group(_with_series(batch.take(rows), numbers), self._places)
            explicit = np.ones(len(grouped.time), dtype=np.bool_)
            if self._newest is not None:
                explicit = self._newest.may_exist(self._ask, grouped, self._places)
            lines = encode_rows(grouped, self._places, explicit)
            for line, text in deliver(self._out, lines, self._where, self._database):
                refused += [RefusedRow(row=row, text=text) for row in rows[lines.rows(line)].tolist()]
        if cursor is not None:
            self._cursor_file.save(journal, cursor)
        return sorted(refused, key=lambda r: r.row)

    async def write_flags(self, batch: Batch, keys: Sequence[SeriesKey]) -> None:
        """See the port. A row that does not exist gets flags without a value, which reads as no row."""
        rows, numbers, _ = self._locate(batch, last_rows(batch), keys)
        if len(rows):
            grouped = group(_with_series(batch.take(rows), numbers), self._places)
            if self._newest is not None:
                self._newest.touched(grouped, self._places)
            lost = deliver(self._out, encode_flags(grouped, self._places), self._where, self._database)
            if lost:
                raise RefusedError(f"{self._where}: {len(lost)} rows of flags refused: {lost[0][1]}")

    async def flush(self) -> None:
        """Nothing to do: InfluxDB syncs its WAL before it answers a write."""

    async def mistrust(self) -> None:
        """The server is asked again what is newest of each point."""
        if self._newest is not None:
            self._newest.forget()

    async def cursor(self, journal: str) -> int:
        """How far `journal` is stored; 0 where nothing is."""
        return self._cursor_file.load(journal)

    async def read(self, keys: Sequence[SeriesKey], start: int, end: int, *, limit: int | None = None) -> Batch:
        """See the port. `received` is the point's, of the arrival written last."""
        return read_keys(self._ask, keys, start, end, limit)

    async def series(self, *, station: str | None = None) -> list[SeriesKey]:
        """See the port; reads the oldest row of every series."""
        return stored_series(self._ask, station)

    async def mirror_forecasts(self, rows: Sequence[Forecast | TakenBack]) -> list[RefusedRow]:
        """See the port `Mirror`."""
        return send_rows(self._out, rows, forecast_lines, self._where, self._database)

    async def mirror_alerts(self, alerts: Sequence[Alert]) -> list[RefusedRow]:
        """See the port `Mirror`."""
        return send_rows(self._out, alerts, alert_lines, self._where, self._database)

    async def mirror_stations(self, stations: Sequence[Station], waterways: Mapping[str, str], at: int) -> int:
        """See the port `Mirror`; reads the newest row of every station."""
        return write_stations(self._ask, self._out, stations, waterways, at, self._where, self._database)

    async def mirror_latest(self, rows: Sequence[Shown]) -> list[RefusedRow]:
        """See the port `Mirror`."""
        return write_latest(self._out, rows, self._where, self._database)

    async def mirrored_latest(self, since: int) -> list[Shown]:
        """See the port `Mirror`."""
        return known_rows(self._ask, since)

    async def ask(self, query: str) -> list[Answered]:
        """What a board's query finds: one SELECT or SHOW TAG VALUES. Raises RefusedError for any other."""
        return ask(self._ask, query)

    async def troubles(self) -> list[str]:
        """For `doctor`: a retention that would delete readings, or (2.x) a bucket that `/query` cannot reach."""
        rows = rows_of(self._ask.run(f'SHOW RETENTION POLICIES ON "{self._database}"').get(0, []), _policies, self._where)
        default = next((row for row in rows if row[-1] is True), None)
        if default is None:
            return [f"{self._where}: database {self._database} has no default retention policy; on 2.x map the bucket: influx v1 dbrp create --default"]
        if default[1] not in ("0s", ""):
            return [f"{self._where}: retention policy {default[0]} deletes readings after {default[1]}; make it infinite (INF)"]
        return []

    async def close(self) -> None:
        """Close connections and the cursor's file."""
        if self._sender is not None:
            self._sender.close()
        if self._http is not None:
            self._http.close()
        if self._cursors is not None:
            self._cursors.close()
        self._sender = self._http = self._influxql = None
        if self._newest is not None:
            self._newest.forget()

    def _connect(self) -> None:
        if self._http is not None:
            return
        tls = self._tls or (ssl.create_default_context() if self._url.startswith("https:") else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT))
        user, _, password = self._token.partition(":")
        v2 = self._api == "v2"
        self._http = httpx.Client(
            base_url=self._url,
            auth=None if v2 or not self._token else (user, password),
            headers={"Authorization": f"Token {self._token}"} if v2 else None,
            timeout=httpx.Timeout(self._timeout, connect=min(CONNECT_S, self._timeout)),
            follow_redirects=False,
            trust_env=False,  # no proxy of the environment between us and the store, as influxdb-client does it
            verify=tls,
        )
        self._influxql = InfluxQL(self._http, self._database, self._where, httpx.Timeout(self._read_timeout, connect=min(CONNECT_S, self._timeout)))
        if v2:
            from adapters.influx_v2 import V2Sender  # the library takes 19 MB

            self._sender = V2Sender(self._url, self._token, org=self._org, bucket=self._database, where=self._where, timeout=self._timeout, tls=tls)
        else:
            self._sender = V1Sender(self._writing(tls, (user, password) if self._token else None), self._influxql, self._database)

    def _writing(self, tls: ssl.SSLContext, login: tuple[str, str] | None) -> KeptConnection:
        """Writes have a connection of their own: they come up to a hundred times a second."""
        connect_s = min(CONNECT_S, self._timeout)
        return KeptConnection(self._url, where=self._where, timeout=self._timeout, connect_timeout=connect_s, tls=tls, login=login)

    def _locate(self, batch: Batch, rows: NDArray[np.intp], keys: Sequence[SeriesKey]) -> tuple[NDArray[np.intp], NDArray[np.int32], list[RefusedRow]]:
        """The rows that have a place, the number of each one's place, and the rows that have none."""
        numbers = self._places.numbers(keys)[batch.series[rows]]
        lost = numbers == NOWHERE
        if not lost.any():
            return rows, numbers, []
        refused = [RefusedRow(row=row, text=self._places.why(keys[batch.series[row]])) for row in rows[lost].tolist()]
        return rows[~lost], numbers[~lost], refused

    @property
    def _ask(self) -> InfluxQL:
        if self._influxql is None:
            raise RuntimeError(f"{self._where}: the store is not open")
        return self._influxql

    @property
    def _out(self) -> Sender:
        if self._sender is None:
            raise RuntimeError(f"{self._where}: the store is not open")
        return self._sender

    @property
    def _cursor_file(self) -> CursorFile:
        if self._cursors is None:
            raise ConfigError(f"{self._where}: this store was opened without a cursor file")
        return self._cursors


def _with_series(batch: Batch, series: NDArray[np.int32]) -> Batch:
    return Batch(series=series, time=batch.time, value=batch.value, flag=batch.flag, tests=batch.tests, received=batch.received)
