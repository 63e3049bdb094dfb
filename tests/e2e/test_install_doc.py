"""docs/install.md, word by word: both set-ups from nothing to the check, TLS, reload and stop, backup while readings arrive, restore, upgrade."""

from __future__ import annotations

import re
import shutil
import socket
import ssl
import subprocess
import tarfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import paho.mqtt.client as mqtt
import pytest
from servers.new_machine import NewMachine
from servers.typed_page import Block, blocks
from servers.waiting import until

ROOT = Path(__file__).parents[2]
PAGE = blocks(ROOT / "docs" / "install.md")
KINDS = {"sh", "sh systemd", "sh not-in-ci", "ini", "nginx", "text caddy"}
# what a test cannot do: packages and accounts of the machine, the network, servers that are not packaged for it
NOT_IN_CI = {"apt-get", "adduser", "git", "make", "nginx", "certbot", "ln", "influx"}

MACHINE = ["1. The machine", "2. A certificate of your own"]
BACKUP = ["A backup", "8. Restore"]
FARM = [*MACHINE, "Settings and start", "The check", "TLS for devices", *BACKUP, "Start, and look", "9. Upgrade"]
PROVINCE = [*MACHINE, "InfluxDB", "Mosquitto", "The services", "The check"]
PROVINCE += ["How InfluxDB is backed up", *BACKUP, "InfluxDB again", "Start, and look", "9. Upgrade"]
NOT_TYPED = {"Servers", "A reverse proxy", "A certificate of Let's Encrypt"}  # headings without a command for CI


def under(heading: str, *, province: bool) -> list[Block]:
    """The blocks to type under a heading. Two sections are called the same: A's come first."""
    found = [b for b in PAGE if b.heading == heading and b.kind in ("sh", "sh systemd")]
    if heading == "The check":
        second = next(b.number for b in PAGE if b.heading == "Servers")
        found = [b for b in found if (b.number > second) == province]
    return found


@contextmanager
def new_machine(folder: Path, bytecode: Path) -> Iterator[NewMachine]:
    made = NewMachine(folder, bytecode)
    try:
        yield made
        assert made.systemd.dead == {}
    finally:
        made.close()


def type_all(machine: NewMachine, heading: str, *, province: bool, **words: str) -> dict[str, str]:
    """Every block under a heading, in order; a password that is shown once is filled in from then on."""
    for block in under(heading, province=province):
        out = machine.type_in(block, **words)
        if shown := re.search(r"^password (\S+)$", out, re.MULTILINE):
            words["PASSWORD"] = shown[1]
    return words


# ---------------------------------------------------------------- the page itself


def test_every_block_is_of_a_known_kind_and_typed_in_by_a_test() -> None:
    """A new command that is neither marked nor typed in fails here."""
    assert {b.kind for b in PAGE} <= KINDS
    typed = {b.number for names, province in ((FARM, False), (PROVINCE, True)) for name in names for b in under(name, province=province)}
    assert typed == {b.number for b in PAGE if b.kind in ("sh", "sh systemd")}
    assert {b.heading for b in PAGE} <= {*FARM, *PROVINCE, *NOT_TYPED}


def test_only_what_ci_cannot_do_is_marked() -> None:
    """Behind `not-in-ci` stand programs of the list, behind `systemd` systemctl alone; and neither is typed in unmarked."""
    for block in PAGE:
        first = {command.split()[0] for command in block.commands}
        if block.kind == "sh not-in-ci":
            assert first <= NOT_IN_CI, block.text
        if block.kind == "sh systemd":
            assert first == {"systemctl"}, block.text
        if block.kind == "sh":
            assert not first & {*NOT_IN_CI, "systemctl"}, block.text


def test_both_set_ups_end_with_the_check() -> None:
    """doctor, one published line, and the same value from the API."""
    for province in (False, True):
        text = "".join(b.text for b in under("The check", province=province))
        assert re.search(r"canhman doctor.*(canhman publish|mosquitto_pub).*water\.ec.*curl .*series\?quantity=water\.ec", text, re.DOTALL)


# ---------------------------------------------------------------- typed in


class Readings:
    """A device that publishes water.level by MQTT as fast as it is acknowledged, until `stop`; `acknowledged` are the values that were."""

    def __init__(self, machine: NewMachine, password: str) -> None:
        self.acknowledged: list[int] = []
        self._stopping = threading.Event()
        self._client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, client_id="kl01")
        self._client.username_pw_set("kl01", password)
        self._client.tls_set(ca_certs=str(machine.folder / "etc" / "canhman" / "tls" / "ca.crt"))
        self._client.connect("127.0.0.1", machine.ports["8883"])
        self._client.loop_start()
        self._thread = threading.Thread(target=self._publish)
        self._thread.start()

    def _publish(self) -> None:
        number = 0
        while not self._stopping.is_set():
            time = f"2026-03-01T{number // 3600 % 24:02d}:{number // 60 % 60:02d}:{number % 60:02d}Z"
            payload = f'{{"time": "{time}", "readings": {{"water.level": {number / 1000}}}}}'
            sent = self._client.publish("canhman/default/kl01/telemetry", payload, qos=1)
            sent.wait_for_publish(30)
            if sent.is_published():
                self.acknowledged.append(number)
            number += 1

    def stop(self) -> None:
        self._stopping.set()
        self._thread.join(40)
        self._client.disconnect()
        self._client.loop_stop()


def levels(machine: NewMachine, station: str) -> set[int]:
    """The values of `Readings` that the API has, by number."""
    where = f"{machine.url}/api/v1/stations/{station}/series?quantity=water.level&start=2026-03-01T00:00:00Z&end=2026-03-02T00:00:00Z&limit=100000"
    try:
        answer = httpx.get(where, timeout=30, trust_env=False, verify=ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT))
    except httpx.TransportError:
        return set()
    return {round(v * 1000) for v in answer.json()["values"]} if answer.status_code == 200 else set()


def back_up_and_restore(machine: NewMachine, station: str, password: str, *, province: bool) -> None:
    """The page's backup while readings arrive, and its restore into an empty folder: all that was acknowledged before it is there."""
    readings = Readings(machine, password)
    try:
        until(lambda: len(readings.acknowledged) > 200, 60, "readings arrive")
        before = set(readings.acknowledged)
        first, *rest = under("A backup", province=province)
        machine.type_in(first)
        more = len(readings.acknowledged)
        until(lambda: len(readings.acknowledged) > more, 30, "readings go on arriving")
    finally:
        readings.stop()
    assert len(readings.acknowledged) > len(before), "it was made while readings arrived"
    for block in rest:
        machine.type_in(block)
    copies = machine.out.split()
    assert any(c.endswith("/data") for c in copies)
    assert any(c.endswith("/influxdb") for c in copies) is province
    [made] = machine.folder.glob("var/backups/canhman/*Z")
    assert not list(made.rglob("*-wal")), "no live file was copied"
    assert {p.stat().st_mode & 0o077 for p in (made, *made.joinpath("data").rglob("*"))} == {0}, "nobody else may read it"
    archive = machine.folder / "var/backups/canhman/etc.tar.gz"
    assert archive.stat().st_mode & 0o777 == 0o600, "it holds secrets"
    with tarfile.open(archive) as settings:
        kept = {Path(name).name for name in settings.getnames()}
    assert {"canhman.env", "server.key", "ca.crt"} <= kept, "settings and keys"
    assert "ca.key" not in kept, "the authority's key stays in the drawer"
    assert (machine.folder / "etc/canhman/tls/ca.key").exists(), "it was there to be left out"
    stations = machine.type_in(under("Start, and look", province=province)[0])

    machine.folder.joinpath("etc/canhman/canhman.env").rename(machine.folder / "canhman.env.before")
    for block in under("8. Restore", province=province):
        machine.type_in(block)
    assert (machine.folder / "etc/canhman/canhman.env").read_text() == (machine.folder / "canhman.env.before").read_text(), "unpacked where it belongs"
    if province:
        machine.systemd.stop("influxdb")
        shutil.rmtree(machine.folder / "var" / "lib" / "influxdb")
        machine.systemd.start("influxdb")
        for block in under("InfluxDB again", province=province):
            machine.type_in(block)
    machine.systemd.start("canhman.target" if province else "canhman")
    missing = lambda: before - levels(machine, station)  # noqa: E731
    until(lambda: not missing(), 60, lambda: f"of {len(before)} that were acknowledged before {len(missing())} are missing")
    assert machine.type_in(under("Start, and look", province=province)[0]) == stations
    assert (machine.folder / "var/lib/canhman").stat().st_mode & 0o777 == 0o700


def reload_reads_the_numbers_again(machine: NewMachine, services: list[str]) -> None:
    """By each unit's own ExecReload: another limit of the verdict is in the API, and no process ended."""
    folder = machine.folder / "etc" / "canhman" / "config"
    folder.mkdir()
    (folder / "risk.toml").write_text("limit = 0.25\n")
    with (machine.folder / "etc/canhman/canhman.env").open("a") as file:
        file.write(f'CANHMAN_CONFIG="{folder}"\n')
    for name in services:
        machine.systemd.restart(name)

    def limits() -> set[float]:
        try:
            answer = httpx.get(f"{machine.url}/api/v1/stations", timeout=30, trust_env=False, verify=ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT))
        except httpx.TransportError:
            return set()
        return {s["risk"]["limit"] for s in answer.json()["items"]}

    until(lambda: limits() == {0.25}, 60, limits_text := lambda: f"{limits()} {machine.systemd.log(services[-1])[-2000:]}", every=0.2)
    (folder / "risk.toml").write_text("limit = 0.5\n")
    pids = {name: machine.systemd.pid(name) for name in services}
    for name in services:
        machine.systemd.reload(name)
    until(lambda: limits() == {0.5}, 30, limits_text, every=0.2)
    assert machine.systemd.dead == {}
    assert {name: machine.systemd.pid(name) for name in services} == pids


@pytest.mark.servers
def test_a_single_farm(tmp_path: Path, bytecode: Path) -> None:
    """From nothing to the check, then TLS, reload, backup, restore, upgrade; every stop is clean."""
    with new_machine(tmp_path, bytecode) as machine:
        words: dict[str, str] = {}
        for heading in FARM[:5]:
            words = type_all(machine, heading, province=False, **words)
        compiled = bytecode / str(machine.folder).lstrip("/") / "opt" / "canhman"
        assert {name for name in machine.packages if any((compiled / name).rglob("*.pyc"))} == set(machine.packages)
        assert list((compiled / ".venv").rglob("library.*.pyc")), "what is installed is compiled too"
        values = httpx.get(f"{machine.url}/api/v1/stations/vuon-nha/series?quantity=water.ec", timeout=30).json()["values"]
        assert values == [0.62, 0.64]
        assert machine.settings()["CANHMAN_ENROL"] == "closed"
        modes = {p: (machine.folder / p).stat().st_mode & 0o777 for p in ("etc/canhman/canhman.env", "etc/canhman/tls/server.key", "etc/canhman/tls/ca.key")}
        assert list(modes.values()) == [0o640, 0o640, 0o600]
        assert {p.name: p.stat().st_mode & 0o777 for p in (machine.folder / "var/lib/canhman").glob("*.db")} == {"registry.db": 0o600, "series.db": 0o600}
        reload_reads_the_numbers_again(machine, ["canhman"])
        back_up_and_restore(machine, "vuon-nha", words["PASSWORD"], province=False)
        type_all(machine, "9. Upgrade", province=False)
        assert machine.systemd.stopped == {"canhman": 0}
        assert "Traceback" not in machine.systemd.log("canhman")


@pytest.mark.servers
def test_a_province(tmp_path: Path, bytecode: Path) -> None:
    """Mosquitto with TLS, InfluxDB with a password, one process per service: from nothing to the check, reload, backup, restore, upgrade."""
    services = ["canhman-ingest", "canhman-forecast", "canhman-alerts", "canhman-serve"]
    with new_machine(tmp_path, bytecode) as machine:
        words: dict[str, str] = {}
        for heading in PROVINCE[:6]:
            words = type_all(machine, heading, province=True, **words)
        refused = httpx.get(f"http://127.0.0.1:{machine.ports['8086']}/query", params={"q": "SHOW DATABASES"})
        assert refused.status_code == 401, "InfluxDB answers nobody without the password"
        wrong = dict(machine.settings(), CANHMAN_BROKER_CA=str(another_authority(tmp_path)))
        assert "cannot be trusted" in doctor_with(machine, wrong)
        reload_reads_the_numbers_again(machine, services)
        type_all(machine, "How InfluxDB is backed up", province=True)
        back_up_and_restore(machine, "kenh-lau", words["PASSWORD"], province=True)
        type_all(machine, "9. Upgrade", province=True)
        assert {name: machine.systemd.stopped[name] for name in services} == dict.fromkeys(services, 0)
        assert not [name for name in services if "Traceback" in machine.systemd.log(name)]


def another_authority(folder: Path) -> Path:
    """A certificate of the page's first command that signed nothing here."""
    path = folder / "other.crt"
    words = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj", "/CN=other", "-out", str(path)]
    subprocess.run([*words, "-keyout", str(folder / "other.key")], check=True, capture_output=True)
    return path


def doctor_with(machine: NewMachine, settings: dict[str, str]) -> str:
    """What doctor says with other settings."""
    program = machine.folder / "opt/canhman/.venv/bin/canhman"
    return subprocess.run([program, "doctor"], env={**machine.env, **settings}, capture_output=True, text=True, timeout=60, check=False).stdout


@pytest.mark.servers
def test_the_chain_of_the_page_is_taken_by_strict_clients(tmp_path: Path, bytecode: Path) -> None:
    """Python 3.13 and others check authorities strictly (RFC 5280): what the page's openssl commands make passes that too."""
    with new_machine(tmp_path, bytecode) as machine:
        for heading in MACHINE:
            type_all(machine, heading, province=False)
        folder = machine.folder / "etc" / "canhman" / "tls"
        client = ssl.create_default_context(cafile=str(folder / "ca.crt"))
        client.verify_flags |= ssl.VERIFY_X509_STRICT
        server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        server.load_cert_chain(folder / "server.crt", folder / "server.key")
        for name in ("canhman.lan", "localhost", "127.0.0.1", "192.168.1.10"):
            near, far = socket.socketpair()
            with near, far:
                answering = threading.Thread(target=lambda far=far: server.wrap_socket(far, server_side=True).close())
                answering.start()
                client.wrap_socket(near, server_hostname=name).close()
                answering.join(10)
