"""Files that Grafana reads at its start: the datasource, and where the boards are. JSON, which is YAML too.

No secret stands in a file: Grafana takes it from its own environment, where `GRAFANA_STORE_PASSWORD` (InfluxDB 1.x) or
`GRAFANA_STORE_TOKEN` (2.x) is set.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

UID = "canhman"  # of datasource and folder: it is in boards and bookmarks and never changes
FOLDER = "Canh Mặn"
PASSWORD_VARIABLE = "GRAFANA_STORE_PASSWORD"  # noqa: S105 a variable's name; not CANHMAN_…, of which we know every name
TOKEN_VARIABLE = "GRAFANA_STORE_TOKEN"  # noqa: S105 the same
_BOARDS = "dashboards"


@dataclass(frozen=True, slots=True, kw_only=True)
class Store:
    """The InfluxDB that Grafana asks, at the `url` Grafana sees. `user` and `password` for v1, `token` for v2; empty: none is asked for."""

    url: str
    database: str
    api: Literal["v1", "v2"] = "v1"
    user: str = ""
    password: str = ""
    token: str = ""


def datasource(store: Store) -> dict[str, Any]:
    """The datasource as Grafana's API takes it, with its secrets.

    The name of the database stands twice: Grafana 9.4 reads `database`, later versions `jsonData.dbName`.
    """
    found: dict[str, Any] = {
        "name": UID,
        "uid": UID,
        "type": "influxdb",
        "access": "proxy",
        "url": store.url,
        "database": store.database,
        "user": "",
        "basicAuth": False,
        "isDefault": False,
        "jsonData": {"dbName": store.database, "httpMode": "POST"},
        "secureJsonData": {},
    }
    if store.api == "v2":  # no InfluxQL on 2.x with a user and a password, unless somebody makes one of 1.x there
        found["jsonData"]["httpHeaderName1"] = "Authorization"
        found["secureJsonData"]["httpHeaderValue1"] = f"Token {store.token}"
    elif store.user:
        found["user"] = store.user
        found["secureJsonData"]["password"] = store.password
    return found


def datasource_file(store: Store) -> str:
    """provisioning/datasources/canhman.yaml."""
    named = datasource(replace(store, password="", token=""))
    secrets = {"password": f"${{{PASSWORD_VARIABLE}}}", "httpHeaderValue1": f"Token ${{{TOKEN_VARIABLE}}}"}
    made = _escaped(named) | {"secureJsonData": {name: secrets[name] for name in named["secureJsonData"]}, "orgId": 1, "version": 1, "editable": False}
    return _text("the datasource of Canh Mặn", {"apiVersion": 1, "datasources": [made]})


def provider_file(path: str) -> str:
    """provisioning/dashboards/canhman.yaml; `path` is the folder of the boards' files as Grafana sees it."""
    provider = {
        "name": UID,
        "orgId": 1,
        "folder": FOLDER,
        "folderUid": UID,
        "type": "file",
        "disableDeletion": False,
        "allowUiUpdates": False,
        "updateIntervalSeconds": 60,
        "options": {"path": path},
    }
    return _text("where the boards of Canh Mặn are", {"apiVersion": 1, "providers": [_escaped(provider)]})


def files(boards: Mapping[str, str], *, store: Store | None, path: str) -> dict[str, str]:
    """Every file by its name in the folder that is built. `boards` are their texts by uid; without a `store` there is no datasource."""
    found = {f"{_BOARDS}/{uid}.json": text for uid, text in boards.items()}
    found["provisioning/dashboards/canhman.yaml"] = provider_file(f"{path.rstrip('/')}/{_BOARDS}")
    if store is not None:
        found["provisioning/datasources/canhman.yaml"] = datasource_file(store)
    return dict(sorted(found.items()))


def _escaped(value: Any) -> Any:
    """Grafana puts its environment in wherever a `$` stands: ours are doubled."""
    if isinstance(value, str):
        return value.replace("$", "$$")
    if isinstance(value, dict):
        return {name: _escaped(v) for name, v in value.items()}
    return value


def _text(what: str, document: Mapping[str, Any]) -> str:
    return f"# Made by `canhman dashboards build`: {what}. What is changed here by hand is lost.\n" + json.dumps(document, ensure_ascii=False, indent=2) + "\n"
