"""migrate, doctor, broker and publish: what they make, what they say, and that twice is once."""

from __future__ import annotations

import asyncio
import json
import os
import pwd
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from servers.front import Done, Front
from servers.ports import free_port

from adapters.sql.schema import head
from canhman import broker, checks, heartbeat, publishing
from canhman.judge_lock import JudgeLock
from canhman.settings import Settings
from core.clock import SimTime, SystemClock
from core.errors import ConfigError

pytestmark = pytest.mark.sockets


def findings(front: Front, **settings: str) -> tuple[int, dict[str, tuple[str, str]]]:
    """(exit code, {part: (mark, text)}) of `doctor`."""
    done = front("doctor", "--json", **({"BROKER": f"embedded://127.0.0.1:{free_port()}"} | settings))
    return done.code, {f["part"]: (f["mark"], f["text"]) for f in done.json}


# ---------------------------------------------------------------- migrate


def test_migrate(front: Front) -> None:
    """Makes an empty database, does nothing the second time, makes the store where asked."""
    assert f"database: empty → {head()}" in front.ok("migrate").out
    assert f"database: already at {head()}" in front.ok("migrate").out
    assert not (front.data / "series.db").exists()
    assert "store: sqlite is ready" in front.ok("migrate", "--create-store").out
    assert (front.data / "series.db").exists()
    front.ok("migrate", "--create-store")


def test_a_newer_database_is_refused_and_left_alone(front: Front) -> None:
    """Both versions are named."""
    front.ok("migrate")
    with closing(sqlite3.connect(front.data / "registry.db")) as db, db:
        db.execute("UPDATE alembic_version SET version_num = '0777'")
    for words in ("migrate", "orgs list", "stations list", "deadletters list", "judge --once --wait 0"):
        text = front(*words.split()).line
        assert "0777" in text
        assert head() in text
    code, found = findings(front)
    assert (code, found["database"][0]) == (1, "red")


# ---------------------------------------------------------------- doctor


def test_doctor_makes_nothing(front: Front) -> None:
    """A data folder that is not there, a mistyped one, is red and still not there."""
    code, found = findings(front)
    assert (code, found.keys(), found["data"][0]) == (1, {"data"}, "red")
    assert str(front.data) in found["data"][1]
    assert not front.data.exists()


def test_doctor_on_a_fresh_folder(front: Front) -> None:
    """Only that nobody takes what devices send is red, and says where the reason stands; words and JSON agree."""
    front.ok("migrate")
    code, found = findings(front)
    assert code == 1
    assert {part: mark for part, (mark, _) in found.items()} == {
        "config": "ok", "data": "ok", "database": "ok", "judge": "ok", "broker": "warn", "ingest": "red", "store": "ok", "models": "ok",
    }  # fmt: skip
    assert found["config"][1].count("chưa được duyệt") == 1
    assert "canhman ingest" in found["ingest"][1]
    assert "journalctl -u canhman " in found["ingest"][1]
    assert "version" not in found["database"][1]
    shown = front("doctor", BROKER=f"embedded://127.0.0.1:{free_port()}").out
    assert all(part in shown for part in found)


def test_doctor_names_a_simulated_clock_that_runs_where_it_was_not_asked_for(front: Front) -> None:
    """Ages told by the machine's clock are months off there; a simulation that was ended is no news."""
    front.ok("migrate")
    now = SystemClock().now_ms()
    front.database(lambda db: db.save_clock(SimTime(sim_ms=1_772_420_400_000, speed=1.0, anchor_ms=now + 60_000)))
    mark, text = findings(front)[1]["simulated clock"]
    assert mark == "warn"
    assert "2026-03-02 10:00" in text
    assert "export CANHMAN_CLOCK=sim" in text
    assert "simulated clock" not in findings(front, CLOCK="sim")[1]
    front.database(lambda db: db.save_clock(SimTime(sim_ms=1_772_420_400_000, speed=1.0, anchor_ms=now - 60_000)))
    assert "simulated clock" not in findings(front)[1]


def test_doctor_tells_of_the_rest_beside_a_simulated_clock_that_never_ran(front: Front) -> None:
    """It is named with the way out, and what the database holds is told all the same."""
    front.ok("migrate")
    assert findings(front)[1]["database"][0] == "ok"
    _, found = findings(front, CLOCK="sim")
    assert found["simulated clock"][0] == "red"
    assert "canhman simulate" in found["simulated clock"][1]
    assert found["database"][0] == "ok"
    assert found["judge"][0] == "ok"


def test_doctor_is_red_where_space_is_short(front: Front, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before the journal has to stop acknowledging."""
    front.ok("migrate")
    monkeypatch.setattr(checks, "LOW_SPACE", 1 << 62)
    code, found = findings(front)
    assert (code, found["data"][0]) == (1, "red")
    assert "MiB free" in found["data"][1]


def test_doctor_is_red_where_others_may_read_the_secret(front: Front) -> None:
    """And says how to mend it."""
    front.ok("migrate")
    front.ok("orgs", "join-key", "default")
    secret = front.data / "secret"
    secret.chmod(0o644)
    code, found = findings(front)
    assert code == 1
    done = front("doctor", "--json", BROKER=f"embedded://127.0.0.1:{free_port()}").json
    assert f"chmod 600 {secret}" in " ".join(f["text"] for f in done if f["mark"] == "red")
    secret.chmod(0o600)
    assert {part for part, (mark, _) in findings(front)[1].items() if mark == "red"} == {"ingest"}
    assert found["database"][0] == "ok"


def test_doctor_warns_where_others_may_read_the_password_hashes(front: Front) -> None:
    """registry.db of an older installation in a folder others may enter: a warning and the way out; the folder alone is enough of a door."""
    front.ok("migrate")
    path = front.data / "registry.db"
    path.chmod(0o644)
    assert findings(front)[1]["database"][0] == "ok"  # nobody gets into the folder
    front.data.chmod(0o755)
    done = front("doctor", "--json", BROKER=f"embedded://127.0.0.1:{free_port()}").json
    assert f"chmod 600 {path}" in " ".join(f["text"] for f in done if f["mark"] == "warn" and f["part"] == "database")
    path.chmod(0o600)
    done = front("doctor", "--json", BROKER=f"embedded://127.0.0.1:{free_port()}").json
    assert [f["mark"] for f in done if f["part"] == "database"] == ["ok"]


def test_doctor_is_red_where_the_store_is_away_or_something_else(front: Front, tmp_path: Path) -> None:
    """An InfluxDB nobody runs; a file that is no store."""
    front.ok("migrate")
    port = free_port()
    code, found = findings(front, STORE=f"influxdb://127.0.0.1:{port}/canhman")
    assert (code, found["store"][0]) == (1, "red")
    assert str(port) in found["store"][1]
    (tmp_path / "x").write_text("something else" * 100)
    assert findings(front, STORE=f"sqlite:///{tmp_path / 'x'}")[1]["store"][0] == "red"


def test_doctor_is_red_where_the_broker_is_away(front: Front) -> None:
    """It names the address."""
    front.ok("migrate")
    port = free_port()
    code, found = findings(front, BROKER=f"mqtt://canhman-ingest@127.0.0.1:{port}")
    assert (code, found["broker"][0]) == (1, "red")
    assert str(port) in found["broker"][1]


def test_doctor_tells_what_ingest_says_of_itself(front: Front) -> None:
    """Its troubles are red by part; a heartbeat that stopped is red where nobody else keeps what devices send, a warning where a broker does."""
    front.ok("migrate")
    heartbeat.write(front.data, "ingest", {"journal": "no space left", "store": "away"}, {"bytes_behind": 7})
    code, found = findings(front)
    assert code == 1
    assert found["ingest: journal"] == ("red", "no space left")
    assert found["ingest: store"] == ("red", "away")
    heartbeat.write(front.data, "ingest", {}, {"bytes_behind": 7})
    assert "7 bytes" in findings(front)[1]["ingest"][1]
    path = front.data / "ingest.heartbeat.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"at": 1.0, "born": "0"}))  # its process is gone
    assert findings(front)[1]["ingest"][0] == "red"
    assert findings(front, BROKER=f"mqtt://canhman-ingest@127.0.0.1:{free_port()}")[1]["ingest"][0] == "warn"
    path.write_text("{half")
    assert findings(front)[1]["ingest"][0] == "red"


@pytest.mark.parametrize("name", ["forecast", "alerts", "serve"])
def test_doctor_tells_what_the_other_services_say(front: Front, name: str) -> None:
    """Running, in trouble, gone quiet; one that never ran here is no finding."""
    front.ok("migrate")
    assert name not in findings(front)[1]
    heartbeat.write(front.data, name, {}, {"last_look_ms": 12})
    [found] = [f for f in front("doctor", "--json", BROKER=f"embedded://127.0.0.1:{free_port()}").json if f["part"] == name]
    assert found["text"].startswith({"forecast": "no forecast yet", "alerts": "0 open, 0 points watched", "serve": "pages and API at 127.0.0.1:8000"}[name])
    assert found["figures"] == {"last_look_ms": 12}
    heartbeat.write(front.data, name, {}, {}, {"address": "http://127.0.0.1:8137"})
    assert name != "serve" or "pages and API at http://127.0.0.1:8137 (" in findings(front)[1][name][1]
    heartbeat.write(front.data, name, {"store": "away"}, {})
    code, found = findings(front)
    assert (code, found[f"{name}: store"]) == (1, ("red", "away"))
    path = front.data / f"{name}.heartbeat.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"at": 1.0, "born": "0"}))  # its process is gone
    assert findings(front)[1][name][0] == "warn"


def test_one_judge_at_a_time(front: Front) -> None:
    """`judge` and `doctor --repair` beside another judge are one line each; without it they work."""
    front.ok("judge", "--once")
    lock = JudgeLock(front.data)
    assert lock.take()
    assert "another judge runs" in front("judge", "--once").line
    assert "stop it before a repair" in front("doctor", "--repair").line
    lock.release()
    assert "0 rows judged" in front.ok("judge", "--once").out
    assert "0 series" in front.ok("doctor", "--repair", BROKER=f"embedded://127.0.0.1:{free_port()}").out


# ---------------------------------------------------------------- broker


def sync(front: Front, folder: Path, *words: str, **settings: str) -> Done:
    """`broker sync` where ingest's session was made at a broker that is stopped now."""
    at = f"127.0.0.1:{free_port()}"
    (front.data / "broker.json").write_text(json.dumps({"folder": str(folder), "session": at}))
    return front("broker", "sync", "--folder", str(folder), *words, **({"BROKER": f"mqtt://canhman-ingest@{at}"} | settings))


def test_broker_files(front: Front, tmp_path: Path) -> None:
    """init: ingest alone; sync: everybody; again: the same bytes, and an init does not shut out who was let in."""
    folder = tmp_path / "broker"
    front.ok("devices", "add", "kl01")
    said = front.ok("broker", "init", "--folder", str(folder), "--port", "1884", "--host", "127.0.0.1")
    assert "Next: start Mosquitto" in said.err
    assert "listener 1884 127.0.0.1" in (folder / "mosquitto.conf").read_text()
    assert [line.split(":")[0] for line in (folder / "passwd").read_text().splitlines()] == ["canhman-ingest", broker.LOOK_USER]
    assert "kl01" not in (folder / "acl").read_text()
    assert "Have Mosquitto read them again" in sync(front, folder).err
    users = [line.split(":")[0] for line in (folder / "passwd").read_text().splitlines()]
    assert users == ["canhman-ingest", "org/default", "kl01", broker.LOOK_USER]
    before = {p.name: p.read_bytes() for p in folder.iterdir() if p.is_file()}
    assert sync(front, folder).code == 0
    front.ok("broker", "init", "--folder", str(folder), "--port", "1884", "--host", "127.0.0.1")
    assert {p.name: p.read_bytes() for p in folder.iterdir() if p.is_file()} == before
    assert {(folder / name).stat().st_mode & 0o777 for name in ("passwd", "acl")} == {0o640}
    assert (front.data / "broker-password").stat().st_mode & 0o777 == 0o600
    assert not [p for p in folder.iterdir() if p.name.endswith(".new")]


def test_a_second_init_keeps_the_configuration(front: Front, tmp_path: Path) -> None:
    """Port, TLS and lines written by hand stand; with an option it is written anew, and that is said."""
    folder = tmp_path / "broker"
    tls = ("--certfile", "/c.pem", "--keyfile", "/k.pem")
    said = front.ok("broker", "init", "--folder", str(folder), "--port", "8883", *tls)
    assert "anew" not in said.out
    assert "CANHMAN_BROKER=mqtts://" in said.err.replace("\n", " "), "what to set next speaks TLS as the broker does"
    conf = folder / "mosquitto.conf"
    conf.write_text(conf.read_text() + "log_type all\n")
    stood = conf.read_text()
    assert "certfile /c.pem" in stood
    said = front.ok("broker", "init", "--folder", str(folder)).out
    assert conf.read_text() == stood
    assert f"kept {conf} as it stands" in said
    assert f"written {conf}" not in said
    said = front.ok("broker", "init", "--folder", str(folder), "--port", "1883").out
    assert "listener 1883" in conf.read_text()
    assert f"written {conf} anew; what stood in it is gone (port 1883, every address, no TLS)" in said


def test_the_folder_is_remembered(front: Front, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without --folder init and sync take that of the last init; where there was none, `broker` here, named by its whole path."""
    monkeypatch.chdir(tmp_path)
    assert str(tmp_path / "broker") in front("broker", "sync").line
    front.ok("broker", "init", "--folder", str(tmp_path / "x"))
    front.ok("broker", "init", "--port", "1999")
    assert "1999" in (tmp_path / "x" / "mosquitto.conf").read_text()
    assert not (tmp_path / "broker").exists()
    assert str(tmp_path / "x") in front("broker", "sync").line


def test_where_mosquitto_cannot_enter(tmp_path: Path) -> None:
    """The first folder on the way without the bit that counts for this user."""
    folder = tmp_path / "a" / "b"
    folder.mkdir(parents=True)
    owner, stranger = (folder.stat().st_uid, {folder.stat().st_gid}), (54_321, {54_321})
    assert broker.barred(folder, uid=owner[0], gids=owner[1]) is None
    (tmp_path / "a").chmod(0o077)  # the owner's own bit counts, whatever others may
    assert broker.barred(folder, uid=owner[0], gids=owner[1]) == tmp_path / "a"
    (tmp_path / "a").chmod(0o700)
    assert broker.barred(folder, uid=owner[0], gids=owner[1]) is None
    barrier = broker.barred(folder, uid=stranger[0], gids=stranger[1])
    assert barrier in folder.parents  # pytest's own folder, or a
    assert broker.barred(Path("/"), uid=stranger[0], gids=stranger[1]) is None


@pytest.mark.skipif(os.geteuid() != 0, reason="only root's Mosquitto drops to another user")
def test_init_warns_where_mosquitto_cannot_enter(front: Front, tmp_path: Path) -> None:
    """One line that names the folder in the way and one that works."""
    try:
        pwd.getpwnam("mosquitto")
    except KeyError:
        pytest.skip("no user mosquitto here")
    (tmp_path / "shut").mkdir(mode=0o700)
    said = front.ok("broker", "init", "--folder", str(tmp_path / "shut")).err
    (line,) = [x for x in said.splitlines() if "cannot enter" in x]
    assert "/etc/mosquitto/canhman" in line


def test_broker_password_of_the_settings_goes_first(front: Front, tmp_path: Path) -> None:
    """Another password is another line, and none is written beside it."""
    folder = tmp_path / "broker"
    front.ok("broker", "init", "--folder", str(folder), BROKER_PASSWORD="given-by-hand")
    one = (folder / "passwd").read_text()
    front.ok("broker", "init", "--folder", str(folder), BROKER_PASSWORD="another")
    assert (folder / "passwd").read_text() != one
    assert not (front.data / "broker-password").exists()
    assert "given-by-hand" not in one


def test_broker_closed_has_no_join_users(front: Front, tmp_path: Path) -> None:
    """CANHMAN_ENROL=closed: registered devices alone."""
    folder = tmp_path / "broker"
    front.ok("devices", "add", "kl01")
    front.ok("broker", "init", "--folder", str(folder))
    assert sync(front, folder, ENROL="closed").code == 0
    assert "org/default" not in (folder / "passwd").read_text() + (folder / "acl").read_text()


@pytest.mark.parametrize(
    ("text", "says"), [("", "not a process id"), ("0", "not a process id"), ("-1", "not a process id"), ("abc", "abc"), ("99999999999", "process id")]
)
def test_broker_pid_file(front: Front, tmp_path: Path, text: str, says: str) -> None:
    """Only the id of one process is ever signalled."""
    front.ok("broker", "init", "--folder", str(tmp_path / "broker"))
    (tmp_path / "pid").write_text(text)
    done = sync(front, tmp_path / "broker", "--pid-file", str(tmp_path / "pid"))
    assert done.code == 1
    assert says in done.err
    assert done.err.count("\n") == 1


def test_broker_that_is_away(front: Front, tmp_path: Path) -> None:
    """The files are written, and one line says that the session is not made."""
    port = free_port()
    done = front("broker", "init", "--folder", str(tmp_path / "b"), BROKER=f"mqtt://canhman-ingest@127.0.0.1:{port}")
    assert done.code == 1
    (line,) = [x for x in done.err.splitlines() if "cannot enter" not in x]  # pytest's folder is shut to Mosquitto
    assert str(port) in line
    assert (tmp_path / "b" / "mosquitto.conf").exists()


def test_a_folder_that_cannot_be_written(front: Front) -> None:
    """One line that names it; in /proc not even root may make one."""
    assert "/proc" in front("broker", "init", "--folder", "/proc/nowhere").line


# ---------------------------------------------------------------- publish


@pytest.mark.parametrize(
    ("words", "body"),
    [
        (["water.ec=2.31", "water.temperature=28"], {"readings": {"water.ec": 2.31, "water.temperature": 28.0}}),
        (["d10/soil.moisture=0.31", "d30/soil.moisture=0.4"], {"channels": {"d10": {"soil.moisture": 0.31}, "d30": {"soil.moisture": 0.4}}}),
        (["main/water.ec=1", "in/water.ec=-2e-1"], {"readings": {"water.ec": 1.0}, "channels": {"in": {"water.ec": -0.2}}}),
    ],
)
def test_words_become_a_message(words: list[str], body: dict[str, object]) -> None:
    """With a time as it is given; without one as a device without a clock says it."""
    time = "2026-03-02T10:00:00+07:00"
    assert json.loads(publishing.message(words, time)) == {"time": time} | body
    clockless = json.loads(publishing.message(words, ""))
    assert clockless.pop("age_s") == 0
    assert {type(clockless.pop(k)) for k in ("boot", "seq")} == {int}
    assert clockless == body


def test_a_whole_message_is_sent_as_it_is() -> None:
    """Bytes that are no JSON too: it is for trying what ingest does with them."""
    for text in ('{"readings": {"water.ec": NaN}}', "[1, 2", '{"a"'):
        assert publishing.message([text], "") == text.encode()


@pytest.mark.parametrize("word", ["water.ec", "=2", "/water.ec=2", "d10/=2", "water.ec=", "water.ec=x", "water.ec=inf", "water.ec=2,5", "water.ec 2"])
def test_bad_words_are_named(word: str) -> None:
    """With an example of a good one."""
    with pytest.raises(ConfigError, match=r"water\.ec=2\.31"):
        publishing.message([word], "")


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("kl01", "nope=1"), "no quantity is called 'nope'"),
        (("kl01", "water.salinty=1"), "water.salinity"),
        (("bad id!", "water.ec=1"), "'bad id!'"),
        (("org:default", "water.ec=1"), "org:"),
        (("kl01", "D 10/water.ec=1"), "'D 10'"),
        (("kl01", "water.ec=abc"), "water.ec=2.31"),
        (("kl01", "water.ec=1", "--time", "tomorrow"), "--time 'tomorrow'"),
        (("kl01", "water.ec=1", "--org", "a/b"), "'a/b'"),
    ],
)
def test_what_would_be_a_dead_letter_is_not_published(front: Front, words: tuple[str, ...], says: str) -> None:
    """Used wrongly: exit code 2, one line, nothing sent and nothing made."""
    assert says in front("publish", *words).usage
    assert not front.data.exists()


def test_what_waits_for_approval_is_said(front: Front) -> None:
    """Acknowledged is not stored: a device nobody registered is named with the way out, where it is this registry that approves it."""
    front.ok("devices", "add", "kl01", "--station", "a", "--name", "A")
    here = Settings(data=front.data, broker="embedded://127.0.0.1:1883")
    assert asyncio.run(publishing.waits(here, ["kl01"])) == ""
    said = asyncio.run(publishing.waits(here, ["kl02", "kl01", "Kratie"]))
    assert "nobody registered Kratie, kl02" in said
    assert "canhman devices approve Kratie" in said
    elsewhere = Settings(data=front.data, broker="mqtt://kl02@broker")
    assert asyncio.run(publishing.waits(elsewhere, ["kl02"])) == ""
    assert asyncio.run(publishing.waits(here.model_copy(update={"enrol": "open"}), ["kl02"])) == ""


def test_publish_to_nobody(front: Front) -> None:
    """Exit code 1 and one line with the address."""
    front.ok("migrate")
    port = free_port()
    assert str(port) in front("publish", "kl01", "water.ec=2", "--wait", "0", BROKER=f"embedded://127.0.0.1:{port}").line


# ---------------------------------------------------------------- replay and simulate


@pytest.mark.parametrize(("speed", "says"), [("0", "over 0"), ("-1", "over 0"), ("fast", "max"), ("nan", "max")])
def test_replay_speed(front: Front, tmp_path: Path, speed: str, says: str) -> None:
    """`max`, or a number over 0."""
    file = tmp_path / "x.csv"
    file.write_text("station,time_utc,salinity_g_L\na,2022-03-01T00:00:00Z,1\n")
    assert says in front("replay", str(file), f"--speed={speed}", "--wait", "0").usage


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "column"),
        ("a,b\n1,2\n", "station"),
        ("station,time_local\nx,2022-03-01 05:00\n", "salinity_g_L"),
        ("station,time_utc,salt_g_L\nx,1,2\n", "salinity_g_L"),
    ],
)
def test_replay_of_a_file_without_its_columns(front: Front, tmp_path: Path, text: str, says: str) -> None:
    """It says what it looked for."""
    file = tmp_path / "x.csv"
    file.write_text(text)
    assert says in front("replay", str(file), "--wait", "0").line


def test_replay_zone(front: Front, tmp_path: Path) -> None:
    """An unknown zone is named."""
    file = tmp_path / "x.csv"
    file.write_text("station,time_local,salinity_g_L\na,2022-03-01 00:00,1\n")
    assert "Asia/Saigong" in front("replay", str(file), "--timezone", "Asia/Saigong", "--wait", "0").line


def test_simulate_needs_a_clock_of_its_own(front: Front, tmp_path: Path) -> None:
    """A broken network file, and nobody to send to: one line each."""
    (tmp_path / "network.toml").write_text("seed = 'x'")
    assert "network.toml" in front("simulate", "--days", "0.01", "--wait", "0", CONFIG=str(tmp_path)).line
    port = free_port()
    assert str(port) in front("simulate", "--days", "0.01", "--wait", "0", BROKER=f"embedded://127.0.0.1:{port}").line
