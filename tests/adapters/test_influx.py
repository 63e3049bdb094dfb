"""InfluxDB's own: the schema, what counts as written, what is refused and by whom, and when test bits are written out."""

from __future__ import annotations

import asyncio
import itertools
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from servers.influx2 import Influx2
from servers.influxd import InfluxD
from servers.ports import free_port

from adapters import influx_newest
from adapters.influx import InfluxStore
from adapters.influx_read import newest_times
from adapters.line_protocol import escape_tag
from core.batch import Batch
from core.errors import CanhManError, ConfigError, RefusedError, UnavailableError
from core.ports import RefusedRow
from core.series import SeriesKey

pytestmark = pytest.mark.servers

T = 1_772_323_800_000
MINUTE = 60_000
FOREVER = 1 << 62
EC = SeriesKey("default", "kl-01", "main", "kl01", "water.ec")
TEMPERATURE = EC._replace(quantity="water.temperature")
MOISTURE = EC._replace(point="d10", quantity="soil.moisture")

_counter = itertools.count()


@pytest.fixture(scope="module")
def influxd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[InfluxD]:
    server = InfluxD(tmp_path_factory.mktemp("influxd"))
    yield server.start()
    server.stop()


@pytest.fixture
def face(influxd: InfluxD) -> Iterator[Influx2]:
    face = Influx2(influxd, bucket=f"face_{next(_counter)}").start()
    yield face
    face.stop()


Api = Literal["v1", "v2"]
Again = Callable[[], InfluxStore]


@pytest.fixture(params=["v1", "v2"])
def api(request: pytest.FixtureRequest) -> Api:
    return "v1" if request.param == "v1" else "v2"


@pytest.fixture
def again(face: Influx2, api: Api, tmp_path: Path) -> Iterator[Again]:
    """Makes store objects in either dialect, through the face, on one database; closed at the end."""
    made: list[InfluxStore] = []

    def make() -> InfluxStore:
        store = InfluxStore(face.url, database=face.bucket, api=api, org=face.org, token=_token(face, api), cursor_path=tmp_path / "cursor", timeout=1.5)
        made.append(store)
        asyncio.run(store.create())
        return store

    yield make
    for store in made:
        asyncio.run(store.close())


def _token(face: Influx2, api: Api) -> str:
    return face.token if api == "v2" else "user:" + face.token


@pytest.fixture
def store(again: Again) -> InfluxStore:
    return again()


def write(store: InfluxStore, batch: Batch, keys: list[SeriesKey], cursor: int | None = None) -> list[RefusedRow]:
    return asyncio.run(store.write(batch, keys, cursor, journal="j"))


def values(store: InfluxStore, *keys: SeriesKey) -> list[tuple[int, float]]:
    batch = asyncio.run(store.read(keys, 0, FOREVER))
    return list(zip(batch.time.tolist(), batch.value.tolist(), strict=True))


def raw(face: Influx2, q: str) -> list[list[object]]:
    found = face.upstream.query(q, db=face.bucket)
    return found[0]["values"] if found else []


ONE = Batch.of([0], [T], [2.5], flag=[1])


# ---------------------------------------------------------------- schema


def test_the_schema_is_the_contract(store: InfluxStore, face: Influx2) -> None:
    """Measurement, tags, field names and types are what boards and people read by plain InfluxQL."""
    batch = Batch.of([0, 1, 2], [T] * 3, [3.0, 28.5, 0.31], flag=[3, 1, 1], tests=[4, 0, 0], received=[T + 5] * 3)
    write(store, batch, [EC, TEMPERATURE, MOISTURE])
    found = {s["name"]: s for s in face.upstream.query("SELECT * FROM water; SELECT * FROM soil", db=face.bucket)}
    water = dict(zip(found["water"]["columns"], found["water"]["values"][0], strict=True))
    expected = {"time": T, "ec": 3, "ec_qc": 3, "ec_qt": 4, "temperature": 28.5, "temperature_qc": 1, "rx": T + 5}
    assert water == expected | {"org": "default", "station": "kl-01", "point": "main", "sensor": "kl01"}
    assert dict(zip(found["soil"]["columns"], found["soil"]["values"][0], strict=True))["point"] == "d10"
    types = face.upstream.query("SHOW FIELD KEYS FROM water", db=face.bucket)[0]["values"]
    assert dict(types) == {
        "ec": "float", "ec_qc": "integer", "ec_qt": "integer", "temperature": "float", "temperature_qc": "integer", "rx": "integer",
    }  # fmt: skip


def test_forty_series_are_one_request(store: InfluxStore, face: Influx2) -> None:
    """A batch is one write (and, of new points, one question); a read of many series is one query."""
    keys = [EC._replace(station=f"s{i}") for i in range(40)]
    batch = Batch.of(range(40), [T] * 40, [1.0] * 40)
    face.requests.clear()
    write(store, batch, keys)
    path = "/api/v2/write" if store.name == "influxdb-v2" else "/write"
    assert face.requests == ["POST /query", f"POST {path}"]
    write(store, batch, keys)
    assert face.requests[2:] == [f"POST {path}"]
    face.requests.clear()
    assert len(asyncio.run(store.read(keys, 0, FOREVER))) == 40
    assert face.requests == ["POST /query"]


# ---------------------------------------------------------------- test bits


def test_test_bits_are_left_out_of_rows_newer_than_all(again: Again, face: Influx2) -> None:
    """`_qt` is written where it is not 0 or where a row may have stood; after a restart the server says what stands."""
    first = again()
    write(first, Batch.of([0, 0], [T, T + MINUTE], [1.0, 2.0]), [EC])
    assert raw(face, "SELECT ec_qt FROM water") == []
    write(first, Batch.of([0, 0], [T + MINUTE, T + 2 * MINUTE], [2.0, 3.0]), [EC])
    assert raw(face, "SELECT ec_qt FROM water") == [[T + MINUTE, 0]]
    second = again()
    write(second, Batch.of([0], [T + 3 * MINUTE], [4.0]), [EC])
    assert raw(face, "SELECT ec_qt FROM water") == [[T + MINUTE, 0]]
    third = again()
    write(third, Batch.of([0], [T], [1.5]), [EC])
    assert raw(face, "SELECT ec_qt FROM water") == [[T, 0], [T + MINUTE, 0]]
    fourth = again()
    write(fourth, Batch.of([0], [T + 10 * MINUTE], [1.5]), [EC])
    write(fourth, Batch.of([0], [T + 3 * MINUTE], [1.5]), [EC])
    assert raw(face, "SELECT ec_qt FROM water WHERE time > 1772323860000ms") == [[T + 3 * MINUTE, 0]]


def test_bits_of_another_writer_are_written_over_once_it_is_told(again: Again) -> None:
    """`redecode` withdrew a row newer than all of ours, and has announced it: the same row from us leaves none of its bits."""
    ours, another = again(), again()
    write(ours, Batch.of([0], [T], [1.0]), [EC])
    write(another, Batch.of([0], [T + MINUTE], [2.0], flag=[9], tests=[1 << 34]), [EC])
    asyncio.run(ours.mistrust())
    write(ours, Batch.of([0], [T + MINUTE], [2.0], flag=[1]), [EC])
    assert asyncio.run(ours.read([EC], 0, FOREVER)).tests.tolist() == [0, 0]


def test_a_write_whose_answer_was_lost_counts(store: InfluxStore, face: Influx2) -> None:
    """The failed value reached the store unseen; the good one written in its place leaves none of its test bits."""
    face.faults.append("lost")
    with pytest.raises(UnavailableError):
        write(store, Batch.of([0], [T], [99.0], flag=[4], tests=[4]), [EC])
    assert raw(face, "SELECT ec_qt FROM water") == [[T, 4]]
    write(store, ONE, [EC])
    batch = asyncio.run(store.read([EC], 0, FOREVER))
    assert (batch.value.tolist(), batch.tests.tolist()) == ([2.5], [0])


def test_a_store_with_several_writers_always_says_its_bits(face: Influx2, tmp_path: Path) -> None:
    """What another worker wrote after our first question is overwritten whole, without any question."""
    stores = [InfluxStore(face.url, database=face.bucket, api="v2", org=face.org, token=face.token, shared=True) for _ in range(2)]
    for s in stores:
        asyncio.run(s.create())
    write(stores[0], Batch.of([0], [T], [1.0]), [EC])
    write(stores[1], Batch.of([0], [T + MINUTE], [99.0], flag=[4], tests=[4]), [EC])
    write(stores[0], Batch.of([0], [T + MINUTE], [2.0]), [EC])
    assert asyncio.run(stores[0].read([EC], 0, FOREVER)).tests.tolist() == [0, 0]
    assert "POST /query" not in face.requests[-4:-1]
    for s in stores:
        asyncio.run(s.close())


# ---------------------------------------------------------------- what counts as written


@pytest.mark.parametrize("fault", ["html", "redirect", "redirect307", "json", "202", "reset", "slow", "429", "500", "503", "html400"])
def test_only_a_real_success_counts(store: InfluxStore, face: Influx2, fault: str) -> None:
    """Answers that look like success, or are none, are UnavailableError; the cursor stays; the repeat stores it."""
    write(store, ONE, [MOISTURE], 1)
    face.faults.append(fault)
    with pytest.raises(UnavailableError) as caught:
        write(store, ONE, [EC], 2)
    assert "\n" not in str(caught.value)
    assert face.url in str(caught.value)
    assert asyncio.run(store.cursor("j")) == 1
    assert not [r for r in face.requests if "elsewhere" in r]
    assert raw(face, "SELECT ec FROM water") == []
    write(store, ONE, [EC], 2)
    assert values(store, EC) == [(T, 2.5)]
    assert asyncio.run(store.cursor("j")) == 2


@pytest.mark.parametrize(("fault", "hint"), [("401", "CANHMAN_STORE_TOKEN"), ("403", "CANHMAN_STORE_TOKEN"), ("404", "canhman migrate --create-store")])
def test_configuration_is_told_from_weather(store: InfluxStore, face: Influx2, fault: str, hint: str) -> None:
    """401, 403 and 404 name what to do."""
    face.faults.append(fault)
    with pytest.raises(RefusedError, match=hint):
        write(store, ONE, [EC], 2)
    assert asyncio.run(store.cursor("j")) == 0


@pytest.mark.parametrize("fault", ["html", "json", "reset", "slow", "503", "cut", "nothing", "closed", "429"])
def test_a_query_that_is_not_answered_is_unavailable(store: InfluxStore, face: Influx2, fault: str) -> None:
    """A read never takes a broken answer for an empty one, nor does the question before a first write."""
    write(store, ONE, [EC])
    store._read_timeout = 0.5
    asyncio.run(store.close())
    for call in (store.open(), _reopened_read(store), store.write(ONE, [MOISTURE], 2, journal="j")):
        face.query_faults.append(fault)
        with pytest.raises(UnavailableError):
            asyncio.run(call)
        face.query_faults.clear()
    assert asyncio.run(store.cursor("j")) == 0
    assert values(store, EC) == [(T, 2.5)]


async def _reopened_read(store: InfluxStore) -> Batch:
    return await store.read([EC], 0, FOREVER)


def test_victoriametrics_is_named(store: InfluxStore, face: Influx2) -> None:
    """A list of databases in answer to a SELECT: it cannot be read from, and says so at once."""
    face.query_faults.append("victoria")
    with pytest.raises(RefusedError, match="VictoriaMetrics"):
        asyncio.run(store.ping())


# ---------------------------------------------------------------- refused rows


def test_one_bad_line_is_found_and_the_rest_is_stored(store: InfluxStore) -> None:
    """Of 100 rows the one the server will never take comes back with its words; the others and the cursor stand."""
    keys = [EC._replace(station=f"s{i}") for i in range(99)] + [EC._replace(sensor="x" * 66_000)]
    refused = write(store, Batch.of(range(100), [T] * 100, [1.0] * 100), keys, 7)
    assert [r.row for r in refused] == [99]
    assert "key" in refused[0].text
    assert len(values(store, *keys[:99])) == 99
    assert asyncio.run(store.cursor("j")) == 7


def test_all_rows_of_a_refused_line_are_refused(store: InfluxStore, face: Influx2) -> None:
    """A type conflict on one field takes its line: each of its rows is named; rows elsewhere are stored."""
    face.http.post("/write", params={"db": face.bucket}, content=f"water,org=x temperature=3i {T * 1_000_000}").raise_for_status()
    batch = Batch.of([0, 1, 2, 0], [T, T, T, T + MINUTE], [1.0, 2.0, 3.0, 4.0])
    refused = write(store, batch, [EC, TEMPERATURE, MOISTURE])
    assert [r.row for r in refused] == [0, 1]
    assert all("conflict" in r.text for r in refused)
    assert values(store, MOISTURE) == [(T, 3.0)]
    assert (T + MINUTE, 4.0) in values(store, EC)


def test_a_body_too_large_is_halved(store: InfluxStore, face: Influx2, influxd: InfluxD) -> None:
    """413 (here of the 2.x face, or once of a proxy) is no refusal of any line."""
    face.max_body = 4_000
    face.faults.append("413")
    times = [T + i for i in range(200)]
    assert write(store, Batch.of([0] * 200, times, [1.0] * 200), [EC]) == []
    assert [t for t, _ in values(store, EC)] == times


@pytest.mark.parametrize(
    "name", ['Cống số 2, bờ "trái"', "a=b", "C:\\", "kl 03", "🌊", "s" * 300, "x\\y", "a\\ b", "line\nbreak", "", "'; DROP DATABASE x; --"]
)
def test_odd_names_break_no_neighbour(store: InfluxStore, name: str) -> None:
    """A name is stored and read back as it is, or its rows are refused with a reason; the 100 beside it are stored."""
    keys = [EC._replace(station=f"s{i}") for i in range(100)]
    odd = EC._replace(station=name)
    refused = write(store, Batch.of(range(101), [T] * 101, [float(i) for i in range(101)]), [odd, *keys])
    assert len(values(store, *keys)) == 100
    if refused:
        assert name in ("C:\\", "a\\ b", "line\nbreak", "")
        assert [r.row for r in refused] == [0]
        assert asyncio.run(store.series()) == sorted(keys)
    else:
        assert values(store, odd) == [(T, 0.0)]
        assert odd in asyncio.run(store.series(station=name))


def test_an_unknown_quantity_is_refused_and_reads_as_nothing(store: InfluxStore) -> None:
    """Names of fields come from the registry only."""
    gold = EC._replace(quantity='water.gold" FROM x; --')
    assert [r.row for r in write(store, Batch.of([1, 0], [T, T], [1.0, 2.0]), [EC, gold])] == [0]
    assert values(store, gold, EC) == [(T, 2.0)]


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(name=st.text(min_size=1, max_size=12), value=st.floats(allow_nan=False, allow_infinity=False))
def test_any_name_and_value_that_is_taken_comes_back(store: InfluxStore, name: str, value: float) -> None:
    """What the writer takes, the server gives back unchanged: names to the letter, values to the bit (but -0.0 is 0)."""
    try:
        escape_tag(name)
    except ValueError:
        return
    key = EC._replace(station=name)
    assert write(store, Batch.of([0], [T], [value]), [key]) == []
    assert [(t, (v + 0.0).hex()) for t, v in values(store, key)] == [(T, (value + 0.0).hex())]


# ---------------------------------------------------------------- opening, and a server that goes away


def test_a_missing_database_names_the_command(face: Influx2, api: Api, tmp_path: Path) -> None:
    """open() and write() say how to make it; create() makes it, twice without harm."""
    store = InfluxStore(face.url, database=face.bucket, api=api, org=face.org, token=_token(face, api), cursor_path=tmp_path / "c")
    with pytest.raises(RefusedError, match="canhman migrate --create-store"):
        asyncio.run(store.open())
    with pytest.raises(RefusedError, match="canhman migrate --create-store"):
        write(store, ONE, [EC], 1)
    asyncio.run(store.create())
    asyncio.run(store.create())
    asyncio.run(store.open())
    assert write(store, ONE, [EC], 1) == []
    asyncio.run(store.close())


def test_a_token_that_may_not_make_the_bucket(face: Influx2) -> None:
    """create() says what to type instead."""
    face.may_create = False
    store = InfluxStore(face.url, database=face.bucket, api="v2", org=face.org, token=face.token)
    with pytest.raises(RefusedError, match="influx bucket create --org province"):
        asyncio.run(store.create())
    asyncio.run(store.close())


def test_a_wrong_token_org_or_setting(face: Influx2) -> None:
    """A wrong token or org is RefusedError, a missing one ConfigError; no error shows the token."""
    for org, token in ((face.org, "wrong-token"), ("nobody", face.token)):
        store = InfluxStore(face.url, database=face.bucket, api="v2", org=org, token=token)
        with pytest.raises(RefusedError) as caught:
            asyncio.run(store.create())
        assert token not in str(caught.value)
        asyncio.run(store.close())
    with pytest.raises(ConfigError, match="user:password"):
        InfluxStore(face.url, token="justone")
    with pytest.raises(ConfigError, match="org and a token"):
        InfluxStore(face.url, api="v2", org="x")


def test_passwords_of_1x(tmp_path: Path) -> None:
    """With authentication on, the right password works (colons in it too), a wrong one or none is RefusedError."""
    server = InfluxD(tmp_path / "influxd", admin=("root", "se:cret")).start()
    try:
        for token, right in (("root:se:cret", True), ("root:wrong", False), ("", False)):
            store = InfluxStore(server.url, token=token, cursor_path=tmp_path / "c")
            if right:
                asyncio.run(store.create())
                asyncio.run(store.open())
                write(store, ONE, [EC], 1)
                assert values(store, EC) == [(T, 2.5)]
            else:
                for call in (store.create(), store.open(), store.write(ONE, [MOISTURE])):
                    with pytest.raises(RefusedError, match="CANHMAN_STORE_TOKEN") as caught:
                        asyncio.run(call)
                    assert "wrong" not in str(caught.value)
            asyncio.run(store.close())
    finally:
        server.stop()


def test_a_server_that_stops_hangs_is_killed_and_comes_back(tmp_path: Path) -> None:
    """Away or hung: UnavailableError in bounded time. What was answered is there after kill -9; the object goes on."""
    server = InfluxD(tmp_path / "influxd").start()
    store = InfluxStore(server.url, cursor_path=tmp_path / "c", timeout=0.5, read_timeout=0.5)
    try:
        asyncio.run(store.create())
        asyncio.run(store.open())
        write(store, ONE, [EC], 1)
        server.kill()
        _all_unavailable(store)
        server.start()
        assert values(store, EC) == [(T, 2.5)]
        server.pause()
        _all_unavailable(store)
        server.resume()
        asyncio.run(store.ping())
        write(store, Batch.of([0], [T + MINUTE], [3.0]), [EC], 2)
        server.stop()
        _all_unavailable(store)
        server.start()
        assert [v for _, v in values(store, EC)] == [2.5, 3.0]
        assert asyncio.run(store.cursor("j")) == 2
    finally:
        asyncio.run(store.close())
        server.kill()


def _all_unavailable(store: InfluxStore) -> None:
    before = asyncio.run(store.cursor("j"))
    for call in (store.ping(), store.write(ONE, [EC], 99, journal="j"), store.write_flags(ONE, [EC]), store.read([EC], 0, FOREVER), store.series()):
        with pytest.raises(UnavailableError) as caught:
            asyncio.run(call)
        assert "InfluxDB at http://127.0.0.1" in str(caught.value)
    assert asyncio.run(store.cursor("j")) == before


def test_nobody_listens_in_either_dialect(api: Api) -> None:
    """No server at all, and one that is not HTTP, are UnavailableError."""
    url = f"http://127.0.0.1:{free_port()}"
    store = InfluxStore(url, api=api, org="o", token="u:t", timeout=0.5)
    for call in (store.create(), store.open(), store.write(ONE, [EC])):
        with pytest.raises(UnavailableError):
            asyncio.run(call)
    asyncio.run(store.close())
    with socket.create_server(("127.0.0.1", 0)) as mute:
        store = InfluxStore(f"http://127.0.0.1:{mute.getsockname()[1]}", api=api, org="o", token="u:t", timeout=0.3, read_timeout=0.3)
        for call in (store.create(), store.open(), store.write(ONE, [EC])):
            with pytest.raises(UnavailableError):
                asyncio.run(call)
        asyncio.run(store.close())


def test_a_reader_has_no_cursor(face: Influx2) -> None:
    """Without a cursor file asking for a cursor is a mistake of configuration, said before anything is lost."""
    store = InfluxStore(face.url, database=face.bucket, api="v2", org=face.org, token=face.token)
    asyncio.run(store.create())
    with pytest.raises(CanhManError, match="cursor file"):
        write(store, ONE, [EC], 1)
    asyncio.run(store.close())


def test_the_newest_of_many_points_is_asked_at_once(store: InfluxStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """In one statement for all of a measurement, or one for each point: the same times, none where nothing is from `since` on."""
    keys = [EC._replace(station=f"s{i}", quantity=quantity) for i in range(4) for quantity in ("water.ec", "device.battery")]
    write(store, Batch.of([0, 0, 1, 2, 4, 5], [T, T + 5, T + 1, T + 2, T - 7, T + 9], [1.0] * 6), keys)
    points = [(key, T + shift) for key in keys for shift in (-10, 0, 2)]
    one_by_one = newest_times(store._ask, points)
    monkeypatch.setattr(influx_newest, "MANY", 1)
    assert influx_newest.Newest()._newest(store._ask, points) == one_by_one
    assert one_by_one[:6] == [T + 5, T + 5, T + 5, T + 1, T + 1, None]


def test_what_was_heard_of_all_points_serves_those_met_later(store: InfluxStore, again: Again, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a start one question for many points; of those met later no old test bits show through, whether rows or flags stood there."""
    keys = [EC._replace(station=f"s{i}") for i in range(4)]
    write(store, Batch.of([0, 1, 2, 2], [T, T + 5, T + 5, T - 5], [1.0] * 4, tests=[8] * 4), keys)
    monkeypatch.setattr(influx_newest, "MANY", 1)
    asked: list[str] = []
    later = again()
    run = later._ask.run
    monkeypatch.setattr(later._ask, "run", lambda text, params=None: asked.append(text) or run(text, params))
    write(later, Batch.of([0], [T], [2.0]), keys)
    asyncio.run(later.write_flags(Batch.of([3], [T + 9], [0.0], tests=[8]), keys))
    write(later, Batch.of([1, 2, 3, 3], [T + 5, T + 5, T + 9, T + 10], [2.0] * 4), keys)
    assert len(asked) == 1
    write(later, Batch.of([2], [T - 5], [2.0]), keys)
    assert asyncio.run(later.read(keys, 0, FOREVER)).tests.tolist() == [0] * 6


def test_a_point_with_quantities_of_different_density(store: InfluxStore) -> None:
    """A limit is one of each series: rows of a neighbour of the point do not use it up."""
    keys = [EC, EC._replace(quantity="water.level"), EC._replace(quantity="water.temperature")]
    write(store, Batch.of([0] * 6 + [1], [*range(T, T + 6), T + 5], [float(i) for i in range(7)], tests=[0] * 5 + [1 << 61, 0]), keys)
    for limit in (None, 1, 3, 6, 7):
        batch = asyncio.run(store.read(keys, 0, FOREVER, limit=limit))
        times = [batch.time[batch.series == i].tolist() for i in range(3)]
        assert times == [list(range(T, T + 6))[:limit], [T + 5], []]
    assert batch.tests.tolist() == [0] * 5 + [1 << 61, 0]
