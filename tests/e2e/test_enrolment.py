"""Who may come in, through the real path: waiting for approval, self-registration, closed doors; nobody speaks for another."""

from __future__ import annotations

import itertools
import json
import os
import shutil
import socket
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import paho.mqtt.client as mqtt
import pytest
from servers.installation import Installation, ListenerSqlite, MosquittoInflux
from servers.mosquitto import binary
from servers.ports import free_port
from servers.waiting import until

from core.clock import rfc3339
from registry.enrolment import DEVICE_QUOTA

pytestmark = pytest.mark.servers

NOON = 1_772_420_400_000  # 2026-03-02T03:00:00Z
MINUTE = 60_000
MARK = "mark-of-"
_marks = itertools.count(1)


def reading(number: int, **more: Any) -> str:
    """The n-th message of a device: one a minute, its value tells which."""
    return json.dumps({"time": rfc3339(NOON + number * MINUTE), "readings": {"water.level": number / 100}} | more)


def levels(rig: Installation, station: str) -> dict[int, float]:
    """{number: value} of what is stored of a station's level."""
    return {(r.time - NOON) // MINUTE: r.value for r in rig.rows() if (r.station, r.quantity) == (station, "water.level")}


def expected(*numbers: int) -> dict[int, float]:
    """What `levels` must be for these messages."""
    return {n: n / 100 for n in numbers}


def worked(rig: Installation) -> None:
    """Wait until everything sent has been decided on and committed: an unreadable mark is sent after it, and its letter awaited."""
    mark = f"{MARK}{next(_marks)}"
    rig.publish(mark, "a mark")
    until(lambda: rig.ask("SELECT 1 FROM dead_letter WHERE device = ?", mark), 60, lambda: f"the mark is a dead letter:\n{rig.log[-2000:]}")


def waiting(rig: Installation) -> dict[str, int]:
    """{device: messages kept} of those that wait for approval."""
    return {w["id"]: w["messages"] for w in rig.json("devices", "list")["waiting"]}


def reasons(rig: Installation) -> list[tuple[str, str]]:
    """(device, reason) of every dead letter, sorted."""
    found = rig.json("deadletters", "list", "--limit", "10000")["items"]
    return sorted((d["device"], d["reason"]) for d in found if not d["device"].startswith(MARK))


# ---------------------------------------------------------------- approve


def test_what_came_before_approval_is_stored_after_it(rig: Installation) -> None:
    """All of it, over a kill of ingest, and what comes later as well; nothing before it, and no dead letter."""
    rig.env["CANHMAN_ENROL"] = "approve"
    rig.start()
    rig.publish("kl77", *(reading(n) for n in range(40)))
    rig.publish("kl77", "[" + ",".join(reading(n, channels={"d10": {"soil.moisture": 0.3}}) for n in range(40, 50)) + "]")
    rig.publish("kl77", json.dumps({"age_s": 60, "seq": 1, "boot": 1, "readings": {"water.temperature": 28.0}}))
    rig.publish("kl78", reading(0))
    worked(rig)
    assert waiting(rig) == {"kl77": 42, "kl78": 1}
    assert rig.rows() == []
    rig.kill()
    rig.start()
    said = rig.run("devices", "approve", "kl77", "--name", "Kênh Bảy Bảy").stdout
    assert "kl77 approved at kl77/main" in said
    assert "42 waiting messages" in said
    rig.publish("kl77", reading(50))
    until(lambda: len(levels(rig, "kl77")) == 51, 60, lambda: f"all 51 levels are stored: {sorted(levels(rig, 'kl77'))}\n{rig.log[-2000:]}")
    worked(rig)
    assert levels(rig, "kl77") == expected(*range(51))
    assert len([r for r in rig.rows() if r.quantity == "soil.moisture" and r.point == "d10" and r.sensor == "kl77/d10"]) == 10
    assert [r.value for r in rig.rows() if r.quantity == "water.temperature"] == [28.0]
    assert {r.station for r in rig.rows()} == {"kl77"}
    assert waiting(rig) == {"kl78": 1}
    assert reasons(rig) == []


def test_approval_at_a_station_while_ingest_is_down(listener_sqlite: ListenerSqlite) -> None:
    """The answer counts from the next start on, at the station and point it named."""
    rig = listener_sqlite
    rig.env["CANHMAN_ENROL"] = "approve"
    rig.start()
    rig.publish("kl77", *(reading(n) for n in range(5)))
    worked(rig)
    rig.stop()
    rig.run("devices", "add", "kl01", "--station", "kenh-lau", "--name", "Kênh Lầu")
    rig.run("devices", "approve", "kl77", "--station", "kenh-lau", "--point", "out")
    rig.start()
    until(lambda: levels(rig, "kenh-lau") == expected(*range(5)), 60, "the five are stored")
    assert {r.point for r in rig.rows()} == {"out"}


def test_a_rejected_device_starts_anew(rig: Installation) -> None:
    """What was kept of it is gone, also where ingest reads the journal again; what it sends later waits again."""
    rig.env["CANHMAN_ENROL"] = "approve"
    rig.start()
    rig.publish("kl77", *(reading(n) for n in range(3)))
    worked(rig)
    assert "3 waiting messages dropped" in rig.run("devices", "reject", "kl77").stdout
    rig.publish("kl77", reading(9))
    worked(rig)
    assert waiting(rig) == {"kl77": 1}
    rig.run("devices", "approve", "kl77")
    until(lambda: levels(rig, "kl77"), 60, "the later one is stored")
    worked(rig)
    assert levels(rig, "kl77") == expected(9)


def test_the_quota_of_what_waits(listener_sqlite: ListenerSqlite) -> None:
    """Over 1 MiB of a device is a dead letter `quota`, counted; others are not touched; after approval it can be read again."""
    rig = listener_sqlite
    rig.env["CANHMAN_ENROL"] = "approve"
    rig.start()
    parts = ["[" + ",".join(reading(n) for n in range(p * 1000, p * 1000 + 1000)) + "]" for p in range(20)]
    kept = DEVICE_QUOTA // len(parts[-1])
    assert 0 < kept < 18
    rig.publish("greedy", *parts)
    rig.publish("modest", reading(1))
    worked(rig)
    found = waiting(rig)
    assert found["greedy"] in (kept, kept + 1)
    assert found["modest"] == 1
    assert reasons(rig) == [("greedy", "quota")] * (20 - found["greedy"])
    rig.run("devices", "approve", "greedy")
    until(lambda: len(levels(rig, "greedy")) == found["greedy"] * 1000, 60, "what was kept is stored")
    rig.run("deadletters", "replay", "--reason", "quota")
    until(lambda: len(levels(rig, "greedy")) == 20_000, 60, "the rest was in the journal all the same")
    assert levels(rig, "greedy") == expected(*range(20_000))


# ---------------------------------------------------------------- open, closed


def test_open_registers_device_station_and_points(rig: Installation) -> None:
    """Each by its name; a station id that is taken gets a number; `device` is no point for a probe; private unless told."""
    rig.start()
    rig.publish("Kl.99:A", reading(0, channels={"d10": {"soil.moisture": 0.3}, "in": {"water.ec": 1.0}}))
    rig.publish("kl-99-a", reading(1))
    rig.publish("Kl.99:A", json.dumps({"time": rfc3339(NOON), "channels": {"out": {"water.ec": 2.0}, "device": {"water.ec": 3.0}}, "battery": 3.7}))
    rig.settle()
    got = {(r.station, r.point, r.sensor, r.quantity) for r in rig.rows() if r.quantity != "water.salinity"}
    assert got == {
        ("kl-99-a", "main", "Kl.99:A", "water.level"),
        ("kl-99-a", "d10", "Kl.99:A/d10", "soil.moisture"),
        ("kl-99-a", "in", "Kl.99:A/in", "water.ec"),
        ("kl-99-a", "out", "Kl.99:A/out", "water.ec"),
        ("kl-99-a", "device-1", "Kl.99:A/device", "water.ec"),
        ("kl-99-a", "device", "Kl.99:A", "device.battery"),
        ("kl-99-a-2", "main", "kl-99-a", "water.level"),
    }
    stations = {s["id"]: s for s in rig.json("stations", "list")}
    assert stations["kl-99-a"]["name"] == "Kl.99:A"
    assert (stations["kl-99-a"]["position"], stations["kl-99-a"]["public"]) == ("unknown", False)


def test_closed_has_no_join_key(listener_sqlite: ListenerSqlite) -> None:
    """At our listener a stranger cannot even log in; a registered device can, and doctor is green about it."""
    rig = listener_sqlite
    rig.env["CANHMAN_ENROL"] = "closed"
    rig.start()
    assert not can_log_in(rig, "stranger", rig.login.user, rig.login.key)
    own = rig.json("devices", "add", "kl01", "--station", "kenh-lau", "--name", "Kênh Lầu")
    assert "no join key" in rig.run("publish", "kl01", "water.ec=1", check=False).stderr
    with rig.connected("kl01", user="kl01", password=own["password"]) as client:
        client.publish("canhman/default/kl01/telemetry", reading(1), qos=1).wait_for_publish(30)
    until(lambda: levels(rig, "kenh-lau") == expected(1), 60, "its reading is stored")
    code, findings = rig.doctor()
    assert code == 0, findings


def test_closed_behind_a_broker(mosquitto_influx: MosquittoInflux) -> None:
    """What a broker lets through of nobody's device is a dead letter `unknown_device` that names the way out."""
    rig = mosquitto_influx
    rig.env["CANHMAN_ENROL"] = "closed"
    rig.start()
    rig.publish("kl77", reading(0), reading(1))  # the broker's files are still those of open enrolment
    worked(rig)
    assert reasons(rig) == [("kl77", "unknown_device")] * 2
    assert "canhman devices add" in rig.json("deadletters", "list", "--device", "kl77")["items"][0]["text"]
    assert rig.rows() == []
    rig.sync()
    assert not can_log_in(rig, "stranger", rig.login.user, rig.login.key)
    rig.run("devices", "add", "kl77", "--station", "kl77", "--name", "Kênh")
    rig.run("deadletters", "replay", "--device", "kl77")
    until(lambda: levels(rig, "kl77") == expected(0, 1), 60, "they are stored once the device is known")


# ---------------------------------------------------------------- nobody speaks for another


def test_a_device_speaks_for_itself_alone(rig: Installation) -> None:
    """Over 3.1.1 and 5: not for another device, another org, a network server or the platform; with its own credential, or with a join key."""
    rig.run("orgs", "add", "vithanh", "--name", "Vị Thanh")
    own = {d: rig.json("devices", "add", d, "--station", d, "--name", d) for d in ("kl01", "kl02")}
    theirs = rig.json("devices", "add", "vt01", "--org", "vithanh", "--station", "vt01", "--name", "vt01")
    their_key = rig.json("orgs", "join-key", "vithanh")
    name = "user"
    if isinstance(rig, MosquittoInflux):
        rig.sync()
        name = "broker_user"
    rig.start()
    rig.publish("free", reading(0))  # a device of org default that uses its join key
    rig.settle()
    if isinstance(rig, MosquittoInflux):
        # until the next sync the broker does not know whose it is; ingest does
        with rig.connected("early", user=their_key[name], password=their_key["key"]) as client:
            assert publish(client, "canhman/vithanh/free/telemetry", reading(98)) == 0
        worked(rig)
        assert reasons(rig) == [("free", "wrong_org")]
        rig.sync()

    who = {
        "kl01": (own["kl01"][name], own["kl01"]["password"]),
        "join": (rig.login.user, rig.login.key),
        "vt01": (theirs[name], theirs["password"]),
        "their join": (their_key[name], their_key["key"]),
    }
    forbidden = [
        ("kl01", "canhman/default/kl02/telemetry"),
        ("kl01", "canhman/vithanh/kl01/telemetry"),
        ("kl01", "canhman/vithanh/vt01/telemetry"),
        ("kl01", "canhman/default/free/telemetry"),
        ("kl01", "canhman/default/unknown/telemetry"),
        ("kl01", "canhman/default/kl02/status"),
        ("kl01", "canhman/default/kl01/command"),
        ("kl01", "application/1/device/kl01/event/up"),
        ("kl01", "v3/app@default/devices/kl01/up"),
        ("join", "canhman/default/kl01/telemetry"),
        ("join", "canhman/vithanh/unknown/telemetry"),
        ("join", "canhman/default/vt01/telemetry"),
        ("join", "canhman/vithanh/vt01/telemetry"),
        ("join", "canhman/default/free/command"),
        ("vt01", "canhman/default/vt01/telemetry"),
        ("vt01", "canhman/default/kl01/telemetry"),
        ("their join", "canhman/vithanh/vt01/telemetry"),
        ("their join", "canhman/vithanh/free/telemetry"),
        ("their join", "canhman/default/free/telemetry"),
    ]
    allowed = [("kl01", "canhman/default/kl01/telemetry"), ("join", "canhman/default/free/telemetry"), ("vt01", "canhman/vithanh/vt01/telemetry")]
    for number, protocol in ((1, mqtt.MQTTv311), (2, mqtt.MQTTv5)):
        for sender, (user, password) in who.items():
            with rig.connected(f"{sender}{number}", user=user, password=password, protocol=protocol) as client:
                for topic in [t for s, t in forbidden if s == sender]:
                    assert publish(client, topic, reading(99)) == (0x87 if protocol == mqtt.MQTTv5 else 0), (sender, topic)
                for topic in [t for s, t in allowed if s == sender]:
                    assert publish(client, topic, reading(number)) == 0
    rig.settle()
    assert {(r.station, (r.time - NOON) // MINUTE) for r in rig.rows()} == {("free", 0)} | {(d, n) for d in ("kl01", "free", "vt01") for n in (1, 2)}
    assert set(rig.ask("SELECT DISTINCT device FROM device_status")) == set()
    letters = [x for x in rig.json("deadletters", "list", "--limit", "1000")["items"] if not x["device"].startswith(MARK)]
    if isinstance(rig, ListenerSqlite):
        assert sorted(x["topic"] for x in letters) == sorted(2 * [topic for _, topic in forbidden])
        assert {x["reason"] for x in letters} == {"forbidden", "bad_topic"}
        assert {x["topic"] for x in letters if x["reason"] == "bad_topic"} == {t for _, t in forbidden if t.endswith("/command")}
    else:
        assert [x["reason"] for x in letters] == ["wrong_org"]  # the one above; the broker refused the others unseen
    assert {d["id"] for d in rig.json("devices", "list")["devices"] if not d["id"].startswith("mark-")} == {"kl01", "kl02", "vt01", "free"}


def test_passwords_and_keys(rig: Installation) -> None:
    """A wrong one, an old one, another's, none at all: no login. The new one and the rotated key work."""
    kl01 = rig.json("devices", "add", "kl01", "--station", "kl01", "--name", "x")
    kl02 = rig.json("devices", "add", "kl02")
    name = "broker_user" if isinstance(rig, MosquittoInflux) else "user"

    def sync() -> None:
        if isinstance(rig, MosquittoInflux):
            rig.sync()

    sync()
    rig.start()
    assert can_log_in(rig, "a", kl01[name], kl01["password"])
    for user, password in [
        (kl01[name], kl02["password"]),
        (kl01[name], ""),
        (kl01[name], kl01["password"] + "x"),
        (kl01[name], rig.login.key),
        (rig.login.user, kl01["password"]),
        ("nobody", "x"),
        ("", ""),
    ]:
        assert not can_log_in(rig, "b", user, password), user
    new = rig.json("devices", "credential", "kl01")
    key = rig.json("orgs", "join-key", "default", "--rotate")
    sync()
    until(lambda: can_log_in(rig, "c", kl01[name], new["password"]), 30, "the new password works")
    until(lambda: can_log_in(rig, "d", rig.login.user, key["key"]), 30, "the new key works")
    assert not can_log_in(rig, "e", kl01[name], kl01["password"])
    assert not can_log_in(rig, "f", rig.login.user, rig.login.key)


def test_nobody_hears_another(rig: Installation) -> None:
    """A device that subscribes to everything gets nothing of others."""
    own = rig.json("devices", "add", "kl01")
    if isinstance(rig, MosquittoInflux):
        rig.sync()
    rig.start()
    heard: list[str] = []
    answered = threading.Event()
    with rig.connected("kl01", user="kl01", password=own["password"]) as client:
        client.on_message = lambda c, u, m: heard.append(m.topic)
        client.on_subscribe = lambda *args: answered.set()
        client.subscribe([("canhman/#", 1), ("#", 1), ("canhman/default/free/telemetry", 1), ("canhman/default/free/command", 1)])
        assert answered.wait(30)
        rig.publish("free", reading(0), reading(1))
        rig.settle()
    assert heard == []


# ---------------------------------------------------------------- Mosquitto with our files, exactly as they are written


class MosquittoSqlite(ListenerSqlite):
    """`canhman broker` and a Mosquitto that is not there yet; readings go to SQLite."""

    name = "mosquitto_sqlite"
    ready = "subscribed at"

    def __init__(self, folder: Path, bytecode: Path) -> None:
        self.port = free_port()
        Installation.__init__(self, folder, bytecode, CANHMAN_BROKER=f"mqtt://canhman-ingest@127.0.0.1:{self.port}")
        self.run("migrate")
        self._join("127.0.0.1", self.port, at_broker=True)
        self.files = folder / "broker"
        self.pid_file = folder / "mosquitto.pid"

    def broker(self, command: str, *words: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """`canhman broker init` or `sync` on this installation's folder."""
        more = ["--host", "127.0.0.1", "--port", str(self.port)] if command == "init" else []
        return self.run("broker", command, "--folder", str(self.files), *more, *words, check=check)

    @contextmanager
    def mosquitto(self) -> Iterator[None]:
        """The broker with `mosquitto.conf` as it was written, started as whoever we are (as root it drops to its own user)."""
        with (self.folder / "mosquitto.log").open("ab") as log:
            process = subprocess.Popen([binary(), "-c", str(self.files / "mosquitto.conf")], stdout=log, stderr=log)
        self.pid_file.write_text(f"{process.pid}\n")
        try:
            until(lambda: answers(self.port) or process.poll() is not None, 15, "mosquitto answers")
            assert process.poll() is None, (self.folder / "mosquitto.log").read_text()
            yield
        finally:
            process.terminate()
            process.wait(15)


@pytest.fixture
def bare(bytecode: Path) -> Iterator[MosquittoSqlite]:
    """In a folder that Mosquitto's own user may enter (pytest's belong to us alone)."""
    folder = Path(tempfile.mkdtemp(prefix="canhman-"))
    folder.chmod(0o755)
    made = MosquittoSqlite(folder, bytecode)
    try:
        yield made
        assert "Traceback" not in made.log
    finally:
        made.close()
        shutil.rmtree(folder)


def test_nothing_is_lost_before_ingest_first_runs(bare: MosquittoSqlite) -> None:
    """init, start the broker, init, sync: what a device sends while ingest has never run is stored when it first does."""
    early = bare.json("devices", "add", "early", "--station", "early", "--name", "Sớm")
    bare.broker("init", check=False)  # the broker is not there yet: files are written, and one line says so
    assert {p.name for p in bare.files.iterdir()} >= {"mosquitto.conf", "passwd", "acl", "queue"}
    with bare.mosquitto():
        # no device has an account before ingest's session stands
        assert not can_log_in(bare, "early", early["broker_user"], early["password"])
        assert not can_log_in(bare, "new", bare.login.user, bare.login.key)
        assert "session stands" in bare.broker("init", "--wait", "10").stdout
        bare.broker("sync", "--pid-file", str(bare.pid_file))
        until(lambda: can_log_in(bare, "early", early["broker_user"], early["password"]), 15, "the device may log in after the sync")
        with bare.connected("early", user=early["broker_user"], password=early["password"], protocol=mqtt.MQTTv5) as client:
            sent = [client.publish("canhman/default/early/telemetry", reading(n), qos=1) for n in range(1500)]
            until(lambda: all(info.is_published() for info in sent), 60, "1,500 acknowledgements, more than Mosquitto's default would keep")
        bare.publish("free", *(reading(n) for n in range(10)))
        # a device of later
        late = bare.json("devices", "add", "late", "--station", "late", "--name", "Muộn")
        assert not can_log_in(bare, "late", late["broker_user"], late["password"])
        bare.broker("init")  # once more does not shut anybody out
        bare.broker("sync", "--pid-file", str(bare.pid_file))
        until(lambda: can_log_in(bare, "late", late["broker_user"], late["password"]), 15, "the later device may log in after the next sync")
        assert can_log_in(bare, "early", early["broker_user"], early["password"])
        with bare.connected("late", user=late["broker_user"], password=late["password"], protocol=mqtt.MQTTv5) as client:
            assert publish(client, "canhman/default/late/telemetry", reading(7)) == 0
        bare.start()
        bare.settle()
        assert levels(bare, "early") == expected(*range(1500))
        assert levels(bare, "free") == expected(*range(10))
        assert levels(bare, "late") == expected(7)
        bare.stop()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files to Mosquitto's user")
def test_the_broker_drops_to_its_own_user(bare: MosquittoSqlite) -> None:
    """And may still read its accounts and write its queue."""
    bare.broker("init", check=False)
    with bare.mosquitto():
        pid = int(bare.pid_file.read_text())
        assert Path(f"/proc/{pid}").stat().st_uid != 0
        bare.broker("init", "--wait", "10")
        until(lambda: any((bare.files / "queue").iterdir()), 15, "the queue is on disk")


# ---------------------------------------------------------------- plain clients


def answers(port: int) -> bool:
    """Whether somebody accepts connections there."""
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


def can_log_in(rig: Installation, client_id: str, user: str, password: str) -> bool:
    """The server's word: CONNACK 0, or a refusal."""
    codes: list[int] = []
    client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, client_id=f"login-{client_id}")
    if user:
        client.username_pw_set(user, password)
    client.on_connect = lambda c, u, f, reason, p: codes.append(reason.value)
    client.connect(rig.login.host, rig.login.port)
    until(lambda: client.loop(0.1) != mqtt.MQTT_ERR_SUCCESS or codes, 15, "the server answers a CONNECT")
    client.disconnect()
    client.loop(0.1)
    return codes == [0]


def publish(client: mqtt.Client, topic: str, payload: str) -> int:
    """The reason code of the PUBACK (3.1.1 has none: 0)."""
    reasons: dict[int, int] = {}
    client.on_publish = lambda c, u, mid, reason, p: reasons.__setitem__(mid, reason.value)
    info = client.publish(topic, payload, qos=1)
    return until(lambda: (reasons[info.mid],) if info.mid in reasons else None, 30, f"PUBACK for {topic}")[0]
