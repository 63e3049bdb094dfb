"""Errors of a newcomer's first day: each names the variable, the value and the way out."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from servers.front import Front
from servers.ports import free_port

from canhman import wiring
from canhman.settings import read_settings


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"BROKER": "mqtt://u@h", "BROKER_CA": "/ca.crt"}, ["CANHMAN_BROKER='mqtt://u@h'", "CANHMAN_BROKER_CA='/ca.crt'", "mqtts://u@h"]),
        ({"ENROL": "yes"}, ["CANHMAN_ENROL='yes'", "expected approve, open or closed"]),
        ({"ENROL_PUBLIC": "maybe"}, ["CANHMAN_ENROL_PUBLIC='maybe'", "1 (yes) or 0 (no)"]),
        ({"URL": "192.168.1.10:8000"}, ["CANHMAN_URL='192.168.1.10:8000'", "http://192.168.1.10:8000"]),
        ({"STORE": "influxdb://127.0.0.1:8086/"}, ["no database", "influxdb://127.0.0.1:8086/canhman"]),
        ({"STORE": "influxdb://127.0.0.1:8086/?api=v2&org=o"}, ["no database"]),
    ],
)
def test_settings(front: Front, settings: dict[str, str], says: list[str]) -> None:
    """One line, before anything is made."""
    line = front("migrate", **settings).line
    assert [text for text in says if text not in line] == []
    assert not front.data.exists()


@pytest.mark.parametrize("broker", ["mqtts://u@h", "embedded://127.0.0.1:1883", "embeddeds://127.0.0.1"])
def test_an_authority_is_taken_elsewhere(monkeypatch: pytest.MonkeyPatch, front: Front, broker: str) -> None:
    """Only beside mqtt:// it is a contradiction; our listener may be plain today and TLS tomorrow."""
    monkeypatch.setenv("CANHMAN_BROKER", broker)
    monkeypatch.setenv("CANHMAN_BROKER_CA", "/ca.crt")
    assert read_settings().broker_address.tls is broker.startswith(("mqtts", "embeddeds"))


@pytest.mark.parametrize(("store", "token"), [("influxdb://127.0.0.1:8086/canhman", "only-a-token"), ("influxdb://127.0.0.1:8086/canhman?api=v2&org=o", "")])
def test_the_token_of_the_store(front: Front, store: str, token: str) -> None:
    """The variable is named, the token is not repeated."""
    said = front("migrate", "--create-store", STORE=store, STORE_TOKEN=token)
    assert said.code == 1
    assert "CANHMAN_STORE_TOKEN" in said.err
    assert "only-a-token" not in said.err


@pytest.mark.sockets
def test_a_store_that_is_away(front: Front) -> None:
    """Doctor says which setting says where it is."""
    front.ok("migrate")
    done = front("doctor", "--json", STORE=f"influxdb://127.0.0.1:{free_port()}/canhman", BROKER=f"embedded://127.0.0.1:{free_port()}")
    assert [f for f in done.json if f["part"] == "store" and f["mark"] == "red" and "CANHMAN_STORE" in f["text"]]


def test_where_no_installation_is(front: Front, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The whole path; that CANHMAN_DATA is not set; and where the services' own is, on a machine that has them."""
    assert str(front.data) in front("devices", "list").line
    assert "not set" not in front("devices", "list").line
    monkeypatch.delenv("CANHMAN_DATA")
    monkeypatch.chdir(tmp_path)
    line = front("devices", "list").line
    assert "CANHMAN_DATA is not set" in line
    assert str(tmp_path / "data") in line
    assert "canhman.env" not in line
    (tmp_path / "canhman.env").write_text("")
    monkeypatch.setattr(wiring, "SERVICES", tmp_path / "canhman.env")
    for words in ("devices list", "doctor"):
        done = front(*words.split())
        assert "/usr/local/bin/canhman" in done.out + done.err
        assert f"set -a; . {tmp_path / 'canhman.env'}" in done.out + done.err
    assert not (tmp_path / "data").exists()


def test_the_services_folder_is_missing(monkeypatch: pytest.MonkeyPatch, front: Front) -> None:
    """As the root who has to make it types it."""
    monkeypatch.setenv("CANHMAN_DATA", "/var/lib/canhman")
    assert "install -d -o canhman -g canhman -m 700 /var/lib/canhman" in wiring.no_installation(read_settings())


@pytest.mark.parametrize(("broker", "hinted"), [("embedded://127.0.0.1:1883", False), ("mqtt://canhman-ingest@127.0.0.1", True)])
def test_a_new_device_hears_of_mosquitto_only_there(front: Front, broker: str, hinted: bool) -> None:
    """At our own listener it counts at once."""
    for words in (("devices", "add", "org-x:1"), ("devices", "credential", "org-x:1")):
        done = front.ok(*words, BROKER=broker)
        assert ("broker sync" in done.err) is hinted
        assert ("Mosquitto" in done.out) is hinted


@pytest.mark.sockets
def test_a_user_without_a_password(front: Front) -> None:
    """Refused, and the variable that is not set is named; with one it is not."""
    front.ok("migrate")

    async def refusing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(b"\x20\x03\x00\x87\x00")
        writer.close()

    async def line(**settings: str) -> str:
        async with await asyncio.start_server(refusing, "127.0.0.1", 0) as server:
            port = server.sockets[0].getsockname()[1]
            done = await asyncio.to_thread(front, "publish", "kl01", "water.ec=1", "--wait", "0", BROKER=f"mqtt://kl01@127.0.0.1:{port}", **settings)
            return done.line

    assert "CANHMAN_BROKER_PASSWORD is not set" in asyncio.run(line())
    assert "CANHMAN_BROKER_PASSWORD" not in asyncio.run(line(BROKER_PASSWORD="x"))
