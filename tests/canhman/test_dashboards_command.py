"""`canhman dashboards` as people use it: files that stay as they are, a check that says what is missing, a push that repeats nothing."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from servers.front import Front
from servers.grafana import FakeGrafana
from servers.influxd import InfluxD
from servers.ports import free_port

from canhman import boards
from canhman.boards import ahead_ms, asked, choices, count_points, interval_ms
from core.errors import NotFoundError, RefusedError
from dashboards.build import boards as all_boards

INFLUX1 = {"STORE": "influxdb://127.0.0.1:8086/canhman", "STORE_TOKEN": "writer:s3cret-password"}
INFLUX2 = {"STORE": "influxdb://db.example.vn:8087/canhman?api=v2&org=vithanh&tls=1", "STORE_TOKEN": "s3cret-token"}
TOKEN = "glsa_secret-token"


def parsed(path: Path) -> Any:
    """JSON under a line of comment."""
    return json.loads(path.read_text("utf-8").partition("\n")[2])


# ---------------------------------------------------------------- build


@pytest.mark.parametrize(("settings", "url"), [(INFLUX1, "http://127.0.0.1:8086"), (INFLUX2, "https://db.example.vn:8087")], ids=["v1", "v2"])
def test_the_files_are_written_once(front: Front, tmp_path: Path, settings: dict[str, str], url: str) -> None:
    """A datasource, a provider and every board; the second time nothing is touched; no secret is in any of them."""
    folder = tmp_path / "out"
    made = front.ok("dashboards", "build", "--folder", str(folder), "--json", **settings).json
    names = {"provisioning/datasources/canhman.yaml", "provisioning/dashboards/canhman.yaml"} | {f"dashboards/{uid}.json" for uid in all_boards()}
    assert {f["name"] for f in made["files"] if f["written"]} == names
    assert {str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file()} == names
    assert parsed(folder / "provisioning/datasources/canhman.yaml")["datasources"][0]["url"] == url
    assert parsed(folder / "provisioning/dashboards/canhman.yaml")["providers"][0]["options"]["path"] == f"{folder}/dashboards"
    assert not any("s3cret" in p.read_text("utf-8") for p in folder.rglob("*") if p.is_file())
    before = {p: p.stat().st_mtime_ns for p in folder.rglob("*")}
    again = front.ok("dashboards", "build", "--folder", str(folder), **settings)
    assert again.out.count("unchanged") == len(names)
    assert {p: p.stat().st_mtime_ns for p in folder.rglob("*")} == before
    one = folder / f"dashboards/{next(iter(all_boards()))}.json"
    one.write_text("{}")
    assert front.ok("dashboards", "build", "--folder", str(folder), **settings).out.count("written   ") == 1
    assert json.loads(one.read_text("utf-8"))["panels"]


def test_boards_that_no_longer_exist(front: Front, tmp_path: Path) -> None:
    """Their files are named; --prune removes them, and nothing that somebody else put there."""
    folder = tmp_path / "out"
    front.ok("dashboards", "build", "--folder", str(folder), **INFLUX1)
    old, others = (
        folder / "dashboards/canhman-old.json",
        {"mine.json": '{"uid": "mine"}', "canhman-copy.json": '{"uid": "x1"}', "canhman-b.json": "[", "canhman-c.json": "[]"},
    )
    old.write_text('{"uid": "canhman-old"}')
    for name, text in others.items():
        (folder / "dashboards" / name).write_text(text)
    done = front.ok("dashboards", "build", "--folder", str(folder), **INFLUX1)
    assert f"left over {old}" in done.out
    assert done.out.count("left over") == 1
    assert "--prune" in done.err
    told = front.ok("dashboards", "build", "--folder", str(folder), "--prune", "--json", **INFLUX1).json
    assert (told["left_over"], told["removed"]) == (["dashboards/canhman-old.json"], True)
    assert {p.name for p in (folder / "dashboards").iterdir()} == others.keys() | {f"{uid}.json" for uid in all_boards()}
    assert "left over" not in front.ok("dashboards", "build", "--folder", str(folder), **INFLUX1).out


def test_two_languages_are_two_builds(front: Front, tmp_path: Path) -> None:
    """The same boards with other words, under the same uids."""
    built = {}
    for lang in ("vi", "en"):
        front.ok("dashboards", "build", "--folder", str(tmp_path / lang), "--lang", lang, **INFLUX1)
        built[lang] = {p.name: json.loads(p.read_text("utf-8")) for p in (tmp_path / lang / "dashboards").iterdir()}
    assert built["vi"].keys() == built["en"].keys()
    assert built["vi"]["canhman-tong-quan.json"]["title"] != built["en"]["canhman-tong-quan.json"]["title"]
    assert "fr" in front("dashboards", "build", "--lang", "fr").usage


def test_grafana_sees_another_address_and_another_folder(front: Front, tmp_path: Path) -> None:
    """In a container: --store-url and --seen-as; a user of its own that only reads."""
    words = ("dashboards", "build", "--folder", str(tmp_path / "out"), "--store-url", "http://influxdb:8086/", "--seen-as", "/etc/canhman")
    front.ok(*words, GRAFANA_STORE_TOKEN="reader:other", **INFLUX1)
    source = parsed(tmp_path / "out/provisioning/datasources/canhman.yaml")["datasources"][0]
    assert (source["url"], source["user"]) == ("http://influxdb:8086", "reader")
    assert parsed(tmp_path / "out/provisioning/dashboards/canhman.yaml")["providers"][0]["options"]["path"] == "/etc/canhman/dashboards"
    assert "--store-url" in front("dashboards", "build", "--store-url", "influxdb:8086", **INFLUX1).line


def test_sqlite_has_boards_and_no_datasource(front: Front, tmp_path: Path) -> None:
    """What Grafana cannot read is said, and the boards are built all the same."""
    done = front.ok("dashboards", "build", "--folder", str(tmp_path / "out"))
    assert "SQLite" in done.err
    assert not (tmp_path / "out/provisioning/datasources").exists()
    assert (tmp_path / "out/dashboards").is_dir()


@pytest.mark.parametrize("place", ["file", "file/below", "x" * 300])
def test_a_place_that_is_no_folder(front: Front, tmp_path: Path, place: str) -> None:
    """One line that names it; the file stays."""
    (tmp_path / "file").write_text("mine")
    assert f"--folder {str(tmp_path / place)!r} is no folder and cannot be made" in front("dashboards", "build", "--folder", str(tmp_path / place)).line
    assert (tmp_path / "file").read_text() == "mine"


@pytest.mark.parametrize(("settings", "name"), [({"STORE_TOKEN": "no-colon"}, "CANHMAN_STORE_TOKEN"), (INFLUX2 | {"STORE_TOKEN": ""}, "api=v2")])
def test_a_secret_of_the_wrong_kind(front: Front, tmp_path: Path, settings: dict[str, str], name: str) -> None:
    """user:password for 1.x, a token for 2.x; it is not repeated."""
    line = front("dashboards", "build", "--folder", str(tmp_path / "out"), **INFLUX1 | settings).line
    assert name in line
    assert "no-colon" not in line


# ---------------------------------------------------------------- push


@pytest.fixture
def grafana() -> Iterator[FakeGrafana]:
    """An empty Grafana 9.4."""
    server = FakeGrafana(token=TOKEN).start()
    yield server
    server.stop()


@pytest.mark.sockets
def test_a_push_and_a_second_one(front: Front, grafana: FakeGrafana) -> None:
    """All is created; then nothing is written, and that is said; no secret is printed."""
    settings = {"GRAFANA": grafana.url, "GRAFANA_TOKEN": TOKEN} | INFLUX1
    first = front.ok("dashboards", "push", **settings)
    assert first.out.count("created") == 2 + len(all_boards())
    assert grafana.datasources["canhman"]["secureJsonData"] == {"password": "s3cret-password"}
    written = list(grafana.writes)
    second = front.ok("dashboards", "push", **settings)
    assert "Nothing changed." in second.out
    assert grafana.writes == written
    steps = front.ok("dashboards", "push", "--json", **settings).json["steps"]
    assert {s["done"] for s in steps} == {"unchanged"}
    for done in (first, second):
        assert TOKEN not in done.out + done.err
        assert "s3cret" not in done.out + done.err


@pytest.mark.sockets
def test_a_board_changed_by_hand(front: Front, grafana: FakeGrafana) -> None:
    """Exit code 1 and one line; --overwrite puts ours back."""
    settings = {"GRAFANA": grafana.url, "GRAFANA_TOKEN": TOKEN} | INFLUX1
    front.ok("dashboards", "push", **settings)
    grafana.edit("canhman-tong-quan", refresh="1h")
    done = front("dashboards", "push", **settings)
    assert done.code == 1
    assert done.err.count("\n") == 1
    assert "--overwrite" in done.err
    assert "updated   board" in front.ok("dashboards", "push", "--overwrite", **settings).out


@pytest.mark.sockets
def test_what_keeps_a_push_from_working(front: Front, grafana: FakeGrafana) -> None:
    """No address, no token, a wrong one, SQLite, nobody there: one line each that names what to set."""
    settings = {"GRAFANA": grafana.url, "GRAFANA_TOKEN": TOKEN} | INFLUX1
    assert "CANHMAN_GRAFANA is not set" in front("dashboards", "push", **settings | {"GRAFANA": ""}).line
    assert "CANHMAN_GRAFANA_TOKEN is not set" in front("dashboards", "push", **settings | {"GRAFANA_TOKEN": ""}).line
    assert "SQLite" in front("dashboards", "push", **settings | {"STORE": "", "STORE_TOKEN": ""}).line
    wrong = front("dashboards", "push", **settings | {"GRAFANA_TOKEN": "glsa_wrong"}).line
    assert "CANHMAN_GRAFANA_TOKEN" in wrong
    assert "glsa_wrong" not in wrong
    assert grafana.writes == []
    away = front("dashboards", "push", "--wait", "0", **settings | {"GRAFANA": f"http://127.0.0.1:{free_port()}"}).line
    assert "Connection refused" in away


@pytest.mark.sockets
def test_a_grafana_that_comes_back_is_waited_for(front: Front, grafana: FakeGrafana) -> None:
    """--wait: said once, then done."""
    grafana.fail("GET /api/health", "503", "503")
    done = front.ok("dashboards", "push", "--wait", "30", **{"GRAFANA": grafana.url, "GRAFANA_TOKEN": TOKEN} | INFLUX1)
    assert done.err.count("waiting up to 30 s") == 1


@pytest.mark.sockets
def test_a_grafana_elsewhere_and_a_store_at_home(front: Front, grafana: FakeGrafana, monkeypatch: pytest.MonkeyPatch) -> None:
    """127.0.0.1 means Grafana's own machine to it: that is said where Grafana is not here."""
    monkeypatch.setattr(boards, "_LOOPBACK", ("127.0.0.1",))
    settings = {"GRAFANA": grafana.url.replace("127.0.0.1", "localhost"), "GRAFANA_TOKEN": TOKEN} | INFLUX1
    assert "--store-url" in front.ok("dashboards", "push", **settings).err
    assert "--store-url" not in front.ok("dashboards", "push", "--store-url", "http://db:8086", **settings).err


@pytest.mark.parametrize("text", ["grafana:3000", "ftp://grafana", "https://user:s3cret@grafana", "https://grafana/?orgId=2", "http://"])
def test_an_address_that_is_none(front: Front, text: str) -> None:
    """Told when settings are read, without a password in it."""
    line = front("dashboards", "push", GRAFANA=text).line
    assert "CANHMAN_GRAFANA" in line
    assert "s3cret" not in line


# ---------------------------------------------------------------- check


def test_sqlite_is_checked_by_the_rules_only(front: Front) -> None:
    """It says so, and the boards we ship have no fault."""
    done = front.ok("dashboards", "check")
    assert "checked by their rules only" in done.err
    assert f"{len(all_boards())} boards, 0 faults by the rules" in done.out
    told = front.ok("dashboards", "check", "--json", "--lang", "en").json
    assert (told["store"], told["queries"], told["faults"]) == (False, [], [])


def test_a_fault_of_the_rules_is_an_exit_code(front: Front, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a rule finds is printed with the board's uid."""
    monkeypatch.setattr(boards, "faults", lambda document: ["timezone 'UTC': boards show local time"])
    done = front("dashboards", "check")
    assert done.code == 1
    assert "canhman-tong-quan: timezone 'UTC'" in done.out


@pytest.mark.servers
def test_an_empty_store_is_told_in_words(front: Front, tmp_path: Path) -> None:
    """No reading yet: which measurement has no row and what writes it; a store without the database is one line."""
    server = InfluxD(tmp_path / "influx").start()
    try:
        store = f"influxdb://127.0.0.1:{server.port}/canhman"
        assert "migrate --create-store" in front("dashboards", "check", STORE=store).line
        server.query("CREATE DATABASE canhman")
        done = front("dashboards", "check", STORE=store)
        assert done.code == 1
        assert "no rows of `station`: does canhman alerts run?" in done.out
        assert "no rows of `water`: does canhman ingest run, and do devices send?" in done.out
        told = front("dashboards", "check", "--json", STORE=store)
        assert told.code == 1
        assert all(q["points"] == 0 for q in told.json["queries"])
    finally:
        server.stop()


@dataclass(frozen=True, kw_only=True)
class Answer:
    """A series as a store gives it."""

    columns: Sequence[str]
    rows: Sequence[Sequence[Any]]


def test_the_values_of_a_variable() -> None:
    """As Grafana reads them: the second column where there are two, through the regex, `value` for use and `text` for the order."""
    tags = Answer(columns=["key", "value"], rows=[["station", "b"], ["station", "a"], ["station", "b"]])
    assert choices([tags]) == ["a", "b"]
    labels = Answer(columns=["time", "label"], rows=[[0, "Xẻo Rô (a)"], [0, "Cái Tư (b)"], [0, "no id"], [0, "Kênh (2) (c-1)"]])
    assert choices([labels], r"/^(?<text>.*) \((?<value>[a-z0-9-]+)\)$/") == ["b", "c-1", "a"]
    assert choices([labels], "/no .*/") == ["no id"]
    assert choices([Answer(columns=["name"], rows=[["one"]])]) == ["one"]


def test_points_are_counted_without_their_times() -> None:
    """A row of nothing but null is no point (an empty interval of a line)."""
    assert count_points([Answer(columns=["time", "a", "b"], rows=[[1, None, None], [2, None, 0], [3, "x", None]])]) == 2
    assert count_points([Answer(columns=["key", "value"], rows=[["station", "a"]])]) == 1
    assert count_points([]) == 0


def test_the_time_a_board_shows() -> None:
    """How far it looks ahead, and how wide the steps of its lines are."""
    assert [ahead_ms(to) for to in ("now", "now+3d", "now-1h", "now/d")] == [0, 3 * 86_400_000, -3_600_000, 0]
    assert interval_ms(3_600_000) == 60_000
    assert interval_ms(33 * 86_400_000) == 40 * 60_000


BOARD: dict[str, Any] = {
    "uid": "b",
    "time": {"from": "now-7d", "to": "now"},
    "templating": {"list": []},
    "panels": [{"id": 1, "title": "P", "targets": [{"refId": "A", "query": 'SELECT "v" FROM "w" WHERE $timeFilter'}]}],
}


@pytest.mark.parametrize(
    ("answers", "slow_ms", "fault"),
    [
        ({}, 1e6, ""),
        ({"v": []}, 1e6, "no points in this time"),
        ({"v": [], "*": []}, 1e6, "no rows of `w`: does canhman ingest run"),
        ({"v": RefusedError("error parsing query")}, 1e6, "error parsing query"),
        ({}, 0.0, "slower than 0 ms"),
    ],
    ids=["sound", "nothing in this time", "no measurement", "an error", "slow"],
)
def test_what_is_a_fault_of_a_query(answers: dict[str, Any], slow_ms: float, fault: str) -> None:
    """No points where some are expected, an error, and a slow answer; the first is told in words. A board without stations is looked at all the same."""
    some = [Answer(columns=["time", "v"], rows=[[1, 2.0]])]

    async def ask(query: str) -> list[Answer]:
        found = answers.get("*" if query.startswith("SELECT *") else "v", some)
        if isinstance(found, Exception):
            raise found
        return list(found)

    looked = asyncio.run(asked(BOARD, ask, now=1_772_420_400_000, days=30, slow_ms=slow_ms))
    (one,) = looked.queries
    assert looked.station == ""
    assert one.fault.startswith(fault)
    assert bool(one.fault) == bool(fault)


def variable(name: str, query: str, **more: Any) -> dict[str, Any]:
    """A choice at the head of a board."""
    return {"name": name, "type": "query", "query": query, "regex": "", "current": {}} | more


@pytest.mark.parametrize(
    ("speaking", "station", "looked_at"),
    [(["kl-02", "zz-9"], "", "kl-02"), ([], "", "a-plan"), (["kl-02"], "zz-9", "zz-9")],
    ids=["the first with a newest value", "none has one", "the one that is named"],
)
def test_the_station_a_board_is_looked_at_with(speaking: list[str], station: str, looked_at: str) -> None:
    """Planned stations without a sensor stand first in the list and would find nothing; its choice is told."""
    board = BOARD | {"templating": {"list": [variable("station", 'SELECT "label" FROM "station"')]}}
    board["panels"] = [{"id": 1, "title": "P", "targets": [{"refId": "A", "query": 'SELECT "v" FROM "water" WHERE "station" =~ /^${station:regex}$/'}]}]
    sent: list[str] = []

    async def ask(query: str) -> list[Answer]:
        sent.append(query)
        if 'FROM "latest"' in query:
            return [Answer(columns=["time", "station", "seen"], rows=[[1, one, 2] for one in speaking])]
        if '"label"' in query:
            return [Answer(columns=["time", "label"], rows=[[1, one] for one in ("b-plan", "zz-9", "kl-02", "a-plan")])]
        return [Answer(columns=["time", "v"], rows=[[1, 2.0]])]

    looked = asyncio.run(asked(board, ask, now=1_772_420_400_000, days=30, station=station))
    assert looked.station == looked_at
    assert f'SELECT "v" FROM "water" WHERE "station" =~ /^{looked_at}$/' in sent
    with pytest.raises(NotFoundError, match=r"--station 'nowhere': .*a-plan"):
        asyncio.run(asked(board, ask, now=1_772_420_400_000, days=30, station="nowhere"))


@pytest.mark.parametrize(
    ("measurement", "running", "hint"),
    [
        ("forecast", (), "does canhman forecast run?"),
        ("forecast", ("ingest", "alerts"), "does canhman forecast run?"),
        ("forecast", ("forecast",), "not enough readings yet: forecasts need three days"),
        ("latest", ("alerts",), "no point has a judged salinity yet"),
        ("station", (), "does canhman alerts run?"),
        ("water", ("ingest",), "do devices send?"),
        ("water", (), "does canhman ingest run, and do devices send?"),
    ],
)
def test_a_service_that_runs_is_not_asked_after(measurement: str, running: tuple[str, ...], hint: str) -> None:
    """Why a measurement has no row, by what the heartbeats say."""
    board = BOARD | {"panels": [{"id": 1, "title": "P", "targets": [{"refId": "A", "query": f'SELECT "v" FROM "{measurement}"'}]}]}

    async def ask(query: str) -> list[Answer]:
        return []

    (one,) = asyncio.run(asked(board, ask, now=1_772_420_400_000, days=30, running=running)).queries
    assert one.fault == f"no rows of `{measurement}`: {hint}"


def test_a_query_that_may_be_empty_says_why_it_is() -> None:
    """On the board we ship, before anything was measured: no fault, and what is missing as a note."""

    async def ask(query: str) -> list[Answer]:
        return []

    (document,) = boards.documents("vi").values()
    looked = asyncio.run(asked(document, ask, now=1_772_420_400_000, days=30, running=("forecast",)))
    notes = {one.note for one in looked.queries if not one.fault}
    assert "no rows of `forecast`: not enough readings yet: forecasts need three days" in notes
    assert "" not in notes
