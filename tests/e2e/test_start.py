"""At start whatever is missing or wrong is one readable line and exit code 1; while running nothing exits, a full disk least of all."""

from __future__ import annotations

import contextlib
import resource
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from servers.influxd import InfluxD
from servers.installation import Installation, ListenerSqlite, MosquittoInflux
from servers.mosquitto import Mosquitto
from servers.ports import free_port
from servers.waiting import until

from adapters.sql.schema import head

pytestmark = pytest.mark.servers

MIB = 1 << 20


def refusal(rig: Installation, *words: str, **settings: str) -> str:
    """The one line of a command that may not start (ingest unless told otherwise)."""
    env = {f"CANHMAN_{name}": value for name, value in settings.items()}
    done = rig.run(*(words or ("ingest", "--wait", "0")), env=env, check=False, timeout=60)
    assert done.returncode == 1, done
    assert done.stdout == ""
    lines = done.stderr.splitlines()
    assert len(lines) == 1, done.stderr
    assert lines[0].startswith("canhman: ")
    return lines[0]


# ---------------------------------------------------------------- our own files (most of them: tests/canhman/test_refusals.py)


def test_a_setting_and_a_port(listener_sqlite: ListenerSqlite) -> None:
    """As a process: one line on standard error; and none of it leaves anything behind that stops the right settings."""
    rig = listener_sqlite
    assert "did you mean CANHMAN_STORE?" in refusal(rig, STROE="sqlite:///x.db")
    port = int(rig.env["CANHMAN_BROKER"].rpartition(":")[2])
    with socket.create_server(("127.0.0.1", port)):
        assert f"cannot listen on 127.0.0.1:{port}: another program has that port" in refusal(rig)
    rig.start()
    rig.stop()


def test_files_of_another_version(listener_sqlite: ListenerSqlite) -> None:
    """Database, store and journal each name what was found and what is expected."""
    rig = listener_sqlite
    rig.start()
    rig.publish("kl01", '{"time":"2026-03-02T03:00:00Z","readings":{"water.ec":2.0}}')
    rig.settle()
    rig.stop()

    def edit(name: str, sql: str) -> None:
        with closing(sqlite3.connect(rig.data / name)) as db, db:
            db.execute(sql)

    edit("registry.db", "UPDATE alembic_version SET version_num = '9999'")
    for words in ((), ("migrate",), ("devices", "list"), ("judge", "--once", "--wait", "0")):
        text = refusal(rig, *words)
        assert "9999" in text
        assert "install the newer program" in text
    edit("registry.db", f"UPDATE alembic_version SET version_num = '{head()}'")
    edit("series.db", "PRAGMA user_version = 99")
    assert "99" in refusal(rig)
    edit("series.db", "PRAGMA user_version = 1")
    (segment,) = rig.data.glob("journal/*.cmj")
    whole = segment.read_bytes()
    segment.write_bytes(b"XXXXXXXX" + whole[8:])
    assert segment.name in refusal(rig)
    segment.write_bytes(whole)
    rig.start()
    assert len([r for r in rig.rows() if r.quantity == "water.ec"]) == 1
    rig.stop()


def test_two_on_one_folder(listener_sqlite: ListenerSqlite) -> None:
    """A second ingest, a judge and a repair beside a running ingest are refused in one line; the first goes on."""
    rig = listener_sqlite
    rig.start()
    rig.publish("kl01", '{"time":"2026-03-02T03:00:00Z","readings":{"water.ec":2.0}}')
    rig.settle()
    assert "in use by another process" in refusal(rig, BROKER=f"embedded://127.0.0.1:{free_port()}")
    done = rig.run("judge", "--once", check=False)
    assert (done.returncode, len(done.stderr.splitlines())) == (1, 1), done.stderr
    assert "another judge runs" in done.stderr
    assert "stop it before a repair" in refusal(rig, "doctor", "--repair")
    assert rig.runs


# ---------------------------------------------------------------- servers


def test_servers_that_are_missing_or_refuse_us(mosquitto_influx: MosquittoInflux) -> None:
    """Broker and store, away and with a wrong password; the missing database names the command that makes it."""
    rig = mosquitto_influx
    nobody = free_port()
    assert f"127.0.0.1:{nobody}" in refusal(rig, BROKER=f"mqtt://canhman-ingest@127.0.0.1:{nobody}")
    assert str(nobody) in refusal(rig, STORE=f"influxdb://127.0.0.1:{nobody}/canhman")
    assert "canhman migrate --create-store" in refusal(rig, STORE=f"influxdb://127.0.0.1:{rig.influx.port}/another")
    text = refusal(rig, BROKER_PASSWORD="wrong-hunter2")
    assert "refuses user 'canhman-ingest'" in text
    assert "hunter2" not in text
    assert "refuses" in refusal(rig, BROKER=f"mqtt://127.0.0.1:{rig.login.port}")
    made = rig.run("migrate", "--create-store", "--wait", "0", env={"CANHMAN_STORE": f"influxdb://127.0.0.1:{nobody}/canhman"}, check=False)
    assert (made.returncode, len(made.stderr.splitlines())) == (1, 1)
    assert str(nobody) in made.stderr
    rig.start()
    rig.stop()


def test_an_influxdb_with_passwords(mosquitto_influx: MosquittoInflux, tmp_path: Path) -> None:
    """No token, a wrong one: one line, without it; the right one goes on."""
    influx = InfluxD(tmp_path / "guarded", admin=("admin", "right-password"))
    try:
        influx.start()
        influx.query("CREATE DATABASE canhman")
        store = f"influxdb://127.0.0.1:{influx.port}/canhman"
        assert "CANHMAN_STORE_TOKEN" in refusal(mosquitto_influx, STORE=store)
        text = refusal(mosquitto_influx, STORE=store, STORE_TOKEN="admin:hunter2")
        assert "hunter2" not in text
        assert "CANHMAN_STORE_TOKEN" in text
        mosquitto_influx.env |= {"CANHMAN_STORE": store, "CANHMAN_STORE_TOKEN": "admin:right-password"}
        mosquitto_influx.start()
        mosquitto_influx.stop()
    finally:
        influx.kill()


def test_a_missing_server_is_waited_for(tmp_path: Path, bytecode: Path) -> None:
    """Ingest started before its broker: said once, and it goes on when the broker comes."""
    broker = Mosquitto(tmp_path / "broker")
    rig = Late(tmp_path / "late", bytecode, CANHMAN_BROKER=f"mqtt://canhman-ingest@127.0.0.1:{broker.port}")
    with (tmp_path / "out").open("wb") as out:
        process = subprocess.Popen([sys.executable, "-m", "canhman", "ingest", "--wait", "60"], env=rig.env, stdout=out, stderr=out)
    try:
        said: Callable[[], str] = lambda: (tmp_path / "out").read_text()  # noqa: E731 asked again and again
        until(lambda: "waiting up to 60 s" in said(), 60, said)
        broker.start()
        until(lambda: "subscribed at" in said(), 60, said)
        assert said().count("waiting up to") == 1
        process.terminate()
        assert process.wait(30) == 0
    finally:
        process.kill()
        process.wait()
        broker.kill()


class Late(Installation):
    """Only settings and a folder."""


# ---------------------------------------------------------------- while running


def reading(minute: int) -> str:
    """One level a minute."""
    return f'{{"time":"2026-03-02T03:{minute:02d}:00Z","readings":{{"water.level":{minute / 100}}}}}'


def test_a_full_disk_stops_the_acknowledgements_and_nothing_else(rig: Installation) -> None:
    """No PUBACK while the journal cannot grow, log and doctor name it; with room again the same client's messages are stored."""
    rig.start()
    # the limit is one on the size of every file: the journal must be the largest, so that it alone meets it
    rig.publish("filler", *["x" * 200_000] * 40)
    rig.settle()
    with rig.connected("kl01") as client:
        topic = "canhman/default/kl01/telemetry"
        before = client.publish(topic, reading(0), qos=1)
        before.wait_for_publish(30)
        until(lambda: [r for r in rig.rows() if r.quantity == "water.level"], 30, "the first reading is stored")
        _, hard = resource.prlimit(rig.pid, resource.RLIMIT_FSIZE)
        resource.prlimit(rig.pid, resource.RLIMIT_FSIZE, (rig.journal_bytes, hard))
        waiting = [client.publish(topic, reading(n), qos=1) for n in range(1, 30)]
        until(lambda: "journal is in trouble" in rig.log, 30, "the log says so")
        code, findings = until_red(rig)
        assert code == 1
        (red,) = [f for f in findings if f["mark"] == "red"]
        assert red["part"] == "ingest: journal"
        assert "nothing is acknowledged until there is room" in red["text"]
        if isinstance(rig, ListenerSqlite):
            assert not any(info.is_published() for info in waiting)
        else:
            assert before.is_published()  # here the broker acknowledges, and keeps what ingest does not take
        assert rig.runs
        assert [r.value for r in rig.rows() if r.quantity == "water.level"] == [0.0]
        assert rig.log.count("journal is in trouble") == 1  # said once, not each second
        resource.prlimit(rig.pid, resource.RLIMIT_FSIZE, (hard, hard))
        for info in waiting:
            info.wait_for_publish(60)
            assert info.is_published()
    until(lambda: "journal works again" in rig.log, 30, "the log says so")
    rig.settle()
    assert sorted(r.value for r in rig.rows() if r.quantity == "water.level") == [n / 100 for n in range(30)]
    until(lambda: rig.doctor()[0] == 0, 30, lambda: f"doctor is green again: {rig.doctor()}", every=0.5)


def until_red(rig: Installation) -> tuple[int, list[dict[str, str]]]:
    """Doctor's answer once ingest's heartbeat (every two seconds) has told it."""
    found: list[tuple[int, list[dict[str, str]]]] = []

    def red() -> bool:
        found.append(rig.doctor())
        return found[-1][0] != 0

    until(red, 30, "doctor is red", every=0.2)
    return found[-1]


def can_mount(folder: Path, size: int) -> bool:
    """A tmpfs of `size` bytes there; false where we may not."""
    folder.mkdir(parents=True)
    return subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)], capture_output=True, check=False).returncode == 0


def test_a_disk_that_is_really_full(listener_sqlite: ListenerSqlite) -> None:
    """ENOSPC on the journal's own disk: every acknowledged message is stored, no other was acknowledged; room, and all is well."""
    rig = listener_sqlite
    journal = rig.data / "journal"
    if not can_mount(journal, MIB):
        pytest.skip("only root may mount a small disk (the test above does without)")
    try:
        rig.start()
        with rig.connected("kl01") as client:
            ballast = "y" * 3000
            sent = [
                client.publish(
                    "canhman/default/kl01/telemetry",
                    f'{{"time":"2026-03-02T{n // 60:02d}:{n % 60:02d}:00Z","readings":{{"water.level":{n / 100}}},"x":"{ballast}"}}',
                    qos=1,
                )
                for n in range(600)
            ]
            until(lambda: "journal is in trouble" in rig.log, 60, "the log says so")
            acknowledged = [n for n, info in enumerate(sent) if info.is_published()]
            assert 0 < len(acknowledged) < 600
            assert rig.runs
            until(lambda: {round(r.value * 100) for r in rig.rows()} >= set(acknowledged), 60, "all that was acknowledged is stored")
            subprocess.run(["mount", "-o", f"remount,size={16 * MIB}", str(journal)], check=True)
            for info in sent:
                info.wait_for_publish(60)
                assert info.is_published()
        rig.settle()
        assert sorted(round(r.value * 100) for r in rig.rows() if r.quantity == "water.level") == list(range(600))
        rig.stop()
    finally:
        rig.close()
        subprocess.run(["umount", "-l", str(journal)], check=False, capture_output=True)


def test_the_whole_folder_on_a_full_disk(tmp_path: Path, bytecode: Path) -> None:
    """Journal, store and database on one disk, filled by something else: nothing exits, doctor is red, and room heals all of it."""
    folder = tmp_path / "whole"
    if not can_mount(folder / "data", 24 * MIB):
        pytest.skip("only root may mount a small disk (another test does without)")
    try:
        rig = ListenerSqlite(folder, bytecode)
        rig.start()
        rig.publish("kl01", reading(0))
        rig.settle()
        with rig.connected("kl01") as client:
            ballast = rig.data / "somebody-elses-file"
            with ballast.open("wb", buffering=0) as file, contextlib.suppress(OSError):
                while True:
                    file.write(b"z" * 4096)
            sent = [client.publish("canhman/default/kl01/telemetry", reading(n)[:-1] + f',"x":"{"y" * 9000}"}}', qos=1) for n in range(1, 40)]
            until(lambda: "journal is in trouble" in rig.log, 60, lambda: f"the log says so: {rig.log[-3000:]}")
            assert rig.runs
            code, findings = rig.doctor()
            assert code == 1
            assert "only 0 MiB free" in next(f["text"] for f in findings if f["part"] == "data" and f["mark"] == "red")
            assert not all(info.is_published() for info in sent)
            assert rig.runs
            ballast.unlink()
            for info in sent:
                info.wait_for_publish(60)
                assert info.is_published()
        rig.settle()
        assert sorted(r.value for r in rig.rows() if r.quantity == "water.level") == [n / 100 for n in range(40)]
        assert "Traceback" not in rig.log
        assert rig.stop() == 0
    finally:
        with contextlib.suppress(NameError):
            rig.close()
        subprocess.run(["umount", "-l", str(folder / "data")], check=False, capture_output=True)
