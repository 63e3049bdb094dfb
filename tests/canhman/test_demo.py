"""The demo's ports and folder, and what its devices remember over a restart."""

from __future__ import annotations

import asyncio
import errno
import json
import socket
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr
from servers.front import Front
from servers.ports import free_port

from adapters.sql.schema import prepare
from canhman import device_log
from canhman.demo import Plan, demo, settings_of
from canhman.demo_folder import alone
from canhman.demo_network import DEVICES, SILENT, brought_forward, demo_network
from canhman.demo_ports import after_a_used_port, url
from canhman.demo_sensor import sensor_lines
from canhman.demo_view import View
from canhman.device_log import DeviceLog, count
from canhman.settings import Settings
from canhman.signals import Signals
from core.errors import CanhManError, ConfigError, FormatError, UnavailableError
from firmware_sim.noise import DAY_MS
from firmware_sim.sampling import samples

NETWORK = demo_network(Settings())
BEGIN = NETWORK.start_ms + 60 * DAY_MS


def plan(port: int = 0) -> Plan:
    return Plan(data=Path("somewhere"), port=port, speed=600, history_days=60)


@contextmanager
def listening() -> Iterator[int]:
    """A port somebody listens on."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", free_port()))
        taken.listen()
        yield int(taken.getsockname()[1])


@pytest.mark.sockets
def test_a_taken_http_port_is_one_line_that_names_port(front: Front) -> None:
    """And nothing is made then; the default port is no exception."""
    with listening() as port:
        for words, settings in ((("--port", str(port)), {}), ((), {"LISTEN": f"127.0.0.1:{port}"})):
            line = front("demo", "--data", str(front.data), *words, **settings).line
            assert f"port {port}" in line
            assert "--port" in line
    assert not front.data.exists()


@pytest.mark.sockets
def test_the_next_free_port_for_devices_and_figures() -> None:
    """Where it turns out that 1883 or 9100 is taken, the next one that is free; any other trouble stays what it is."""
    used, other = OSError(errno.EADDRINUSE, "used"), OSError(errno.EACCES, "no")

    def caused(error: CanhManError, by: OSError) -> CanhManError:
        error.__cause__ = by
        return error

    with listening() as broker, listening() as metrics:
        given_ = Settings(listen=f"127.0.0.1:{free_port()}", broker=f"embedded://127.0.0.1:{broker - 1}", metrics=f"127.0.0.1:{metrics - 1}")
        settings = settings_of(given_, plan())
        found = after_a_used_port(settings, "ingest", caused(UnavailableError("cannot listen"), used))
        assert broker < found.broker_address.port < broker + 100
        found = after_a_used_port(settings, "serve", caused(ConfigError("CANHMAN_METRICS=…: used"), used))
        assert metrics < int(found.metrics.rpartition(":")[2]) < metrics + 100
    for name, error in (("ingest", caused(UnavailableError("x"), other)), ("serve", ConfigError("CANHMAN_METRICS=x")), ("alerts", ConfigError("x"))):
        with pytest.raises(type(error), match=str(error)):
            after_a_used_port(settings, name, error)
    with pytest.raises(ConfigError, match="choose one with --port"):
        after_a_used_port(settings, "serve", caused(ConfigError("CANHMAN_LISTEN=…: used"), used))


@pytest.mark.sockets
def test_a_second_one_on_the_folder_hears_where_the_first_can_be_opened(front: Front) -> None:
    """Also on the same port: the lock is looked at before any port."""
    settings = settings_of(Settings(listen=f"127.0.0.1:{free_port()}"), Plan(data=front.data, port=0, speed=600, history_days=60))
    with alone(settings), listening() as port:
        line = front("demo", "--data", str(front.data), "--port", str(port)).line
    assert f"the demo runs already on {front.data}: open {url(settings)}" in line


@pytest.mark.sockets
def test_a_folder_that_cannot_be_written_is_one_line(front: Front) -> None:
    """The folder and --data in it, whichever file it was."""
    port = str(free_port())
    for name in ("demo.log", "demo.url", "demo.lock"):
        folder = front.data / name
        (folder / name).mkdir(parents=True)
        line = front("demo", "--data", str(folder), "--port", port).line
        assert f"folder {folder} cannot be written" in line
        assert "--data" in line
    (front.data / "file").touch()
    line = front("demo", "--data", str(front.data / "file" / "below"), "--port", port).line
    assert "cannot be written" in line
    assert "--data" in line


@pytest.mark.sockets
def test_it_touches_no_installation_that_the_environment_names() -> None:
    """Store, database, broker, clock and enrolment are its own, whatever stands there, and no webhook hears of simulated alerts."""
    given_ = Settings(broker="mqtt://a@far", store="influxdb://far:8086/canhman", database="sqlite:///real.db", data=Path("real"), enrol="closed")
    given_ = given_.model_copy(update={"webhook": SecretStr("https://partner.example/hook")})
    found = settings_of(given_.model_copy(update={"listen": f"127.0.0.1:{free_port()}"}), plan())
    assert found.broker_address.embedded
    assert found.store_address.path == Path("somewhere/series.db")
    assert found.database_url == "sqlite:///somewhere/registry.db"
    assert found.webhook.get_secret_value() == ""
    assert (found.clock, found.enrol, found.enrol_public) == ("sim", "open", True)


def test_a_folder_of_a_real_installation_is_refused(front: Front) -> None:
    """The demo never mixes simulated readings into it."""
    front.ok("devices", "add", "kl01")
    settings, signals = Settings(data=front.data, clock="sim"), Signals()
    with pytest.raises(ConfigError, match="no demo made") as caught:
        asyncio.run(demo(settings, plan(), signals, View("", signals, speed=600)))
    assert "kl01" in str(caught.value)


def test_a_demo_of_an_earlier_version_goes_on(tmp_path: Path) -> None:
    """Its database is brought to this version, once; a folder that holds no demo, perhaps a real installation, is left to `canhman migrate`."""
    settings = settings_of(Settings(), Plan(data=tmp_path, port=0, speed=600, history_days=60))
    url = settings.database_url
    assert brought_forward(settings) == ""
    assert not (tmp_path / "registry.db").exists()
    prepare(url)
    with sqlite3.connect(tmp_path / "registry.db") as before:
        before.execute("DROP TABLE forecast_basis")
        before.execute("UPDATE alembic_version SET version_num = '0011'")
    before.close()
    assert brought_forward(settings) == ""
    with pytest.raises(FormatError, match="run canhman migrate"):
        prepare(url)
    device_log.save(tmp_path / DEVICES, BEGIN, {})
    assert brought_forward(settings).startswith("database: 0011 → ")
    assert brought_forward(settings) == ""
    prepare(url)


def test_the_addresses_it_prints() -> None:
    """A page's address that a browser here can open; a line per way to publish, with port and key in it."""
    settings = Settings(listen="0.0.0.0:8000", broker="embedded://127.0.0.1:1890", data=Path("data/demo"))
    assert url(settings) == "http://127.0.0.1:8000"
    lines = sensor_lines(settings, "org:default", "secret-key")
    assert "-p 1890 -u org:default -P secret-key" in lines[0]
    assert '"age_s": 0' in lines[0]
    assert "CANHMAN_BROKER=embedded://127.0.0.1:1890" in lines[-1]


# ---------------------------------------------------------------- what devices remember


@given(st.integers(-3 * DAY_MS, DAY_MS), st.integers(0, 3 * DAY_MS), st.sampled_from(NETWORK.devices))
def test_objects_are_counted_as_they_are_sampled(start: int, span: int, device: object) -> None:
    """The number told is the number of samples, of the silent one too."""
    begin = BEGIN + start
    assert count(device, begin, begin + span) == sum(1 for _ in samples(NETWORK, device, begin, begin + span))  # type: ignore[arg-type]  # only what is used of it is there


def test_taken_and_waiting_add_up() -> None:
    """Whatever was taken of each: with what waits it is all that was measured since."""
    log = DeviceLog(since=BEGIN - 2 * DAY_MS, taken={d.id: BEGIN - n * 3_700_000 for n, d in enumerate(NETWORK.devices)})
    whole = DeviceLog(since=log.since, taken={})
    assert log.objects(NETWORK) + log.waiting(NETWORK, BEGIN) == whole.waiting(NETWORK, BEGIN)
    assert whole.waiting(NETWORK, BEGIN) == 11 * 192 + 192 - 36  # one is silent for 9 h 05 min


def test_the_log_is_read_as_it_was_saved(tmp_path: Path) -> None:
    """Absent is None; another format or a broken file is one line that says what to do."""
    path = tmp_path / "devices.json"
    assert device_log.load(path) is None
    device_log.save(path, 5, {"a": 7})
    assert device_log.load(path) == DeviceLog(since=5, taken={"a": 7})
    for text, words in (("{", "remove it"), (json.dumps({"format": 9}), "format 9"), ("[]", "remove it")):
        path.write_text(text)
        with pytest.raises(ConfigError, match=words):
            device_log.load(path)


def test_one_device_is_silent_from_before_the_demo_begins() -> None:
    """For ever: its stream of samples ends."""
    device = NETWORK.device(SILENT)
    last = list(samples(NETWORK, device, BEGIN - DAY_MS))[-1]
    assert BEGIN - 10 * 3_600_000 < last.time_ms < BEGIN - 9 * 3_600_000
