"""Who speaks: what was promoted, each for its target, and the one before it where the new file cannot be read."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from adapters.model_folder import ModelFolder
from analytics.daily.gaussian import Kernel
from analytics.packing import packed, unpacked
from canhman import speaking
from canhman.speaking import Speakers
from core.model_card import ModelCard

CONTENT = packed(Kernel())  # any class of ours: what it says is not asked here


def promoted(files: ModelFolder, version: str, target: str = "day_max") -> ModelCard:
    card = ModelCard(
        target=target,
        model="ensemble" if target != "hour" else "boosted",
        version=version,
        trained_at=1,
        data_from="",
        data_until="",
        stations=(),
        drivers=(),
        rows=1,
        source="store",
        held_out=None,
    )  # fmt: skip
    content = CONTENT if version == "1" else packed((Kernel(), version))
    return asyncio.run(files.promote(asyncio.run(files.keep(card, content)), at=5, why=""))


def names(speakers: Speakers) -> list[tuple[str, str]]:
    return [(m.name, m.version) for m in speakers.models]


@pytest.fixture
def files(tmp_path: Path) -> ModelFolder:
    return ModelFolder(tmp_path / "models")


def test_persistence_stands_behind_what_was_promoted(files: ModelFolder) -> None:
    """Alone at first; then behind one of each target, and a look says whether anything changed."""
    speakers = Speakers(files)
    assert not asyncio.run(speakers.look())
    assert names(speakers) == [("persistence", "1")]
    promoted(files, "1")
    promoted(files, "1", "hour")
    assert asyncio.run(speakers.look())
    assert names(speakers) == [("ensemble", "1"), ("boosted", "1"), ("persistence", "1")]
    assert [m.targets for m in speakers.models[:2]] == [("day_max",), ("hour",)]
    assert not asyncio.run(speakers.look())
    promoted(files, "2")
    assert asyncio.run(speakers.look())
    assert ("ensemble", "2") in names(speakers)
    assert {c.version for c in speakers.cards} == {"1", "2"}


def test_where_a_file_cannot_be_read_the_one_before_speaks_on(files: ModelFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    """The trouble names file and speaker, and stays until it is mended; the file is not read again each second."""
    speakers = Speakers(files)
    promoted(files, "1")
    assert asyncio.run(speakers.look())
    card = promoted(files, "2")
    path = files.folder / "day_max/2/model.canhman"
    whole = path.read_bytes()
    path.write_bytes(whole[:-1])
    for _ in range(2):
        assert not asyncio.run(speakers.look())
        assert names(speakers)[0] == ("ensemble", "1")
        assert "2/model.canhman is not what was kept" in speakers.troubles["day_max"]
        assert speakers.troubles["day_max"].endswith("ensemble 1 speaks meanwhile")
    path.write_bytes(whole)
    assert not asyncio.run(speakers.look()), "it is not read again at once"
    monkeypatch.setattr(speaking, "AGAIN_S", 0.0)
    assert asyncio.run(speakers.look())
    assert names(speakers)[0] == ("ensemble", card.version)
    assert speakers.troubles == {}


def test_a_file_damaged_in_place_is_told_while_its_model_speaks_on(files: ModelFolder) -> None:
    """At the next look, not at the next start; mended, it is forgotten."""
    speakers = Speakers(files)
    promoted(files, "1")
    assert asyncio.run(speakers.look())
    path = files.folder / "day_max/1/model.canhman"
    whole = path.read_bytes()
    path.write_bytes(whole + b"?")
    for _ in range(2):
        assert not asyncio.run(speakers.look())
        assert "1/model.canhman is not what was kept" in speakers.troubles["day_max"]
        assert speakers.troubles["day_max"].endswith("ensemble 1 speaks meanwhile")
    assert speakers.who == {"day_max": "ensemble 1", "day_min": "persistence", "hour": "persistence"}
    path.write_bytes(whole)
    assert not asyncio.run(speakers.look())
    assert speakers.troubles == {}


def test_without_its_file_of_who_speaks_persistence_does(files: ModelFolder) -> None:
    """That is how an operator takes the word from a model; a damaged one leaves it to who spoke."""
    speakers = Speakers(files)
    promoted(files, "1")
    asyncio.run(speakers.look())
    place = files.folder / "day_max/speaking.json"
    text = place.read_text()
    place.write_text("{")
    assert not asyncio.run(speakers.look())
    assert "speaking.json is no card" in speakers.troubles["day_max"]
    place.write_text(text)
    asyncio.run(speakers.look())
    assert speakers.troubles == {}
    place.unlink()
    assert asyncio.run(speakers.look())
    assert names(speakers) == [("persistence", "1")]


def test_a_fault_of_ours_in_reading_a_model_ends_nobody(files: ModelFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever is raised is a trouble of its target, is not tried each second, and the other targets are read."""

    def slip(content: bytes) -> object:
        if content != CONTENT:
            raise AttributeError("a slip")
        return unpacked(content)

    monkeypatch.setattr(speaking, "unpacked", slip)
    promoted(files, "2")
    promoted(files, "1", "hour")
    speakers = Speakers(files)
    assert asyncio.run(speakers.look())
    assert names(speakers) == [("boosted", "1"), ("persistence", "1")]
    assert list(speakers.troubles) == ["day_max"]
    assert "a slip" in speakers.troubles["day_max"]
    assert speakers.troubles["day_max"].endswith("persistence speaks meanwhile")
    monkeypatch.setattr(speaking, "unpacked", unpacked)
    assert not asyncio.run(speakers.look())
    assert "a slip" in speakers.troubles["day_max"]
