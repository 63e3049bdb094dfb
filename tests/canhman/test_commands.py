"""Every command: help with an example, exit codes 0, 1 and 2, and never a traceback."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer
from servers.front import Front
from typer.main import get_command

from canhman import cli
from core.errors import ConfigError


def commands() -> Iterator[tuple[str, typer.core.TyperCommand]]:
    """Every command that does something, by its words."""

    def walk(words: str, command: object) -> Iterator[tuple[str, typer.core.TyperCommand]]:
        if isinstance(command, typer.core.TyperGroup):
            for name, inner in command.commands.items():
                yield from walk(f"{words} {name}".strip(), inner)
        else:
            assert isinstance(command, typer.core.TyperCommand)
            yield words, command

    return walk("", get_command(cli.build()))


COMMANDS = dict(commands())
WORDS = sorted(COMMANDS)


def test_the_commands_of_this_version() -> None:
    """What the issue lists is there, and nothing that is not built."""
    built = {"demo", "up", "simulate", "replay", "ingest", "judge", "forecast", "alerts", "serve", "publish", "doctor", "migrate"}
    built |= {
        "backtest",
        "broker",
        "dashboards",
        "orgs",
        "devices",
        "stations",
        "users",
        "deadletters",
        "train",
        "models",
        "journal",
        "redecode",
        "top",
        "bench",
    }
    assert {words.split()[0] for words in WORDS} == built


@pytest.mark.parametrize("words", WORDS)
def test_help_has_an_example_of_this_command(words: str, front: Front) -> None:
    """`--help` ends with one line that can be copied, and says what the command does."""
    command = COMMANDS[words]
    assert command.epilog is not None
    assert command.epilog.startswith("Example: ")
    assert f"canhman {words}" in command.epilog
    shown = " ".join(front.ok(*words.split(), "--help").out.split())
    assert " ".join(command.epilog.split()) in shown
    assert (command.help or "").split("\n")[0].split(".")[0] in shown


@pytest.mark.parametrize("words", WORDS)
def test_every_option_is_explained(words: str) -> None:
    """An option without a sentence is a riddle."""
    silent = [p.name for p in COMMANDS[words].params if isinstance(p, typer.core.TyperOption) and not p.help]
    assert not silent


@pytest.mark.parametrize(
    "words", [w for w in WORDS if w.split()[-1] in ("list", "show", "publish", "doctor", "replay", "simulate", "apply", "join-key", "credential")]
)
def test_results_can_be_had_as_json(words: str) -> None:
    """Whatever prints results has --json (`stations publish` prints none)."""
    names = {name for p in COMMANDS[words].params for name in p.opts}
    assert "--json" in names or words == "stations publish"


@pytest.mark.parametrize("words", [*WORDS, "", "orgs", "devices", "stations", "broker", "deadletters"])
def test_an_unknown_option_is_used_wrongly(words: str, front: Front) -> None:
    """Exit code 2, and the option is named."""
    done = front(*words.split(), "--no-such-option")
    assert done.code == 2
    assert "--no-such-option" in done.err
    assert "Traceback" not in done.err


@pytest.mark.parametrize(
    "words",
    [
        "nonsense",
        "devices nonsense",
        "devices approve",
        "devices swap kl01",
        "deadletters show x",
        "deadletters show 0",
        "deadletters show 99999999999999999999",
        "deadletters replay 99999999999999999999",
        "deadletters list --limit 0",
        "deadletters replay 1 --shift 7",
        "replay /no/such/file.csv",
        "stations apply /no/such/file.toml",
        "broker init --port 0",
        "broker sync --pid-file /no/such.pid",
        "simulate --devices 0",
        "simulate --rate 0",
        "ingest --wait -1",
        "publish kl01",
    ],
)
def test_what_cannot_be_meant_is_exit_code_2(words: str, front: Front) -> None:
    """Wrong use is told apart from failure."""
    done = front(*words.split())
    assert done.code == 2, done
    assert "Traceback" not in done.err


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ("devices approve zz", "devices list"),
        ("devices reject zz", "devices list"),
        ("devices credential zz", "devices list"),
        ("devices deploy zz --station x", "devices list"),
        ("devices deploy kl01 --station zz", "stations list"),
        ("devices deploy kl01 --station kenh-lau --point Đáy --at 2026-03-02T10:00:00Z", "a-z"),
        ("devices deploy kl01 --station kenh-lau --point device --at 2026-03-02T10:00:00Z", "device.*"),
        ("devices deploy kl01 --station kenh-lau --depth nan --at 2026-03-02T10:00:00Z", "depth_m nan"),
        ("devices withdraw zz", "no device is called"),
        ("devices swap zz kl01", "kl01"),
        ("devices swap kl01 zz", "devices add zz"),
        ("devices add kl01", "registered already"),
        ("devices add org:x", "join keys"),
        ("devices add kl/09", "1 to 64"),
        ("devices add kl09 --org nope", "nope"),
        ("devices add kl09 --station new", "--name"),
        ("orgs add Vị", "a-z"),
        ("orgs join-key zz", "orgs list"),
        ("stations show zz", "stations list"),
        ("stations publish zz", "stations list"),
        ("deadletters show 5", "deadletters list"),
        ("deadletters replay 5", "deadletters list"),
        ("deadletters replay --reason clock", "no unresolved"),
        ("publish kl01 water.ec=2 --org zz", "orgs list"),
        ("simulate --start yesterday", "with a zone"),
        ("simulate --start 2100-01-01T00:00:00Z", "future"),
        ("simulate --speed 0", "CANHMAN_CLOCK=sim"),
        ("broker sync --folder nowhere", "broker init"),
    ],
)
def test_a_failure_is_one_line_with_the_way_out(words: str, says: str, front: Front) -> None:
    """Exit code 1, nothing on standard output, and the thing, the value or the next step is named."""
    front.ok("devices", "add", "kl01", "--station", "kenh-lau", "--name", "Kênh Lầu")
    assert says in front(*words.split()).line


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ("devices deploy kl01 --station kenh-lau --at yesterday", "2026-03-02T10:00:00+07:00"),
        ("devices deploy kl01 --station kenh-lau --at 2026-03-02T10:00:00", "with a zone"),
        ("deadletters replay", "--reason"),
        ("publish kl01 bad", "water.ec=2.31"),
        ("publish kl01 water.ec=nan", "no reading"),
        ("publish kl01 water.ec=2,5", "no reading"),
        ("publish kl01 water.ec=2 --time 2026-03-02T10:00:00", "with a zone"),
        ("broker init --certfile x --folder f", "--keyfile"),
    ],
)
def test_wrong_use_is_one_line_with_the_way_out(words: str, says: str, front: Front) -> None:
    """Exit code 2: what stands on the command line cannot be read, whatever the installation is."""
    front.ok("devices", "add", "kl01", "--station", "kenh-lau", "--name", "Kênh Lầu")
    assert says in front(*words.split()).usage


@pytest.mark.parametrize(("folder", "why"), [("file", "file"), ("file/below", "file")])
@pytest.mark.parametrize("words", ["orgs list", "doctor", "migrate", "ingest --wait 0", "judge --once --wait 0", "broker init --folder f"])
def test_a_data_folder_that_cannot_be(words: str, folder: str, why: str, front: Front, tmp_path: Path) -> None:
    """A file stands in its place: one line (in doctor a red one)."""
    (tmp_path / "file").write_text("")
    done = front(*words.split(), DATA=str(tmp_path / folder))
    assert done.code == 1
    assert "CANHMAN_DATA" in done.out + done.err
    assert "Traceback" not in done.err


def test_the_machines_own_errors_are_one_line(front: Front, tmp_path: Path) -> None:
    """A folder where the secret should be: nobody foresaw it, and it is a sentence all the same."""
    front.ok("migrate")
    (front.data / "secret").mkdir()
    assert "secret" in front("orgs", "join-key", "default").line


def test_a_damaged_secret_is_told(front: Front) -> None:
    """An empty secret would give everybody the same join keys."""
    front.ok("migrate")
    (front.data / "secret").write_text("")
    assert "secret" in front("orgs", "join-key", "default").line
    (front.data / "secret").write_bytes(b"\xff" * 40)
    assert "secret" in front("orgs", "join-key", "default").line


def test_as_a_process() -> None:
    """`python -m canhman --version`, and a pipe that closes early is no traceback."""
    done = subprocess.run([sys.executable, "-m", "canhman", "--version"], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.startswith("canhman ")
    with subprocess.Popen([sys.executable, "-m", "canhman", "--help"], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.close()
        assert process.stderr is not None
        assert b"Traceback" not in process.stderr.read()
        process.wait(60)


@pytest.mark.sockets
def test_what_a_stranger_sent_never_drives_the_terminal(front: Front) -> None:
    """Escape sequences and turned lines in a waiting message, a name, a dead letter are spelt out (T40)."""
    from core.deadletter import DeadLetter
    from core.place import Station
    from core.state import Commit, Waiting

    hostile = '\x1b]0;owned\x07 \x1b[2J \u202e <img src=x onerror=alert(1)> =HYPERLINK("http://x.example";"Kênh")'
    head = hostile.encode()
    letter = DeadLetter(reason="malformed", text=hostile, journal="j", position=1, topic=hostile, org="", device="", received=1, head=head)
    wait = Waiting(org="default", device="kl99", journal="j", position=2, received=1, size=len(head), head=head)
    front.database(lambda db: db.commit(Commit(journal="j", state_cursor=3, dead=(letter,), waiting=(wait,))))
    with pytest.raises(ConfigError, match=r"U\+202E"):
        front.database(lambda db: db.put(Station(id="odd", org="default", name="[bold]<b>=1+1 \u202e"), actor="t"))
    front.database(lambda db: db.put(Station(id="odd", org="default", name="[bold]<b>=1+1"), actor="t"))
    for words in ("devices list", "deadletters list", "deadletters show 1", "stations list", "stations show odd", "doctor"):
        shown = front(*words.split()).out
        assert not set(shown) & set("\x1b\x07\u202e"), words
    assert "<img src=x onerror=alert(1)>" in front("deadletters", "show", "1").out
    assert "[bold]<b>=1+1" in front("stations", "list").out
    assert front("devices", "list", "--json").json["waiting"][0]["head"] == hostile


@pytest.mark.parametrize("words", ["models", "train", "backtest docs/datasets/mekong.toml"])
def test_ctrl_c_is_one_line_and_exit_code_130(words: str, front: Front, monkeypatch: pytest.MonkeyPatch) -> None:
    """Wherever it comes while a command works."""

    def pressed(*args: object, **named: object) -> None:
        raise KeyboardInterrupt

    for work in ("canhman.training.listed", "canhman.training.known_of_store", "canhman.backtesting.run"):
        monkeypatch.setattr(work, pressed)
    done = front(*words.split())
    assert (done.code, done.out, done.err) == (130, "", "canhman: ended by Ctrl-C\n")


def test_ctrl_c_ends_a_training_while_it_learns(front: Front, monkeypatch: pytest.MonkeyPatch) -> None:
    """At once, and not when the model is done: asyncio by itself would wait for the next await."""
    went_on = []

    async def learns(*args: object, **named: object) -> None:
        signal.raise_signal(signal.SIGINT)
        went_on.append(True)

    monkeypatch.setattr("canhman.training.known_of_store", learns)
    before = signal.getsignal(signal.SIGINT)
    try:
        done = front("train")
    finally:
        signal.signal(signal.SIGINT, before)
    assert (done.code, done.err, went_on) == (130, "canhman: ended by Ctrl-C\n", [])
