"""The papers can be followed: every link leads somewhere, every command and variable they name is there."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import typer

from canhman.cli import build
from canhman.settings import Settings
from firmware_sim.device_ids import device_id

ROOT = Path(__file__).parents[1]
PAPERS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
NAMES = [str(path.relative_to(ROOT)) for path in PAPERS]
DEPLOYED = sorted(p for p in (ROOT / "deploy").rglob("*") if p.is_file() and p.suffix != ".pyc")
VARIABLES = {f"CANHMAN_{name.upper()}" for name in Settings.model_fields}


def read(name: str) -> str:
    return (ROOT / name).read_text("utf-8")


# ------------------------------------------------------------ links


def prose(text: str) -> str:
    """Without blocks and pieces of code: what stands there is no link."""
    return re.sub(r"`[^`\n]*`", "", re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE))


def anchors(text: str) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    found: set[str] = set()
    for heading in re.findall(r"^#{1,6} (.*)$", re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE), re.MULTILINE):
        plain = re.sub(r"[^\w\- ]", "", re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).lower()).replace(" ", "-")
        n = 0
        while (name := f"{plain}-{n}" if n else plain) in found:
            n += 1
        found.add(name)
    return found


def links(text: str) -> Iterator[str]:
    """Where the links and pictures of a page lead, those to other sites left out."""
    for link in re.findall(r"\]\(<?([^)>\s]+)>?\)", prose(text)) + re.findall(r'(?:src|href|srcset)="([^"]+)"', text):
        if not re.match(r"[a-z]+:", link):
            yield link


def broken(path: Path) -> list[str]:
    """The links of a page that lead nowhere."""
    found = []
    for link in links(path.read_text("utf-8")):
        target, _, anchor = link.partition("#")
        there = (path.parent / target).resolve() if target else path
        if not there.exists() or (anchor and anchor not in anchors(there.read_text("utf-8"))):
            found.append(link)
    return found


@pytest.mark.parametrize("name", NAMES)
def test_every_link_leads_somewhere(name: str) -> None:
    """Files, folders and headings of this project; other sites are not asked."""
    assert broken(ROOT / name) == []


def test_a_broken_link_is_noticed(tmp_path: Path) -> None:
    """A file that is away, a heading that is away; a second heading of the same name has a number."""
    page = tmp_path / "page.md"
    page.write_text("# A b\n\n# A b\n\n[x](#a-b) [x](#a-b-1) [x](#a-b-2) [x](gone.md) [x](page.md#away) `[x](no.md)` [x](https://example.vn)\n")
    assert broken(page) == ["#a-b-2", "gone.md", "page.md#away"]


def test_every_page_is_in_the_index() -> None:
    """docs/README.md names each page beside it, and the decisions' index each decision."""
    for folder in ("docs", "docs/decisions"):
        named = {link.partition("#")[0] for link in links(read(f"{folder}/README.md"))}
        assert {path.name for path in (ROOT / folder).glob("*.md")} - named - {"README.md"} == set()


# ------------------------------------------------------------ commands


@cache
def root() -> Any:
    """The command line."""
    return typer.main.get_command(build())


def typed(text: str) -> Iterator[list[str]]:
    """The words of every `canhman …` in the shell blocks of a page."""
    for kind, block in re.findall(r"^```(.*?)$(.*?)^```", text, re.DOTALL | re.MULTILINE):
        if kind.split(" ")[0] not in ("", "sh", "bash", "console"):
            continue
        for line in re.sub(r"\\\n", " ", block).splitlines():
            if "canhman" in line:
                yield from commands(line.removeprefix("$ "))


def commands(line: str) -> Iterator[list[str]]:
    """Every call of canhman in one line of shell, its words without the program."""
    lexer = shlex.shlex(line, posix=True, punctuation_chars="|&;<>()")
    lexer.whitespace_split = True
    try:
        tokens = [*lexer, ";"]
    except ValueError:  # a quote that goes on in the next line: no command of ours does
        return
    part: list[str] = []
    for token in tokens:
        if not set(token) <= set("|&;<>()"):
            part.append(token)
            continue
        program = next((n for n, word in enumerate(part) if Path(word).name == "canhman" and all(map(is_before, part[:n]))), None)
        if program is not None:
            yield part[program + 1 :]
        part = [">"] if token[0] in "<>" else []  # what comes next is a file


def is_before(word: str) -> bool:
    """Whether it may stand before the program: a variable, or what runs a program as somebody."""
    return "=" in word or word in ("sudo", "exec", "time", "export")


def unknown(words: list[str], *, whole: bool) -> str:
    """What the command line does not know in these words; nothing where it knows all. `whole`: arguments may not be missing."""
    command = root()
    rest = list(words)
    while hasattr(command, "commands"):
        if rest and rest[0] in ("--version", "--help"):
            return ""
        if not rest:
            return "" if not whole else "which command?"
        if rest[0] not in command.commands:
            return "" if not whole and re.fullmatch(r"[A-Z…]+", rest[0]) else f"no command {rest[0]}"
        command = command.commands[rest.pop(0)]
    options = {opt: p for p in command.params if p.param_type_name == "option" for opt in (*p.opts, *p.secondary_opts)}
    arguments = [p for p in command.params if p.param_type_name == "argument"]
    given = 0
    while rest:
        word = rest.pop(0)
        name, sign, _ = word.partition("=")
        if name == "--help":
            return ""
        if name.startswith("-") and not re.fullmatch(r"-[\d.]+\w*", name):
            if name not in options:
                return f"no option {name}"
            if not options[name].is_flag and not sign:
                if not rest and whole:
                    return f"{name} without a value"
                rest = rest[1:]
        else:
            given += 1
    most = sum(1 if p.nargs == 1 else 1000 for p in arguments)
    least = sum(1 for p in arguments if p.required)
    return "" if not whole else "too many arguments" if given > most else "too few arguments" if given < least else ""


@pytest.mark.parametrize("name", NAMES)
def test_every_command_that_is_typed_is_there(name: str) -> None:
    """In the shell blocks: the command, each of its options, as many arguments as it takes. In the text: the command and its options."""
    text = read(name)
    assert [(" ".join(words), fault) for words in typed(text) if (fault := unknown(words, whole=True))] == []
    inline = [shlex.split(span) for span in re.findall(r"`canhman ([a-z-][^`\n]*)`", prose_with_code(text)) if "[OPTIONS]" not in span and is_whole(span)]
    assert [(" ".join(words), fault) for words in inline if (fault := unknown(words, whole=False))] == []


def test_what_is_published_goes_on_where_the_file_ended() -> None:
    """In drivers.md: the device of `canhman publish` is the one `canhman replay` makes of a name in the CSV file; another one has another station."""
    text = read("docs/drivers.md")
    rows = [line.split(",") for block in re.findall(r"^```csv$(.*?)^```", text, re.DOTALL | re.MULTILINE) for line in block.split()]
    replayed = {device_id(row[0]) for row in rows if row[0] != "station"}
    assert {words[1] for words in typed(text) if words[0] == "publish"} == replayed == {"Kratie"}


def is_whole(span: str) -> bool:
    """Whether its quotes are closed."""
    return span.count("'") % 2 == span.count('"') % 2 == 0


def prose_with_code(text: str) -> str:
    """Without blocks of code."""
    return re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE)


@pytest.mark.parametrize(
    ("line", "found"),
    [
        (".venv/bin/canhman publish kl01 water.ec=2.31", [["publish", "kl01", "water.ec=2.31"]]),
        ("CANHMAN_ENROL=open canhman up &", [["up"]]),
        ("canhman migrate && canhman up  # both", [["migrate"], ["up"]]),
        ("sudo /opt/x/canhman doctor | grep red", [["doctor"]]),
        ("install -d -o canhman -m 700 /x", []),
        ("mkdir -p /etc/canhman", []),
    ],
)
def test_commands_are_found_in_a_line(line: str, found: list[list[str]]) -> None:
    """The program, whatever stands before it; no folder that is called like it."""
    assert list(commands(line)) == found


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ("devices add kl01 --station a", ""),
        ("devices ad kl01", "no command ad"),
        ("devices add kl01 --staton a", "no option --staton"),
        ("devices add", "too few arguments"),
        ("devices reject kl01 kl02", "too many arguments"),
        ("doctor --json --help", ""),
        ("deadletters replay --shift -7h 1 2 3", ""),
    ],
)
def test_a_wrong_command_is_noticed(line: str, fault: str) -> None:
    """A command, an option, an argument too few or too many."""
    assert unknown(line.split(), whole=True) == fault


# ------------------------------------------------------------ variables


def variables(text: str) -> set[str]:
    """The CANHMAN_ names in a text; a name that goes on in a wildcard (`CANHMAN_*`) is none."""
    return set(re.findall(r"\bCANHMAN_[A-Z0-9_]*[A-Z0-9]\b(?!\w|\*)", text))


@pytest.mark.parametrize("path", [*PAPERS, *DEPLOYED, ROOT / "Makefile"], ids=lambda path: str(path.relative_to(ROOT)))
def test_every_variable_that_is_named_is_there(path: Path) -> None:
    """In papers, and in what is deployed: a variable nobody reads would be an error at start."""
    assert variables(path.read_text("utf-8", "replace")) - VARIABLES == set()


def test_a_wrong_variable_is_noticed() -> None:
    """And only that."""
    assert variables("CANHMAN_STORE, CANHMAN_*, `CANHMAN_STOER=x`, CANHMAN_") == {"CANHMAN_STORE", "CANHMAN_STOER"}
