"""A store on an InfluxDB database of its own, through v1's or v2's API, and plain InfluxQL on what stands there."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from servers.influx2 import Influx2
from servers.influxd import InfluxD

from adapters.influx import InfluxStore


@contextmanager
def store_on(influxd: InfluxD, api: str, name: str) -> Iterator[InfluxStore]:
    """An open store on the new database `name`; `api` is v1 or v2, the latter through our face of it."""
    front = None
    if api == "v1":
        store = InfluxStore(influxd.url, database=name, shared=True)
    else:
        front = Influx2(influxd, bucket=name)
        front.start()
        store = InfluxStore(front.url, database=name, api="v2", org=front.org, token=front.token, shared=True)
    asyncio.run(store.create())
    asyncio.run(store.open())
    yield store
    asyncio.run(store.close())
    if front is not None:
        front.stop()


def rows(influxd: InfluxD, q: str, name: str) -> list[dict[str, Any]]:
    """The rows of all series, as dicts with their tags; past our own code."""
    found = influxd.query(q, db=name)
    return [dict(zip(s["columns"], values, strict=True)) | s.get("tags", {}) for s in found for values in s["values"]]
