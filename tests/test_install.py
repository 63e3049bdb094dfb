"""The installer's decisions, with made-up Pythons and package managers in PATH: no network, nothing installed."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tomllib
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
TOOLS = "sh cat cp cut dirname grep id mkdir rm sed sha256sum sort tr chmod".split()  # noqa: SIM905 # a line reads better than a list

# Plays a Python: `new` is 0 when it is 3.11 or later; it can make a venv once the file named by `module` exists.
PYTHON = r"""#!/bin/sh
echo "python{name} $*" >>"$FAKE/log"
case "$2" in
*"version_info < "*) exit {old} ;;
*"import ensurepip"*) [ -e "{module}" ]; exit ;;
*%d.%d.%d*) echo {version}.7; exit ;;
*%d.%d*) echo {version}; exit ;;
esac
case "$1 $2" in
"-m venv") mkdir -p "$3/bin" && cp "$0" "$3/bin/python" && cp "$FAKE/uv" "$3/bin/uv" ;;
esac
exit 0
"""
UV = """#!/bin/sh
echo "uv $*" >>"$FAKE/log"
[ "$1" != sync ] || [ ! -e "$FAKE/uv-fails" ]
"""
APT = """#!/bin/sh
echo "apt-get $*" >>"$FAKE/log"
[ ! -e "$FAKE/apt-fails" ] || exit 100
case "$*" in *install*) : >"$FAKE/venv-module" ;; *) exit 0 ;; esac
for program in mosquitto mosquitto_passwd mosquitto_pub mosquitto_sub influxd chromium curl openssl; do cp "$FAKE/uv" "$SBIN/$program"; done
mkdir -p "$FONTS/truetype/noto" "$LIBS/x86_64-linux-gnu/faketime" "$LIBS/postgresql/15/bin"
: >"$FONTS/truetype/noto/NotoSans-Regular.ttf"
: >"$LIBS/postgresql/15/bin/initdb"
: >"$LIBS/x86_64-linux-gnu/libatomic.so.1"
: >"$LIBS/x86_64-linux-gnu/faketime/libfaketimeMT.so.1"
[ ! -x "$SBIN/policy-rc.d" ] || echo "policy: do not start" >>"$FAKE/log"
"""


@dataclass(frozen=True, kw_only=True)
class Machine:
    """A checkout at `root`, and a machine whose programs are all in `bin` and `sbin`."""

    root: Path
    fake: Path

    @property
    def bin(self) -> Path:
        return self.fake / "bin"

    def put(self, name: str, text: str, folder: str = "bin") -> None:
        (self.fake / folder / name).write_text(text)
        (self.fake / folder / name).chmod(0o755)

    def python(self, name: str, version: str, *, venv: bool = True) -> None:
        """A Python called `name`; without `venv` it lacks the module until apt-get installs it."""
        old = int(tuple(map(int, version.split("."))) < (3, 11))
        module = self.fake if venv else self.fake / "venv-module"
        text = PYTHON.replace("{name}", name.removeprefix("python")).replace("{version}", version).replace("{old}", str(old)).replace("{module}", str(module))
        self.put(name, text)

    def user(self, uid: int) -> None:
        self.bin.joinpath("id").unlink(missing_ok=True)
        self.put("id", f"#!/bin/sh\necho {uid}\n")

    def run(self, script: str, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        settings = {
            "PATH": str(self.bin),
            "FAKE": str(self.fake),
            "SBIN": str(self.fake / "sbin"),
            "FONTS": str(self.fake / "fonts"),
            "LIBS": str(self.fake / "lib"),
            "HOME": str(self.fake),
            **environment,
        }
        return subprocess.run([self.root / "deploy" / script, *arguments], env=settings, capture_output=True, text=True, timeout=60, check=False)

    def install(self, *groups: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return self.run("install.sh", *groups, **environment)

    def log(self) -> str:
        """What was called since the last look."""
        path = self.fake / "log"
        text = path.read_text() if path.exists() else ""
        path.unlink(missing_ok=True)
        return text


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """A machine with the usual small tools, no Python and no apt-get; we are not root."""
    made = Machine(root=tmp_path / "checkout", fake=tmp_path / "fake")
    for folder in (made.root / "deploy", made.bin, made.fake / "sbin"):
        folder.mkdir(parents=True)
    for name in ("install.sh", "test_servers.sh", "uv.txt"):
        shutil.copy(ROOT / "deploy" / name, made.root / "deploy")
    for name in ("uv.lock", "pyproject.toml"):
        (made.root / name).write_text(name)
    for tool in TOOLS:
        made.bin.joinpath(tool).symlink_to(shutil.which(tool) or tool)
    made.put("uv", UV, folder=".")
    made.user(1000)
    return made


def one_line(result: subprocess.CompletedProcess[str]) -> str:
    assert result.returncode == 1, result.stderr
    assert result.stdout == ""
    assert result.stderr.count("\n") == 1, result.stderr
    return result.stderr


def test_a_python_that_is_too_old(machine: Machine) -> None:
    """A Python under 3.11 is one line that says so, and nothing is made."""
    machine.python("python3", "3.9")
    assert re.search(r"needs Python 3\.11 or newer, python3 here is 3\.9\.7;", one_line(machine.install()))
    assert not (machine.root / ".venv").exists()


def test_no_python(machine: Machine) -> None:
    """Without any Python the line says that."""
    assert "python3 here is not installed" in one_line(machine.install())


def test_a_newer_python_beside_an_old_one(machine: Machine) -> None:
    """python3.12 is found where python3 is too old."""
    machine.python("python3", "3.9")
    machine.python("python3.12", "3.12")
    assert machine.install().returncode == 0
    assert "python3.12 -m venv" in machine.log()


def test_one_may_be_named(machine: Machine) -> None:
    """PYTHON chooses, and a bad choice is named."""
    machine.python("python3.11", "3.11")
    machine.python("mine", "3.13")
    machine.python("theirs", "3.10")
    assert "theirs here is 3.10.7" in one_line(machine.install(PYTHON="theirs"))
    assert machine.install(PYTHON="mine").returncode == 0
    assert "pythonmine -m venv" in machine.log()


def test_without_the_venv_module_and_not_root(machine: Machine) -> None:
    """Where Debian's python3-venv is missing and we may not install it, one line names it, and apt-get is not called."""
    machine.python("python3", "3.11", venv=False)
    machine.put("apt-get", APT)
    assert "install the package python3-venv " in one_line(machine.install())
    assert "apt-get" not in machine.log()
    assert not (machine.root / ".venv").exists()


def test_a_python_that_can_make_one_is_preferred(machine: Machine) -> None:
    """A Python without the module is passed over where another has it."""
    machine.python("python3.11", "3.11", venv=False)
    machine.python("python3", "3.13")
    assert machine.install().returncode == 0
    assert "python3 -m venv" in machine.log()


def test_root_installs_the_venv_module(machine: Machine) -> None:
    """As root the package is installed: python3-venv for the default Python."""
    machine.python("python3", "3.11", venv=False)
    machine.put("apt-get", APT)
    machine.user(0)
    result = machine.install()
    assert result.returncode == 0, result.stderr
    calls = machine.log()
    assert re.search(r"apt-get install .*python3-venv\n", calls)
    assert "python3 -m venv" in calls


def test_root_installs_the_module_of_another_python(machine: Machine) -> None:
    """For a Python that is not the default one it is that version's package."""
    machine.python("python3", "3.9")
    machine.python("python3.12", "3.12", venv=False)
    machine.put("apt-get", APT)
    machine.user(0)
    assert machine.install().returncode == 0
    assert re.search(r"apt-get install .*python3\.12-venv\n", machine.log())


@pytest.mark.parametrize("apt", [True, False])
def test_root_where_the_package_cannot_be_had(machine: Machine, apt: bool) -> None:
    """Where apt-get fails, or there is none (another distribution), the package is named all the same."""
    machine.python("python3", "3.11", venv=False)
    machine.user(0)
    (machine.fake / "apt-fails").touch()
    if apt:
        machine.put("apt-get", APT)
    result = machine.install()
    assert result.returncode == 1
    assert "python3-venv" in result.stderr.splitlines()[-1]


def test_the_lock_is_what_is_installed(machine: Machine) -> None:
    """uv comes with its hashes, and installs the lock as it stands; no index is named."""
    machine.python("python3", "3.11")
    assert machine.install().returncode == 0
    calls = machine.log()
    assert re.search(r"-m pip install .*--require-hashes .*deploy/uv\.txt\n", calls)
    assert re.search(r"uv sync --frozen (?!.*--group)", calls)
    assert "http" not in calls


def test_a_second_time_does_nothing(machine: Machine) -> None:
    """Installed is installed, until the lock changes; groups add up and are not taken away."""
    machine.python("python3", "3.11")
    assert machine.install().returncode == 0
    machine.log()
    assert machine.install().returncode == 0
    assert "install" not in machine.log()
    assert machine.install("test").returncode == 0
    assert re.search(r"uv sync .*--group test\n", machine.log())
    assert machine.install().returncode == 0
    assert "sync" not in machine.log()
    (machine.root / "uv.lock").write_text("another")
    assert machine.install("lint").returncode == 0
    calls = machine.log()
    assert re.search(r"uv sync .*--group lint --group test\n", calls)
    assert "venv" not in calls.replace(".venv", "")


def test_an_extra_is_installed_once_and_stays(machine: Machine) -> None:
    """`extra:grafana` is uv's --extra, not a group; it adds up with groups and stays over a new lock."""
    machine.python("python3", "3.11")
    assert machine.install("extra:grafana").returncode == 0
    assert re.search(r"uv sync (?!.*--group).*--extra grafana\n", machine.log())
    assert machine.install("extra:grafana").returncode == 0
    assert "sync" not in machine.log()
    assert machine.install("test").returncode == 0
    assert re.search(r"uv sync .*--extra grafana --group test\n", machine.log())
    assert machine.install().returncode == 0
    assert "sync" not in machine.log()
    (machine.root / "uv.lock").write_text("another")
    (machine.fake / "uv-fails").touch()
    assert machine.install().returncode == 0
    assert re.search(r"uv export --frozen .*--extra grafana --group test\n", machine.log())


def test_a_half_made_one_is_made_anew(machine: Machine) -> None:
    """An install that was cut short, a .venv without a Python, and one that was moved are replaced."""
    machine.python("python3", "3.11")
    venv = machine.root / ".venv"
    for damage in (
        lambda: venv.mkdir(),
        lambda: (venv / ".canhman-begun").touch(),
        lambda: (venv / "bin" / "python").unlink(),
        lambda: (venv / ".canhman-installed").write_text("place /elsewhere\n"),
    ):
        damage()
        (venv / "leftover").touch()
        assert machine.install().returncode == 0
        assert "-m venv" in machine.log()
        assert not (venv / "leftover").exists()
        assert machine.install().returncode == 0
        assert "sync" not in machine.log()


def test_a_failed_install_is_not_taken_for_a_finished_one(machine: Machine) -> None:
    """Where neither uv nor pip gets the packages it says so, and the next run starts again."""
    machine.python("python3", "3.11")
    (machine.fake / "uv-fails").touch()
    broken = PYTHON.replace("exit 0\n", 'case "$*" in *locked.txt*) exit 1 ;; esac\nexit 0\n')
    machine.put("python3", broken.replace("{name}", "3").replace("{version}", "3.11").replace("{old}", "0").replace("{module}", str(machine.fake)))
    result = machine.install()
    assert result.returncode == 1
    assert "could not be installed" in result.stderr.splitlines()[-1]
    machine.log()
    (machine.fake / "uv-fails").unlink()
    assert machine.install().returncode == 0
    assert "uv sync" in machine.log()


def test_pip_takes_over_with_the_same_hashes(machine: Machine) -> None:
    """Where the places in the lock cannot be reached, pip installs the same files from the index the machine is set up with."""
    machine.python("python3", "3.11")
    (machine.fake / "uv-fails").touch()
    assert machine.install("test").returncode == 0
    calls = machine.log()
    assert re.search(r"uv export --frozen .*--group test\n", calls)
    assert re.search(r"-m pip install .*--require-hashes -r .*locked\.txt\n", calls)
    assert re.search(r"-m pip install .*--no-deps --editable \.\n", calls)


def test_the_pinned_uv_is_the_locked_one() -> None:
    """deploy/uv.txt holds the version and exactly the hashes of uv.lock."""
    (uv,) = [p for p in tomllib.loads((ROOT / "uv.lock").read_text())["package"] if p["name"] == "uv"]
    text = (ROOT / "deploy" / "uv.txt").read_text()
    assert f"uv=={uv['version']} " in text
    assert set(re.findall(r"--hash=(\S+)", text)) == {f["hash"] for f in (uv["sdist"], *uv["wheels"])}


# ---------------------------------------------------------------- servers


def test_missing_servers_are_named(machine: Machine) -> None:
    """Not root: what is missing is named with the way to get it, and the tests go on without."""
    machine.put("mosquitto", UV, folder="sbin")
    machine.put("mosquitto_passwd", UV)
    machine.put("apt-get", APT)
    result = machine.run("test_servers.sh")
    assert result.returncode == 0
    assert "missing: chromium curl influxdb mosquitto-clients openssl fonts-noto-core libatomic1 postgresql faketime." in result.stderr
    assert "sudo apt-get install chromium curl influxdb mosquitto-clients openssl fonts-noto-core libatomic1 postgresql faketime" in result.stderr
    assert "skipped" in result.stderr
    assert machine.log() == ""


def test_in_ci_nothing_may_be_missing(machine: Machine) -> None:
    """With REQUIRE_SERVERS=1 a missing server is an error."""
    result = machine.run("test_servers.sh", REQUIRE_SERVERS="1")
    assert "chromium curl influxdb mosquitto mosquitto-clients openssl fonts-noto-core libatomic1 postgresql faketime" in one_line(result)


def test_root_gets_them_without_starting_daemons(machine: Machine) -> None:
    """As root they are installed while a policy keeps their daemons from starting; the policy goes away again."""
    machine.put("apt-get", APT)
    machine.user(0)
    result = machine.run("test_servers.sh", REQUIRE_SERVERS="1")
    assert result.returncode == 0, result.stderr
    calls = machine.log()
    assert all(
        re.search(rf"apt-get install .* {package}\n", calls)
        for package in ("mosquitto", "mosquitto-clients", "influxdb", "chromium", "curl", "openssl", "fonts-noto-core", "libatomic1", "postgresql", "faketime")
    )
    assert calls.count("policy: do not start") == calls.count("apt-get install")
    assert not (machine.fake / "sbin" / "policy-rc.d").exists()
    assert machine.run("test_servers.sh").stderr == ""
    assert machine.log() == ""


def test_a_policy_of_the_machine_is_kept(machine: Machine) -> None:
    """A policy that stood there before (containers have one) is left as it is."""
    machine.put("apt-get", APT)
    machine.put("policy-rc.d", "#!/bin/sh\nexit 101 # mine\n", folder="sbin")
    machine.user(0)
    assert machine.run("test_servers.sh").returncode == 0
    assert "mine" in (machine.fake / "sbin" / "policy-rc.d").read_text()


def test_a_daemon_that_ran_before_is_left_alone(machine: Machine) -> None:
    """Only what was started by our install is stopped and disabled."""
    machine.put("apt-get", APT)
    machine.put("systemctl", '#!/bin/sh\necho "systemctl $*" >>"$FAKE/log"\n[ "$1" != is-active ] || [ "$3" = influxdb ]\n')
    machine.user(0)
    assert machine.run("test_servers.sh").returncode == 0
    calls = machine.log()
    assert "systemctl disable --now --quiet mosquitto\n" in calls
    assert "disable --now --quiet influxdb" not in calls


def test_scripts_can_be_run() -> None:
    """What make and CI call by its path has its x bit."""
    assert all(os.access(ROOT / f, os.X_OK) for f in ("deploy/install.sh", "deploy/test_servers.sh", ".ci/run"))
