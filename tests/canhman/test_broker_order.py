"""The order at a real Mosquitto: nobody is let in before ingest's session stands, and doctor knows what is not synced."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from servers.front import Front
from servers.mosquitto import Mosquitto
from servers.ports import free_port

from canhman import broker, broker_record, heartbeat

pytestmark = pytest.mark.servers


class Rig:
    """The command line with the folder of Mosquitto's files, and a broker that reads them."""

    def __init__(self, front: Front, folder: Path) -> None:
        self.front, self.folder = front, folder / "mosquitto files"
        port = free_port()
        self.url = f"mqtt://canhman-ingest@127.0.0.1:{port}"
        self.first = front.ok("broker", "init", "--folder", str(self.folder), "--host", "127.0.0.1", "--port", str(port))
        self.mosquitto = Mosquitto(folder / "mosquitto", whole=(self.folder / "mosquitto.conf").read_text(), port=port)

    def line(self, *words: str) -> str:
        return self.front("broker", *words, "--folder", str(self.folder), BROKER=self.url).line

    def ok(self, *words: str) -> str:
        done = self.front.ok("broker", *words, "--folder", str(self.folder), BROKER=self.url)
        return done.out + done.err

    @property
    def users(self) -> list[str]:
        found = [line.split(":")[0] for line in (self.folder / "passwd").read_text().splitlines()]
        return [name for name in found if name != broker.LOOK_USER]

    def broker_findings(self) -> list[tuple[str, str]]:
        found = self.front("doctor", "--json", BROKER=self.url).json
        return [(f["mark"], f["text"]) for f in found if f["part"] in ("broker", "accounts")]


@pytest.fixture
def rig(front: Front, tmp_path: Path) -> Iterator[Rig]:
    made = Rig(front, tmp_path)
    with made.mosquitto:
        yield made


def test_sync_waits_for_the_session(rig: Rig) -> None:
    """init, start, no second init: sync lets nobody in and names the way out; doctor is red. After the second init it works."""
    rig.front.ok("devices", "add", "early", "--station", "sm", "--name", "Sớm")
    refused = rig.line("sync")
    assert "never made" in refused
    assert f"canhman broker init --folder '{rig.folder}'" in refused
    assert rig.users == ["canhman-ingest"]
    assert "our own listener" in rig.front("broker", "sync", "--folder", str(rig.folder)).line
    [*_, (mark, text), _] = rig.broker_findings()
    assert mark == "red"
    assert "session was never made" in text
    assert f"broker init --folder '{rig.folder}'" in text
    assert "session stands" in rig.ok("init")
    assert rig.users == ["canhman-ingest"]
    rig.ok("sync")
    assert "early" in rig.users
    rig.mosquitto.reload()
    assert [mark for mark, _ in rig.broker_findings()] == ["ok"]


def test_another_broker_has_no_session(rig: Rig) -> None:
    """The session was made elsewhere: it does not count here."""
    rig.ok("init")
    there = rig.url
    rig.url = f"mqtt://canhman-ingest@127.0.0.1:{free_port()}"
    assert "never made" in rig.line("sync")
    rig.url = there
    rig.ok("sync")


def test_an_emptied_broker_is_noticed(rig: Rig) -> None:
    """Its queue folder is gone: sync makes the session again and says so; doctor mends it too, and is red once."""
    rig.ok("init")
    for look in ("sync", "doctor"):
        rig.mosquitto.stop()
        shutil.rmtree(rig.folder / "queue")
        (rig.folder / "queue").mkdir()
        rig.mosquitto.start()
        if look == "sync":
            assert "had lost ingest's session" in rig.ok("sync")
            assert "had lost" not in rig.ok("sync")
        else:
            assert [text for mark, text in rig.broker_findings() if mark == "red" and "had lost ingest's session" in text]
            assert not [text for mark, text in rig.broker_findings() if mark == "red"]


def test_a_running_ingest_holds_its_session(rig: Rig) -> None:
    """Neither sync nor doctor takes the session over from an ingest that runs."""
    rig.ok("init")
    heartbeat.write(rig.front.data, "ingest", {}, {})
    rig.mosquitto.stop()
    log = rig.mosquitto.log
    rig.mosquitto.start()
    rig.ok("sync")
    rig.broker_findings()
    assert "as canhman-ingest " not in rig.mosquitto.log[len(log) :]


def test_sync_while_the_broker_is_stopped(rig: Rig) -> None:
    """The session lies on its disk: files may be written."""
    rig.ok("init")
    rig.mosquitto.stop()
    rig.ok("sync")
    rig.mosquitto.start()


def test_doctor_knows_what_is_not_synced(rig: Rig) -> None:
    """A new device, a new password, until the next sync; by the folder that init and sync remember."""
    rig.ok("init")
    rig.ok("sync")
    rig.mosquitto.reload()
    assert [mark for mark, _ in rig.broker_findings()] == ["ok"]
    for words in (("devices", "add", "kl01"), ("devices", "credential", "kl01")):
        rig.front.ok(*words)
        [_, (mark, text)] = rig.broker_findings()
        assert mark == "warn"
        assert text.startswith("1 device is not in Mosquitto's files")
        assert "kl01" in text
        assert f"canhman broker sync --folder '{rig.folder}'" in text
        rig.ok("sync")
        [_, (mark, text)] = rig.broker_findings()
        assert mark == "warn"
        assert "has not read its files" in text
        assert "systemctl reload mosquitto" in text
        rig.mosquitto.reload()
        assert [x for x in rig.broker_findings() if x[0] != "ok"] == [], rig.mosquitto.log
    (rig.folder / "acl").unlink()
    assert [mark for mark, text in rig.broker_findings() if "acl cannot be read" in text] == ["red"]


def test_what_comes_next_repeats_the_folder(rig: Rig) -> None:
    """What init says to type next finds the folder it was given; where the broker is away too."""
    said = " ".join(rig.first.err.split())
    assert f"canhman broker init --folder '{rig.folder}'" in said
    assert str(rig.mosquitto.port) in said
    rig.mosquitto.stop()
    assert f"canhman broker init --folder '{rig.folder}'" in rig.front("broker", "init", "--folder", str(rig.folder), BROKER=rig.url).err
    rig.mosquitto.start()


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"folder": 1}', "\0"])
def test_a_damaged_record_is_none(front: Front, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Then init is done once more; nobody is let in by it."""
    from canhman.settings import read_settings

    front.ok("migrate")
    (front.data / broker_record.NAME).write_text(text)
    monkeypatch.setenv("CANHMAN_BROKER", "mqtt://canhman-ingest@127.0.0.1:1")
    assert not broker_record.has_session(read_settings())


def test_several_ingests_have_a_session_each(rig: Rig) -> None:
    """Named once, known to later calls; the lone one's is ended when asked for; one of them takes what cannot be shared; and back to one."""
    rig.ok("init")
    assert "--end-lone needs" in rig.front("broker", "init", "--end-lone", BROKER=rig.url).usage
    said = rig.ok("init", "--worker", "a", "--worker", "b")
    assert "the sessions of a, b stand" in said
    assert "The session of the lone ingest still collects" in said
    assert (rig.folder / "mosquitto.conf").read_text().endswith("\npersistent_client_expiration 1d\n")
    said = rig.ok("init", "--end-lone")
    assert "the sessions of a, b stand" in said
    assert "still collects" not in said
    assert "written" not in next(line for line in said.splitlines() if "mosquitto.conf" in line), "its line stands already"
    rig.ok("sync")
    assert rig.front.database(lambda db: db.lease_holder("words")) == "canhman-ingest-a"
    assert "a-z" in rig.line("init", "--worker", "Máy 1")
    said = rig.ok("init", "--lone")
    assert "ingest's session stands" in said
    assert "--lone" in rig.front("broker", "init", "--lone", "--worker", "a", BROKER=rig.url).usage
