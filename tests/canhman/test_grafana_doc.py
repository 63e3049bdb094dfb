"""docs/grafana.md: every command of it works as it stands there, and what it says of errors is what is said."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from servers.front import Front
from servers.grafana import FakeGrafana

from dashboards import provisioning

PAGE = (Path(__file__).parents[2] / "docs" / "grafana.md").read_text("utf-8")
COMMANDS = [line for block in re.findall(r"^```sh\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE) for line in block.splitlines()]
STORE = {"STORE": "influxdb://127.0.0.1:8086/canhman", "STORE_TOKEN": "writer:secret"}


def commands(name: str) -> list[list[str]]:
    """The words after `canhman` of each command `dashboards NAME` of the page."""
    return [shlex.split(line)[1:] for line in COMMANDS if line.startswith(f"canhman dashboards {name}")]


def test_every_line_is_one_we_try() -> None:
    """A new kind of line needs a test here."""
    kinds = ("canhman dashboards build", "canhman dashboards push", "canhman dashboards check", "export CANHMAN_")
    assert [line for line in COMMANDS if not line.startswith(kinds)] == []
    assert all(commands(name) for name in ("build", "push", "check"))


def test_the_build_makes_what_the_page_names(front: Front, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Word by word, in an empty folder; the files are the page's."""
    monkeypatch.chdir(tmp_path)
    for words in commands("build"):
        front.ok(*words, **STORE)
    made = {str(path.relative_to(tmp_path / "grafana")) for path in (tmp_path / "grafana").rglob("*") if path.is_file()}
    named = set(re.findall(r"`(provisioning/\S+\.yaml)`", PAGE))
    assert {name for name in made if name.startswith("provisioning")} == named
    assert any(re.fullmatch(r"dashboards/[^/]+\.json", name) for name in made)
    assert provisioning.PASSWORD_VARIABLE in PAGE
    assert provisioning.TOKEN_VARIABLE in PAGE


@pytest.mark.sockets
def test_the_push(front: Front, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the variables the page exports, at an address that is there."""
    exported = dict(shlex.split(line)[1].split("=", 1) for line in COMMANDS if line.startswith("export "))
    server = FakeGrafana(token="glsa_x").start()
    try:
        for name in exported:
            monkeypatch.setenv(name, {"CANHMAN_GRAFANA": server.url, "CANHMAN_GRAFANA_TOKEN": "glsa_x"}.get(name, exported[name]))
        for words in commands("push"):
            front.ok(*words, **STORE)
        assert server.datasources["canhman"]["user"] == "grafana"
        assert server.datasources["canhman"]["secureJsonData"] == {"password": "password"}
    finally:
        server.stop()


def test_the_check(front: Front) -> None:
    """With SQLite, by the rules; the queries are run in tests/e2e."""
    for words in commands("check"):
        front.ok(*words)


def test_what_it_says_of_errors_is_said() -> None:
    """What is slanted in the first column of its table are words of the code."""
    table = PAGE.split("| What it says |")[1].split("\n\n")[0]
    code = "".join((Path(__file__).parents[2] / name).read_text("utf-8") for name in ("dashboards/push.py", "canhman/boards.py"))
    rows = [re.findall(r"\*([^*]+)\*", row.split("|")[1]) for row in table.splitlines()[2:]]
    assert all(rows)
    assert [words for row in rows for words in row if words.strip(" ,:") not in code] == []
