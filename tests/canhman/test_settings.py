"""Settings: every problem is one line that names the variable, what stood there and what may stand there; no secret in it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from canhman.settings import BrokerAddress, Settings, StoreAddress, parse_broker, parse_store, read_settings
from core.errors import ConfigError

NAMES = sorted(f"CANHMAN_{name.upper()}" for name in Settings.model_fields)
PASSWORD = "hunter2-very-secret"


@pytest.fixture(autouse=True)
def _clean(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [n for n in os.environ if n.startswith("CANHMAN_")]:
        monkeypatch.delenv(name)


def line(monkeypatch: pytest.MonkeyPatch, **values: str) -> str:
    """What is said of these variables."""
    for name, value in values.items():
        monkeypatch.setenv(f"CANHMAN_{name}", value)
    with pytest.raises(ConfigError) as caught:
        read_settings()
    text = str(caught.value)
    assert "\n" not in text
    return text


@pytest.mark.parametrize("name", NAMES)
def test_a_mistyped_name_is_named_with_the_right_one(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Every setting with two letters swapped is refused and the right name suggested."""
    wrong = name[:-2] + name[-1] + name[-2] if name[-1] != name[-2] else name + "X"
    text = line(monkeypatch, **{wrong.removeprefix("CANHMAN_"): "x"})
    assert wrong in text
    assert f"did you mean {name}?" in text


def test_the_name_of_the_issue(monkeypatch: pytest.MonkeyPatch) -> None:
    """`CANHMAN_STROE` is one line that says CANHMAN_STORE."""
    assert line(monkeypatch, STROE="sqlite:///x") == "no setting is called CANHMAN_STROE; did you mean CANHMAN_STORE?"


def test_the_prefix_makes_no_names_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    """CANHMAN_FOO is like none of ours, CANHMAN_WEBHOOK least of all."""
    assert "CANHMAN_FOO; known: CANHMAN_BROKER, " in line(monkeypatch, FOO="1")


def test_a_name_like_no_other_lists_them_all(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where nothing is near, all names are given; the value, which may be a secret, is not."""
    text = line(monkeypatch, QQQQQQQQQQQQQQQQQQQQQQQQQ=PASSWORD)
    assert all(name in text for name in NAMES)
    assert PASSWORD not in text


BAD = [
    ("BROKER", "", "mqtt://"),
    ("BROKER", "tcp://host", "mqtt://"),
    ("BROKER", "mqtt://", "mqtt://"),
    ("BROKER", "mqtt:host", "mqtt://"),
    ("BROKER", "mqtt://:1883", "no host"),
    ("BROKER", "mqtt://h:99999", "65535"),
    ("BROKER", "mqtt://h:abc", "abc"),
    ("BROKER", "mqtt://h/?client=other", "client"),
    ("BROKER", "embedded://h?client=own", "nothing may stand"),
    ("WORKER", "Máy 1", "a-z"),
    ("WORKER", "a", "our own listener"),
    ("BROKER", "mqtt://h/?foo=1", "foo"),
    ("BROKER", "mqtt://h/?foo", "name=value"),
    ("BROKER", "mqtt://h/topic", "path"),
    ("BROKER", "mqtt://[::1", "CANHMAN_BROKER"),
    ("STORE", "influx://h", "influxdb://host:8086"),
    ("STORE", "sqlite:///", "sqlite:///path"),
    ("STORE", "sqlite://data/x.db", "sqlite:///path"),
    ("STORE", "influxdb://", "no host"),
    ("STORE", "influxdb://h?api=v3", "v1 or v2"),
    ("STORE", "influxdb://h?api=v2", "org="),
    ("STORE", "influxdb://h?tls=yes", "0 or 1"),
    ("STORE", "influxdb://h?bucket=x", "bucket"),
    ("STORE", "influxdb://h?x", "name=value"),
    ("STORE", "influxdb://h:port/db", "port"),
    ("CLOCK", "utc", "expected system or sim"),
    ("ENROL", "opne", "expected approve, open or closed"),
    ("ENROL_PUBLIC", "maybe", "1 (yes) or 0 (no)"),
    ("DATA", "", "empty"),
    ("JOURNAL_MAX", "20 elephants", "20G"),
    ("JOURNAL_MAX", "1K", "at least 16M"),
    ("JOURNAL_KEEP", "-1", "greater than or equal to 0"),
    ("JOURNAL_KEEP", "a year", "integer"),
    ("CONFIG", "", "empty"),
    ("BROKER_CA", "", "empty"),
    ("TLS_CERT", "", "empty"),
    ("TLS_KEY", "", "empty"),
    ("LISTEN", "8000", "address:port"),
    ("LISTEN", "0.0.0.0:http", "address:port"),
    ("METRICS", "127.0.0.1:70000", "address:port"),
    ("PROXY", "10.0.0.300", "10.1.0.0/16"),
    ("PROXY", "10.0.0.2, *", "10.1.0.0/16"),
    ("URL", "ftp://x", "https://"),
    ("WEBHOOK", "ftp://x", "https://host/path"),
    ("WEBHOOK", "http://partner.example/hook", "https://host/path"),
    ("URL", "https://", "host"),
    ("GRAFANA", "grafana:3000", "CANHMAN_GRAFANA"),
    ("GRAFANA", "ftp://grafana", "expected https://host"),
    ("GRAFANA", "https://", "no host"),
    ("GRAFANA", "https://grafana/?orgId=2", "expected https://host"),
    ("GRAFANA", "https://grafana/a b", "expected https://host"),
]


@pytest.mark.parametrize(("name", "value", "says"), BAD)
def test_a_bad_value_is_one_line(monkeypatch: pytest.MonkeyPatch, name: str, value: str, says: str) -> None:
    """The line names the variable and what may stand there."""
    text = line(monkeypatch, **{name: value})
    assert f"CANHMAN_{name}" in text
    assert says in text


def test_every_setting_with_a_form_is_tried_above() -> None:
    """A new setting comes with its bad values, unless any text is right."""
    any_text = {"BROKER_PASSWORD", "STORE_TOKEN", "SECRET", "WEBHOOK_SECRET", "GRAFANA_TOKEN", "GRAFANA_STORE_TOKEN", "DATABASE"}  # DATABASE: see adapters/sql
    assert {f"CANHMAN_{name}" for name, _, _ in BAD} | {f"CANHMAN_{name}" for name in any_text} == set(NAMES)


SECRETS = [
    ("BROKER", f"mqtt://ingest:{PASSWORD}@host"),
    ("BROKER", f"mqtt://org:default:{PASSWORD}@host"),
    ("BROKER", f"http://ingest:{PASSWORD}@host"),
    ("BROKER", f"mqtt://h/?password={PASSWORD}"),
    ("BROKER", f"mqtt://u:{PASSWORD}@h:bad"),
    ("STORE", f"influxdb://u:{PASSWORD}@host/db"),
    ("STORE", f"influx://u:{PASSWORD}@host/db"),
    ("STORE", f"influxdb://host/db?token={PASSWORD}"),
    ("STORE", f"influxdb://host/db?{PASSWORD}"),
    ("URL", f"x://u:{PASSWORD}@h"),
    ("GRAFANA", f"https://u:{PASSWORD}@h"),
]


@pytest.mark.parametrize(("name", "value"), SECRETS)
def test_no_secret_is_repeated(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    """A password in an address is refused, and does not stand in the refusal."""
    assert PASSWORD not in line(monkeypatch, **{name: value})


def test_secrets_do_not_show_in_the_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor in their repr, which ends up in logs."""
    for name in ("BROKER_PASSWORD", "STORE_TOKEN", "SECRET", "WEBHOOK_SECRET"):
        monkeypatch.setenv(f"CANHMAN_{name}", PASSWORD)
    assert PASSWORD not in repr(read_settings())


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("mqtt://h", BrokerAddress(embedded=False, tls=False, host="h", port=1883)),
        ("mqtts://h", BrokerAddress(embedded=False, tls=True, host="h", port=8883)),
        ("mqtt://canhman-ingest@h:1884", BrokerAddress(embedded=False, tls=False, host="h", port=1884, user="canhman-ingest")),
        ("mqtt://org:default@host", BrokerAddress(embedded=False, tls=False, host="host", port=1883, user="org:default")),
        ("mqtt://a%40b%2Fc@host", BrokerAddress(embedded=False, tls=False, host="host", port=1883, user="a@b/c")),
        ("mqtt://h/?client=paho", BrokerAddress(embedded=False, tls=False, host="h", port=1883)),
        ("mqtts://h?client=own", BrokerAddress(embedded=False, tls=True, host="h", port=8883, client="own")),
        ("embedded://[::1]:1885", BrokerAddress(embedded=True, tls=False, host="::1", port=1885)),
        ("embeddeds://10.0.0.1", BrokerAddress(embedded=True, tls=True, host="10.0.0.1", port=8883)),
    ],
)
def test_broker_addresses(text: str, found: BrokerAddress) -> None:
    """Scheme, host, port and user, percent-decoded."""
    assert parse_broker(text) == found


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("sqlite:////var/x.db", StoreAddress(kind="sqlite", path=Path("/var/x.db"))),
        ("sqlite:///x.db", StoreAddress(kind="sqlite", path=Path("x.db"))),
        ("influxdb://h", StoreAddress(kind="influxdb", host="h")),
        ("influxdb://h:9999/salt", StoreAddress(kind="influxdb", host="h", port=9999, database="salt")),
        ("influxdb://h/salt?api=v2&org=Vị%20Thanh&tls=1", StoreAddress(kind="influxdb", host="h", database="salt", api="v2", org="Vị Thanh", tls=True)),
    ],
)
def test_store_addresses(text: str, found: StoreAddress) -> None:
    """A file, or host, port, database, dialect, org and TLS."""
    assert parse_store(text) == found


@given(st.text(max_size=60))
def test_any_text_is_an_address_or_one_line(text: str) -> None:
    """No other error ever, whatever stands there."""
    for prefix in ("", "mqtt://", "influxdb://", "influxdb://h?", "mqtt://h?"):
        for parse in (parse_broker, parse_store):
            try:
                parse(prefix + text)
                said = ""
            except ConfigError as error:
                said = str(error)
            assert "\n" not in said
