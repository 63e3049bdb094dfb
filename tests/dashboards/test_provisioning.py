"""The files Grafana reads: valid, complete for 9.4 and for later versions, and without a secret."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboards.provisioning import FOLDER, UID, Store, datasource, datasource_file, files, provider_file

V1 = Store(url="http://db:8086", database="canhman", user="reader", password="s3cret")
V2 = Store(url="https://db:8086", database="canhman", api="v2", token="tok-en")


def parsed(text: str) -> Any:
    """The document; JSON under a comment, which YAML reads alike."""
    head, _, rest = text.partition("\n")
    assert head.startswith("# ")
    return json.loads(rest)


def one(text: str) -> dict[str, Any]:
    """The only datasource of a file."""
    document = parsed(text)
    assert document["apiVersion"] == 1
    (found,) = document["datasources"]
    return dict(found)


def expanded(text: str, environment: dict[str, str]) -> str:
    """As Grafana reads a value: `$$` is a dollar, `$NAME` and `${NAME}` come from the environment (nothing where it lacks it)."""

    def from_environment(part: str) -> str:
        return re.sub(r"\$(?:\{(\w*)\}|(\w+))", lambda m: environment.get(m[1] or m[2] or "", ""), part)

    return "$".join(from_environment(part) for part in text.split("$$"))


@pytest.mark.parametrize("store", [V1, V2], ids=lambda s: s.api)
def test_the_database_is_named_for_old_and_new_grafanas(store: Store) -> None:
    """9.4 reads `database`, later ones `jsonData.dbName`; queries are posted; name and uid are what boards look for."""
    for found in (datasource(store), one(datasource_file(store))):
        assert (found["name"], found["uid"], found["type"], found["access"]) == (UID, UID, "influxdb", "proxy")
        assert (found["database"], found["jsonData"]["dbName"], found["jsonData"]["httpMode"]) == ("canhman", "canhman", "POST")
        assert found["url"] == store.url
        assert found["isDefault"] is False
    assert one(datasource_file(store))["editable"] is False


def test_influxdb_1_is_asked_with_a_password_of_grafanas_environment() -> None:
    """The user stands in the file, the password does not."""
    text = datasource_file(V1)
    assert "s3cret" not in text
    assert one(text)["user"] == "reader"
    assert one(text)["secureJsonData"] == {"password": "${GRAFANA_STORE_PASSWORD}"}
    assert expanded(one(text)["secureJsonData"]["password"], {"GRAFANA_STORE_PASSWORD": "a$b"}) == datasource(V1)["secureJsonData"]["password"].replace(
        "s3cret", "a$b"
    )


def test_influxdb_2_is_asked_with_a_header() -> None:
    """2.x takes `Authorization: Token …`; no user is named."""
    found = one(datasource_file(V2))
    assert found["jsonData"]["httpHeaderName1"] == "Authorization"
    assert expanded(found["secureJsonData"]["httpHeaderValue1"], {"GRAFANA_STORE_TOKEN": "tok-en"}) == "Token tok-en"
    assert datasource(V2)["secureJsonData"] == {"httpHeaderValue1": "Token tok-en"}
    assert found["user"] == ""
    assert "tok-en" not in datasource_file(V2)


def test_an_open_influxdb_is_asked_without_a_secret() -> None:
    """Where no user is set none is asked for."""
    assert one(datasource_file(Store(url="http://db:8086", database="canhman")))["secureJsonData"] == {}


NAMES = st.text(st.characters(codec="utf-8"), min_size=1)


@given(NAMES, NAMES)
def test_what_grafana_reads_is_what_was_meant(database: str, user: str) -> None:
    """Whatever name a database or a user has, also with `$`: Grafana's expansion gives it back, and no variable leaks in."""
    environment = {"HOME": "/root", "GRAFANA_STORE_PASSWORD": "s3cret"}
    found = one(datasource_file(Store(url="http://db:8086", database=database, user=user, password="x")))
    assert expanded(found["database"], environment) == expanded(found["jsonData"]["dbName"], environment) == database
    assert expanded(found["user"], environment) == user


def test_boards_are_kept_in_their_folder_and_not_changed_by_hand() -> None:
    """The provider names folder and uid, the path as Grafana sees it, and lets nobody save over the file's board."""
    (provider,) = parsed(provider_file("/etc/grafana/canhman/dashboards"))["providers"]
    assert (provider["folder"], provider["folderUid"], provider["type"]) == (FOLDER, UID, "file")
    assert (provider["allowUiUpdates"], provider["disableDeletion"]) == (False, False)
    assert provider["options"] == {"path": "/etc/grafana/canhman/dashboards"}


def test_the_files_of_a_build() -> None:
    """A file for each board by its uid, one for the provider, one for the datasource where there is an InfluxDB."""
    made = files({"b-1": "{}\n"}, store=V1, path="/srv/grafana/")
    assert list(made) == ["dashboards/b-1.json", "provisioning/dashboards/canhman.yaml", "provisioning/datasources/canhman.yaml"]
    assert parsed(made["provisioning/dashboards/canhman.yaml"])["providers"][0]["options"]["path"] == "/srv/grafana/dashboards"
    assert list(files({}, store=None, path="/srv")) == ["provisioning/dashboards/canhman.yaml"]


def test_yaml_reads_them_alike() -> None:
    """Grafana's parser is one for YAML: the text means the same there."""
    yaml = pytest.importorskip("yaml")
    for text in (datasource_file(V1), datasource_file(V2), provider_file("/srv/đường dẫn")):
        assert yaml.safe_load(text) == parsed(text)
