"""What every board must be, in both languages: sound by the rules, the same bytes each time, the same uids and ids for ever."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from core.quantities import QUANTITIES
from core.texts import LANGUAGES, texts
from dashboards.board import Board, Words
from dashboards.build import as_json, boards, dump
from dashboards.colours import BANDS, UNKNOWN
from dashboards.panels import NULL, SALINITY, THRESHOLDS, bands_in_words, unit
from dashboards.rules import faults

BOARDS = [pytest.param(board, lang, id=f"{uid}-{lang}") for uid, board in boards().items() for lang in LANGUAGES]

# In people's bookmarks, in links and in alerts of their own: a uid or a number once given is never given to something else.
GIVEN = {
    "canhman-tong-quan": {
        1: "over1",
        2: "over4",
        3: "known",
        4: "stations",
        5: "open_alerts",
        6: "map",
        7: "table",
        8: "alerts",
        9: "days",
        10: "lines",
        11: "flags",
        12: "moisture",
        13: "soil_ec",
        14: "health",
        15: "pump",
    }
}


@pytest.mark.parametrize(("board", "lang"), BOARDS)
def test_a_board_holds_to_the_rules(board: Board, lang: str) -> None:
    """No rule finds a fault."""
    assert faults(as_json(board, lang)) == []


@pytest.mark.parametrize(("board", "lang"), BOARDS)
def test_the_same_bytes_each_time(board: Board, lang: str) -> None:
    """Built again it is the same file, with sorted keys, and plain JSON that reads back."""
    text = dump(board, lang)
    assert text == dump(boards()[board.uid], lang)
    assert json.loads(text) == as_json(board, lang)
    assert text == json.dumps(json.loads(text), ensure_ascii=False, indent=2, sort_keys=True) + "\n"


def test_uids_and_numbers_stay() -> None:
    """Each board and panel keeps its number; new ones are added here with numbers of their own."""
    assert {uid: {panel.id: panel.title.removeprefix("board.") for panel in board.panels} for uid, board in boards().items()} == GIVEN


def test_languages_differ_in_words_alone() -> None:
    """Queries, options and places are the same in both; each text of the board is used, and none is another language's."""
    for board in boards().values():
        built = {lang: as_json(board, lang) for lang in LANGUAGES}
        assert skeleton(built["vi"]) == skeleton(built["en"])
        titles = {lang: [panel["title"] for panel in built[lang]["panels"]] for lang in LANGUAGES}
        assert all(vi != en for vi, en in zip(titles["vi"], titles["en"], strict=True))
    assert {key for key in texts("vi") if key.startswith("board.")} == used_keys()


def skeleton(value: Any) -> Any:
    """The shape of a document: keys and places, with every text left out."""
    if isinstance(value, dict):
        return {key: skeleton(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [skeleton(inner) for inner in value]
    return str if isinstance(value, str) else value


def used_keys() -> set[str]:
    """Every key under `board.` that some board says."""
    found: set[str] = set()

    def walk(value: object) -> None:
        if isinstance(value, Words):
            found.add(value.key)
        elif isinstance(value, dict):
            for inner in value.values():
                walk(inner)
        elif isinstance(value, list | tuple):
            for inner in value:
                walk(inner)

    for board in boards().values():
        found |= {board.title, board.about, *(v.label for v in board.variables)}
        for panel in board.panels:
            found |= {panel.title, panel.about}
            walk([panel.options, panel.defaults, panel.overrides, panel.transformations, panel.links, *(q.alias for q in panel.queries)])
    return {key for key in found if key.startswith("board.")}


def test_colours_are_those_of_the_look(shared_dir: Path) -> None:
    """Thresholds, the word and the grey for null are what the look says, word by word."""
    page = shared_dir / "look" / "README.md"
    if not page.exists():
        pytest.skip("the look is not here")
    said = json.loads(page.read_text("utf-8").split("```json\n")[1].split("```")[0])
    assert said["thresholds"] == THRESHOLDS
    mapping = NULL["options"]
    assert isinstance(mapping, dict)
    assert said["mappings"][0]["options"]["result"]["color"] == mapping["result"]["color"] == UNKNOWN
    assert said["mappings"][0]["options"]["result"]["text"] == said["noValue"] == texts("vi")["band.unknown"] + " ?"
    assert said["decimals"] == SALINITY["decimals"]
    assert said["unit"].replace(" ", "") == SALINITY["unit"]  # Grafana sets its own space


def test_a_boundary_takes_the_saltier_band() -> None:
    """Grafana takes the first range that holds, both ends included: on a boundary that is the saltier one, and every value has one."""

    def shown(value: float) -> str:
        for mapping in bands_in_words()[1:]:
            options: Any = mapping["options"]
            if options["from"] <= value <= options["to"]:
                return str(options["result"]["text"].key)
        raise AssertionError(value)

    expected = {0.0: 0, 0.49: 0, 0.5: 1, 0.99: 1, 1.0: 2, 1.99: 2, 2.0: 3, 3.99: 3, 4.0: 4, 42.0: 4}
    assert {value: shown(value) for value in expected} == {value: f"band.{band}" for value, band in expected.items()}
    assert len(bands_in_words()) == len(BANDS) + 1


@pytest.mark.parametrize("quantity", sorted(QUANTITIES))
def test_every_quantity_has_a_unit_for_boards(quantity: str) -> None:
    """Written as people write it: no UCUM brackets."""
    assert unit(quantity).startswith("suffix:")
    assert not set(unit(quantity)) & set("{}[]")
