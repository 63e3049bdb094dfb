"""The made pages of docs/ say what the code says: each is as made, each names all there is, and nothing is without a sentence."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import typer
from fastapi import FastAPI
from fastapi.routing import APIRoute
from servers.backend import Rig, make_rig
from starlette.routing import Mount

import deploy.docs_tables as docs_tables
from alerts.config import AlertRules, parse_alerts
from alerts.outbox import NOTIFIERS
from analytics.crops import FIGURES as CROP_FIGURES
from analytics.crops import Crops, parse_crops
from analytics.daily.model import day_models
from analytics.forecast_config import DRIVER_ABOUT, Training
from analytics.ground import FIGURES as GROUND_FIGURES
from analytics.hourly.model import hour_models
from analytics.model import models as forecast_models
from api.app import access_of
from api.families import FAMILIES
from canhman.cli import build
from canhman.configuration import FILES, read_text
from canhman.figures import FIGURES
from canhman.settings import Settings
from core.deadletter import REASONS
from core.derived import DERIVED
from core.errors import ConfigError, DecodeError
from core.flags import GIVEN_BITS
from core.parameter import About, parameters
from core.quantities import ALIASES, QUANTITIES
from core.risk import Risk, parse_risk
from core.texts import texts
from firmware_sim.network import models as simulated
from ingest.events import EVENTS
from ingest.mail import DECODERS
from ingest.route import TOPICS, route
from quality.rules import TESTS

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = sorted([*docs_tables.PAGES, docs_tables.INDEX])


# ------------------------------------------------------------ a page is as made


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("docs")
    subprocess.run([sys.executable, ROOT / "deploy" / "docs_tables.py", folder], check=True, timeout=60, cwd=ROOT)
    return folder


def behind(folder: Path, made: Path) -> list[str]:
    """The made pages in `folder` that `make docs` would change."""
    return [page for page in PAGES if (folder / page).read_text("utf-8") != (made / page).read_text("utf-8")]


def test_the_pages_are_as_made(made: Path) -> None:
    """`make docs` would change nothing: a page left behind is an error here, not a surprise to a reader."""
    assert behind(DOCS, made) == []


def test_every_page_of_the_registry_is_made_and_no_other(made: Path) -> None:
    """What bears the mark of `make docs` has a file that makes it."""
    marked = [path.name for path in DOCS.glob("*.md") if docs_tables.MADE in path.read_text("utf-8")]
    assert sorted(marked) == PAGES == sorted(path.name for path in made.iterdir())


@pytest.mark.parametrize("page", PAGES)
def test_a_line_of_a_table_that_is_deleted_is_missed(made: Path, tmp_path: Path, page: str) -> None:
    """Whichever row it is: the comparison above fails, and names this page."""
    for name in PAGES:
        shutil.copy(made / name, tmp_path / name)
    lines = (made / page).read_text("utf-8").splitlines(keepends=True)
    rows = [n for n, line in enumerate(lines) if line.startswith("|")]
    assert len(rows) >= 3
    for n in rows:
        (tmp_path / page).write_text("".join(lines[:n] + lines[n + 1 :]), "utf-8")
        assert behind(tmp_path, made) == [page], lines[n]


# ------------------------------------------------------------ a page names all there is, and nothing else


@cache
def text(page: str) -> str:
    return (DOCS / page).read_text("utf-8")


def cells(page: str, heading: str = "", number: int = 0) -> list[list[str]]:
    """The rows of the `number`th table under `heading` (or in the whole page), backticks taken away."""
    part = text(page)
    if heading:
        level = heading.split(" ")[0]
        start = re.search(rf"^{re.escape(heading)}$", part, re.MULTILINE)
        assert start, f"{page} has no {heading}"
        part = re.split(rf"^#{{1,{len(level)}}} ", part[start.end() :], flags=re.MULTILINE)[0]
    tables = re.findall(r"(?:^\|.*\n?)+", part, re.MULTILINE)
    return [[cell.strip().replace("`", "").replace("\\|", "|") for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in tables[number].splitlines()[2:]]


def first(page: str, heading: str = "", number: int = 0) -> list[str]:
    return [row[0] for row in cells(page, heading, number)]


def leaves(command: Any, *words: str) -> Iterator[tuple[str, Any]]:
    if hasattr(command, "commands"):
        for word, inner in command.commands.items():
            yield from leaves(inner, *words, word)
    else:
        yield " ".join(("canhman", *words)), command


COMMANDS: dict[str, Any] = dict(leaves(typer.main.get_command(build())))
VARIABLES = [f"CANHMAN_{name.upper()}" for name in Settings.model_fields]
LISTS: dict[str, tuple[list[str], list[str]]] = {
    "settings": (first("settings.md"), VARIABLES),
    "settings, who reads them": (first("settings.md", "## Which command reads what"), VARIABLES),
    "quantities": (first("quantities.md"), list(QUANTITIES)),
    "derived": (first("quantities.md", "## Derived at ingest"), [d.quantity for d in DERIVED]),
    "columns": (first("quantities.md", "## Column names that are understood in files"), list(ALIASES)),
    "QC tests": (first("quality.md"), [t.name for t in TESTS.values()]),
    "bits of ingest": (first("quality.md", number=1), [str(bit) for bit in GIVEN_BITS.values()]),
    "dead letters": (first("deadletters.md"), list(REASONS)),
    "topics": (first("devices.md"), list(TOPICS)),
    "decoders": (re.findall(r"^### Decoder (.*)$", text("devices.md"), re.MULTILINE), list(DECODERS)),
    "simulated devices": (first("devices.md", "## Simulated devices"), [d.model for d in simulated().values()]),
    "forecast models": (first("models.md"), ["ensemble", "boosted", *forecast_models()]),
    "models of days": (first("models.md", "## Models of days"), list(day_models())),
    "models of hours": (first("models.md", "## Models of hours"), list(hour_models())),
    "channels": (first("channels.md"), list(NOTIFIERS)),
    "texts": (first("texts.md"), list(texts("vi"))),
    "metrics": (first("metrics.md"), [f.sample for f in FAMILIES.values()]),
    "figures": (
        ["/".join(row[:2]) for row in cells("metrics.md", "## Figures of the services")],
        [f"{service}/{figure}" for service, figures in FIGURES.items() for figure in figures],
    ),
    "events": (first("metrics.md", "## Events of ingest"), list(EVENTS)),
    "commands": ([re.sub(r"\[(.*)\].*", r"\1", name) for name in first("commands.md", number=1)], sorted(COMMANDS)),
    "alerts.toml": (first("configuration.md", "## alerts.toml"), [name for name in AlertRules.__dataclass_fields__ if name not in ("approved_by", "hash")]),
    "crops.toml": (first("configuration.md", "## crops.toml"), list(parameters(Crops))),
    "figures of a crop": (first("configuration.md", "## crops.toml", number=1), list(CROP_FIGURES)),
    "crops": (first("configuration.md", "## crops.toml", number=3), [crop.id for crop in parse_crops(tomllib.loads(read_text("crops.toml", None))).crops]),
    "forecast.toml": (first("configuration.md", "## forecast.toml"), list(parameters(Training))),
    "drivers of forecast.toml": (first("configuration.md", "## forecast.toml", number=1), list(DRIVER_ABOUT)),
    "figures of the ground": (first("configuration.md", "## crops.toml", number=4), list(GROUND_FIGURES)),
    "risk.toml": (first("configuration.md", "## risk.toml"), [name for name in Risk.__dataclass_fields__ if name not in ("approved_by", "hash")]),
    "qc.toml": (["/".join(row[:2]) for row in cells("configuration.md", "## qc.toml")], [f"{t.name}/{name}" for t in TESTS.values() for name in t.params]),
    "configuration files": ([re.sub(r"\[(.*)\].*", r"\1", name) for name in first("configuration.md")], list(FILES)),
}


@pytest.mark.parametrize("kind", LISTS)
def test_all_of_a_kind_are_in_the_page_and_no_other(kind: str) -> None:
    """Independent of what made the page: the registry itself on one side, the rows a reader sees on the other."""
    shown, there_are = LISTS[kind]
    assert sorted(shown) == sorted(there_are)
    assert there_are


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_a_command_has_a_section_with_all_its_arguments_and_options(name: str) -> None:
    """Each with a default or `required`, and the section with an example that begins with the command."""
    command = COMMANDS[name]
    wanted = [p.opts[0] if p.param_type_name == "option" else p.name.upper() for p in command.params]
    rows = cells("commands.md", f"## {name}") if wanted else []
    assert [re.sub(r"[\[\]…]", "", row[0]) for row in rows] == sorted(wanted, key=lambda option: option.startswith("-"))
    for row in rows:
        parameter = next(p for p in command.params if row[0].strip("[]…") in (p.opts[0], p.name.upper()))
        assert (row[2] == "required") == parameter.required
        assert row[1].split(",")[0] in ("text", "number", "whole number", "switch", "path")
    section = text("commands.md").split(f"\n## {name}\n")[1].split("\n## ")[0]
    assert re.search(rf"^Example: `+ ?(CANHMAN_\w+=\S+ )*{name}\b", section, re.MULTILINE)


@pytest.fixture(scope="module")
def rig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    made = make_rig(tmp_path_factory.mktemp("api"), sown=False)
    yield made
    made.close()


def test_every_route_is_in_the_page_with_who_may_call_it(rig: Rig) -> None:
    """Of the running application: method, path, role; and each query parameter of each."""
    shown = {row[0]: row for heading in ("## The API", "## Pages") for row in cells("routes.md", heading)}
    asked = {tuple(row[:2]) for row in cells("routes.md", "## Parameters")}
    there, parameters_there = {}, set()
    for method, path, found in mounted(rig.app):
        there[f"{method} {path}"] = access_of(found)[0].role
        parameters_there |= {(f"{method} {path}", field.alias) for field in found.dependant.query_params}
    assert {name: row[1] for name, row in shown.items()} == there
    assert asked == parameters_there
    for name, parameter in asked:
        assert parameter in shown[name][3].split(", ")


def mounted(app: FastAPI) -> Iterator[tuple[str, str, APIRoute]]:
    """Every route the application answers; FastAPI keeps the routers it was given, with their prefixes. Its own OpenAPI must have no other."""
    included: list[Any] = [r for r in app.routes if not isinstance(r, Mount)]
    found = [(m, one.include_context.prefix + r.path, r) for one in included for r in one.original_router.routes for m in r.methods]
    assert {path for _, path, r in found if r.include_in_schema} >= set(app.openapi()["paths"])
    yield from found


@pytest.mark.parametrize("file", FILES)
def test_every_key_of_the_shipped_file_is_in_the_page(file: str) -> None:
    """The keys that people see when they open it to change it."""
    section = text("configuration.md").split(f"\n## {file}\n")[1].split("\n## ")[0]
    keys = set(keys_of(tomllib.loads(read_text(file, None)))) - set(QUANTITIES)
    assert keys
    assert {key for key in keys if not re.search(rf"\b{key}\b", section)} == set()


def keys_of(document: Any) -> Iterator[str]:
    if isinstance(document, dict):
        for key, value in document.items():
            yield key
            yield from keys_of(value)
    elif isinstance(document, list):
        for item in document:
            yield from keys_of(item)


# ------------------------------------------------------------ nothing is without a sentence


def is_said(sentence: str | None) -> bool:
    """Two words at least."""
    return len((sentence or "").split()) >= 2


def test_everything_has_a_sentence() -> None:
    """Settings, commands, their arguments and options, metrics and their labels, figures, events, routes, their parameters, TOML keys, pages."""
    said: dict[str, str | None] = {f"setting {name}": field.description for name, field in Settings.model_fields.items()}
    for name, command in COMMANDS.items():
        said[name] = command.help
        said |= {f"{name} {p.name}": p.help for p in command.params}
    for family in FAMILIES.values():
        said[family.name] = family.about
        said |= {f"{family.name} {label}": about for label, about in family.labels.items()}
    said |= {f"figure {service} {figure}": about for service, figures in FIGURES.items() for figure, about in figures.items()}
    said |= {f"event {event}": about for event, about in EVENTS.items()}
    said |= {f"TOML {name}": about.text for kind in (AlertRules, Crops, Risk, Training) for name, about in parameters(kind).items()}
    said |= {f"QC {t.name} {name}": t.about.get(name) for t in TESTS.values() for name in t.params}
    for row in (row for heading in ("## The API", "## Pages") for row in cells("routes.md", heading)):
        said[row[0]] = row[2]
    said |= {f"{row[0]} ?{row[1]}": row[3] for row in cells("routes.md", "## Parameters")}
    said |= {f"waterways {row[0]}": row[1] for row in cells("configuration.md", "## waterways.toml")}
    said |= {f"crops {row[0]}": row[1] for row in cells("configuration.md", "## crops.toml", number=2)}
    said |= {f"driver {name}": about for name, about in DRIVER_ABOUT.items()}
    said |= {f"crops {name}": about.text for name, about in CROP_FIGURES.items()}
    said |= {f"ground {name}": about.text for name, about in GROUND_FIGURES.items()}
    said |= {f"network {row[0]}": row[3] for row in cells("configuration.md", "## network.toml")}
    said |= {f"page {name}": page.about for name, page in docs_tables.PAGES.items()}
    assert [name for name, sentence in said.items() if not is_said(sentence)] == []


# ------------------------------------------------------------ what the pages say is so


def test_the_topics_are_those_of_the_contract() -> None:
    """Filled in, each is read as its kind; a topic beside them is not."""
    for kind, topic in TOPICS.items():
        assert route(re.sub(r"\{\w+\}", "a1", topic.replace("{port}", "5"))).kind == kind
    with pytest.raises(DecodeError):
        route("canhman/a1/a1/nonsense")


def outside(about: About) -> Iterator[float]:
    """Values just beyond each bound."""
    if about.above is not None:
        yield about.above
    if about.least is not None:
        yield about.least - 1e-6 if about.least != int(about.least) else about.least - 1
    if about.most is not None:
        yield about.most + 1e-6
    if about.under is not None:
        yield about.under


def within(about: About) -> Iterator[float]:
    """Values at the bounds that are allowed."""
    yield from (bound for bound in (about.least, about.most) if bound is not None)


def refusal(parse: Callable[..., Any], document: dict[str, Any]) -> str:
    """Why it is refused; nothing where it is not."""
    try:
        parse(document)
    except ConfigError as error:
        return str(error)
    return ""


BOUNDED: list[tuple[Callable[..., Any], str, About]] = [
    *((parse_risk, name, about) for name, about in parameters(Risk).items()),
    *((parse_crops, name, about) for name, about in parameters(Crops).items()),
    *((parse_alerts, name, about) for name, about in parameters(AlertRules).items() if name != "lines"),
]


@pytest.mark.parametrize(("parse", "name", "about"), BOUNDED, ids=[f"{parse.__name__}-{name}" for parse, name, _ in BOUNDED])
def test_the_bounds_in_the_page_are_the_parsers_own(parse: Callable[..., Any], name: str, about: About) -> None:
    """Just outside is refused by name, at the bound is taken (or clashes with another key, which is named beside it)."""
    for value in outside(about):
        with pytest.raises(ConfigError, match=name):
            parse({name: value})
    for value in within(about):
        assert "must" not in refusal(parse, {name: value}).replace("must not exceed", "")


def test_a_bound_that_another_holds_already_is_not_said() -> None:
    """At most 0.7 is below 1; each bound that does hold is there."""
    assert About(text="", above=0, most=0.7, under=1).bounds == "> 0, ≤ 0.7"
    assert About(text="", above=0, most=1, under=1).bounds == "> 0, ≤ 1, < 1"
    assert About(text="", above=0, under=1).bounds == "> 0, < 1"


@pytest.mark.parametrize(("kind", "parse", "file"), [(Risk, parse_risk, "risk.toml"), (AlertRules, parse_alerts, "alerts.toml")])
def test_the_defaults_in_the_page_are_those_of_the_shipped_file(kind: Any, parse: Callable[..., Any], file: str) -> None:
    """The file says each key, with the value the page shows."""
    shipped = tomllib.loads(read_text(file, None))
    assert parse(shipped) == parse({})
    assert set(shipped) == {*parameters(kind), "approved_by"}
