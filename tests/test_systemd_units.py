"""The shipped units, the settings file and the wrapper: every command, option, variable and path in them exists, and they agree with each other."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import typer.main
from servers.typed_page import blocks
from servers.units import Unit, read_environment, read_unit, words

from canhman.cli import build
from canhman.settings import PREFIX, Settings
from canhman.up import STOP_S, all_services

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "deploy" / "systemd"
UNITS = {p.name: read_unit(p) for p in sorted(FOLDER.glob("*.*")) if p.suffix in (".service", ".target", ".timer")}
SERVICES = {name: unit for name, unit in UNITS.items() if name.endswith(".service") and name != "canhman-backup.service"}
PAGE = (ROOT / "docs" / "install.md").read_text("utf-8")
WORKER = "canhman-ingest@.service"
KNOWN = {PREFIX + name.upper() for name in Settings.model_fields}
ELSEWHERE = re.compile(r"CANHMAN_GRAFANA\w*")  # whoever pushes boards gives them by hand; no service reads them


def program(unit: Unit) -> list[str]:
    return words(unit.one("Service", "ExecStart"), {})


def test_there_is_a_unit_for_every_service_and_one_for_all() -> None:
    """`canhman.service` runs `up`; beside it each service of `up`, and the judge, has one of its own name, and each worker of a shared ingest one of his."""
    commands = {name: program(unit)[1] for name, unit in SERVICES.items()}
    own = {f"canhman-{name}.service": name for name in (*all_services(), "judge")}
    assert commands == {"canhman.service": "up", WORKER: "ingest"} | own
    assert set(UNITS["canhman.target"].all("Unit", "Wants")) == {f"canhman-{name}.service" for name in all_services()}


@pytest.mark.parametrize("name", SERVICES)
def test_its_command_and_options_exist(name: str) -> None:
    """What ExecStart says is taken by our command line."""
    commands: Any = typer.main.get_command(build())
    path, sub, *options = program(SERVICES[name])
    assert path == "/opt/canhman/.venv/bin/canhman"
    commands.commands[sub].make_context(sub, options).close()


@pytest.mark.parametrize("name", SERVICES)
def test_it_reloads_stops_and_comes_back(name: str) -> None:
    """SIGHUP reloads, SIGTERM stops, systemd waits longer than we may take, and goes on trying for ever."""
    unit = SERVICES[name]
    assert unit.one("Service", "ExecReload") == "/bin/kill -HUP $MAINPID"
    assert unit.one("Service", "KillSignal") == "SIGTERM"
    assert float(unit.one("Service", "TimeoutStopSec")) > STOP_S + 5
    assert (unit.one("Service", "Restart"), unit.one("Unit", "StartLimitIntervalSec")) == ("on-failure", "0")
    assert unit.one("Service", "RestartForceExitStatus") == "SIGHUP", "else a reload at the wrong moment ends it for good"


def test_the_services_differ_in_their_command_alone() -> None:
    """User, folders and hardening are the same for all; one that lacks a line would be found by nobody."""
    alike = {name: unit.keys("Service") | {"ExecStart": [], "Environment": []} for name, unit in SERVICES.items()}
    assert len({str(sorted(keys.items())) for keys in alike.values()}) == 1
    some = next(iter(SERVICES.values()))
    assert (some.one("Service", "NoNewPrivileges"), some.one("Service", "ProtectSystem"), some.one("Service", "CapabilityBoundingSet")) == ("yes", "strict", "")


def test_one_process_and_many_exclude_each_other() -> None:
    """Two ingests on one folder must not be: a unit of the target stops canhman.service, and is stopped with the target."""
    for name, unit in SERVICES.items():
        if name != "canhman.service":
            assert unit.all("Unit", "Conflicts") == ["canhman.service"]
            assert unit.all("Unit", "PartOf") == ["canhman.target"] == unit.all("Install", "WantedBy")
            assert name in ("canhman-ingest.service", WORKER) or "canhman-ingest.service" in unit.all("Unit", "After")
        assert {"network-online.target", "mosquitto.service", "influxdb.service"} <= set(unit.all("Unit", "After"))
        assert unit.all("Unit", "Wants") == ["network-online.target"]


def test_a_worker_has_its_name_from_its_unit() -> None:
    """`canhman-ingest@a` is the ingest with CANHMAN_WORKER=a, with the command of the lone one; no other unit sets a variable."""
    named = {name: unit.all("Service", "Environment") for name, unit in SERVICES.items()}
    assert named == {name: ["CANHMAN_WORKER=%i"] if name == WORKER else [] for name in SERVICES}
    assert program(SERVICES[WORKER]) == program(SERVICES["canhman-ingest.service"])
    assert "%i" in SERVICES[WORKER].one("Unit", "Description")


def test_users_and_paths_are_those_of_the_page() -> None:
    """What a unit names the page makes: user, settings, data, backups, program."""
    for name, unit in {**SERVICES, "canhman-backup.service": UNITS["canhman-backup.service"]}.items():
        assert (unit.one("Service", "User"), unit.one("Service", "Group")) == ("canhman", "canhman"), name
        assert unit.one("Service", "StateDirectory") == "canhman"
        for path in re.findall(r"/(?:opt|etc|var)/[\w./-]+", " ".join(v for vs in unit.keys("Service").values() for v in vs)):
            made = path if path.startswith(("/etc", "/var")) else "/opt/canhman"
            assert made in PAGE, f"{name}: {path} is not in docs/install.md"
            if path.startswith("/opt/canhman/") and ".venv" not in path:
                assert ROOT.joinpath(path.removeprefix("/opt/canhman/")).exists(), path
    assert "adduser --system --group --home /var/lib/canhman --no-create-home canhman" in PAGE


def test_a_strict_reader_refuses_what_systemd_only_warns_of(tmp_path: Path) -> None:
    """A misspelt key, a comment after a value and a section nobody knows do not pass."""
    for text in ("[Service]\nNoNewPriviliges=yes\n", "[Service]\nType=exec # here\n", "[Servise]\nType=exec\n", "[Service]\nType=exec\nType=simple\n"):
        path = tmp_path / "x.service"
        path.write_text(text)
        with pytest.raises(ValueError, match=r"x\.service:\d"):
            read_unit(path)


def test_systemd_itself_finds_nothing(tmp_path: Path) -> None:
    """`systemd-analyze verify` where it is at hand, with programs that are there."""
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is not here")
    for name in UNITS:
        text = re.sub(r"/opt/canhman/\.venv/bin/\w+", "/bin/true", (FOLDER / name).read_text("utf-8"))
        (tmp_path / name.replace("@.", "@a.")).write_text(text, "utf-8")
    files = [str(path) for path in tmp_path.iterdir()]
    done = subprocess.run(["systemd-analyze", "verify", "--man=no", *files], capture_output=True, text=True, timeout=120, check=False)
    said = [line for line in (done.stdout + done.stderr).splitlines() if "canhman" in line]
    assert (done.returncode, said) == (0, [])


# ---------------------------------------------------------------- the settings file


def settings_file() -> str:
    return (FOLDER / "canhman.env").read_text("utf-8")


def test_every_setting_is_in_the_file_and_nothing_else(tmp_path: Path) -> None:
    """Each variable exists; each that a service reads is there, to be uncommented; all lines can be read as they then stand."""
    named = set(re.findall(r'^#?(CANHMAN_\w+)=".*"$', settings_file(), re.MULTILINE))
    assert named <= KNOWN
    assert {name for name in KNOWN if not ELSEWHERE.fullmatch(name)} - named == set()
    path = tmp_path / "all.env"
    path.write_text(re.sub(r"^#(CANHMAN_)", r"\1", settings_file(), flags=re.MULTILINE))
    assert set(read_environment(path)) == named


def test_it_sets_the_folder_and_holds_no_secret() -> None:
    """As shipped only CANHMAN_DATA is set, to the folder the units may write to; secrets are empty."""
    assert read_environment(FOLDER / "canhman.env") == {"CANHMAN_DATA": "/var/lib/canhman"}
    secrets = [PREFIX + name.upper() for name, field in Settings.model_fields.items() if "SecretStr" in str(field.annotation)]
    for name in set(secrets) & set(re.findall(r"CANHMAN_\w+", settings_file())):
        assert f'#{name}=""\n' in settings_file()


def test_every_variable_of_the_page_exists() -> None:
    """Also those that no test types in (2.x, PostgreSQL, Let's Encrypt)."""
    assert set(re.findall(r"\bCANHMAN_[A-Z_]+\b", PAGE)) <= KNOWN
    for block in blocks(ROOT / "docs" / "install.md"):
        if block.kind == "ini":
            assert re.fullmatch(r'([A-Z_]+="[^"\\$`]*"\n)+', block.text)


# ---------------------------------------------------------------- the wrapper


def wrapper(folder: Path, *, user: str, env: str) -> Path:
    """The wrapper on a machine whose program and `runuser` say what they were called with."""
    shown = folder / "shown"
    shown.write_text('#!/bin/sh\necho "$0 $*"\nenv | grep ^CANHMAN_ | sort\n')
    shown.chmod(0o755)
    (folder / "runuser").write_text('#!/bin/sh\necho "runuser $1 $2"; shift 3; exec "$@"\n')
    (folder / "runuser").chmod(0o755)
    (folder / "id").write_text(f"#!/bin/sh\necho {user}\n")
    (folder / "id").chmod(0o755)
    (folder / "canhman.env").write_text(env, "utf-8")
    text = (FOLDER / "canhman.sh").read_text("utf-8").replace("/etc/canhman/canhman.env", str(folder / "canhman.env"))
    path = folder / "canhman"
    path.write_text(text.replace("/opt/canhman/.venv/bin/canhman", str(shown)))
    path.chmod(0o755)
    return path


def call(path: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    env = {"PATH": f"{path.parent}:/usr/bin:/bin", **environment}
    return subprocess.run([path, *arguments], env=env, capture_output=True, text=True, timeout=30, check=False)


@pytest.mark.parametrize("user", ["root", "canhman"])
def test_the_wrapper_is_the_services_user_with_their_settings(tmp_path: Path, user: str) -> None:
    """Root becomes canhman first; what the caller gives counts before the file, with spaces and quotes as they are."""
    path = wrapper(tmp_path, user=user, env='CANHMAN_STORE="influxdb://h/c?api=v2&org=x y"\nCANHMAN_URL="http://a"\n')
    done = call(path, "users", "add", "Lan Anh", CANHMAN_URL="http://it's b")
    lines = [f"{tmp_path / 'shown'} users add Lan Anh", "CANHMAN_STORE=influxdb://h/c?api=v2&org=x y", "CANHMAN_URL=http://it's b"]
    assert done.stdout.splitlines() == (["runuser -u canhman", *lines] if user == "root" else lines), done.stderr


def test_the_wrapper_says_what_is_missing(tmp_path: Path) -> None:
    """Without a settings file that can be read: one line with the way out."""
    path = wrapper(tmp_path, user="lan", env="")
    (tmp_path / "canhman.env").unlink()
    done = call(path, "doctor")
    assert (done.returncode, done.stdout) == (1, "")
    assert "type this as root" in done.stderr
    assert done.stderr.count("\n") == 1


def test_the_shell_reads_the_file_as_systemd_does(tmp_path: Path) -> None:
    """Every line of the shipped file, uncommented: the same values."""
    text = re.sub(r"^#(CANHMAN_)", r"\1", settings_file(), flags=re.MULTILINE)
    path = wrapper(tmp_path, user="canhman", env=text)
    found = dict(line.split("=", 1) for line in call(path).stdout.splitlines()[1:])
    assert found == read_environment(tmp_path / "canhman.env")
