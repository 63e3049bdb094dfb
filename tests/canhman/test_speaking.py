"""Who speaks: what was promoted, each for its target, and the one before it where the new file cannot be read."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from adapters.model_folder import ModelFolder
from analytics.daily.gaussian import Kernel
from analytics.packing import packed, unpacked
from canhman import model_checks, speaking
from canhman.lessons import codes
from canhman.speaking import Speakers
from core.model_card import ModelCard

CONTENT = packed(Kernel())  # any class of ours: what it says is not asked here
CODES = codes()


def of(number: str, target: str = "day_max") -> str:
    """The version of one that this program's code learned."""
    return f"{CODES['ensemble' if target != 'hour' else 'boosted']}.{number}"


def promoted(files: ModelFolder, number: str, target: str = "day_max", *, version: str = "") -> ModelCard:
    card = ModelCard(
        target=target,
        model="ensemble" if target != "hour" else "boosted",
        version=version or of(number, target),
        trained_at=1,
        data_from="",
        data_until="",
        stations=(),
        drivers=(),
        rows=1,
        source="store",
        held_out=None,
    )  # fmt: skip
    content = CONTENT if number == "1" else packed((Kernel(), number))
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
    assert names(speakers) == [("ensemble", of("1")), ("boosted", of("1", "hour")), ("persistence", "1")]
    assert [m.targets for m in speakers.models[:2]] == [("day_max",), ("hour",)]
    assert not asyncio.run(speakers.look())
    promoted(files, "2")
    assert asyncio.run(speakers.look())
    assert ("ensemble", of("2")) in names(speakers)
    assert {c.version for c in speakers.cards} == {of("2"), of("1", "hour")}


def test_where_a_file_cannot_be_read_the_one_before_speaks_on(files: ModelFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    """The trouble names file and speaker, and stays until it is mended; the file is not read again each second."""
    speakers = Speakers(files)
    promoted(files, "1")
    assert asyncio.run(speakers.look())
    card = promoted(files, "2")
    path = files.folder / "day_max" / of("2") / "model.canhman"
    whole = path.read_bytes()
    path.write_bytes(whole[:-1])
    for _ in range(2):
        assert not asyncio.run(speakers.look())
        assert names(speakers)[0] == ("ensemble", of("1"))
        assert f"{of('2')}/model.canhman is not what was kept" in speakers.troubles["day_max"]
        assert speakers.troubles["day_max"].endswith(f"ensemble {of('1')} speaks meanwhile")
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
    path = files.folder / "day_max" / of("1") / "model.canhman"
    whole = path.read_bytes()
    path.write_bytes(whole + b"?")
    for _ in range(2):
        assert not asyncio.run(speakers.look())
        assert f"{of('1')}/model.canhman is not what was kept" in speakers.troubles["day_max"]
        assert speakers.troubles["day_max"].endswith(f"ensemble {of('1')} speaks meanwhile")
    assert speakers.who == {"day_max": f"ensemble {of('1')}", "day_min": "persistence", "hour": "persistence"}
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
    assert names(speakers) == [("boosted", of("1", "hour")), ("persistence", "1")]
    assert list(speakers.troubles) == ["day_max"]
    assert "a slip" in speakers.troubles["day_max"]
    assert speakers.troubles["day_max"].endswith("persistence speaks meanwhile")
    monkeypatch.setattr(speaking, "unpacked", unpacked)
    assert not asyncio.run(speakers.look())
    assert "a slip" in speakers.troubles["day_max"]


# ---------------------------------------------------------------- other code


@pytest.mark.parametrize("target", ["day_max", "hour"])
def test_what_other_code_learned_does_not_speak(files: ModelFolder, target: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its numbers were scored in that code and in no other: persistence speaks, and what is wrong stands there with the way out, as in doctor, once."""
    promoted(files, "1", target, version="0.20250101-abcdef")
    speakers = Speakers(files)
    for _ in range(2):
        assert not asyncio.run(speakers.look())
        assert names(speakers) == [("persistence", "1")]
        assert speakers.cards == []
        name = "boosted" if target == "hour" else "ensemble"
        words = speakers.troubles[target]
        assert f"{name} 0.20250101-abcdef was learned by version 0 of its code, and this program has version {CODES[name]}" in words
        assert "canhman train, which the forecast service begins by itself within minutes unless every_days is 0" in words
        assert words.endswith("persistence speaks meanwhile")
    speaks, unread = asyncio.run(model_checks.whole(files))
    assert speaks == []
    assert list(unread) == [target]
    promoted(files, "2", target)
    assert asyncio.run(speakers.look()), "at once"
    assert (names(speakers)[0], speakers.troubles) == ((name, of("2", target)), {})


def test_of_a_dataset_the_way_out_names_it(files: ModelFolder) -> None:
    """The service cannot learn it anew by itself: it does not have the file."""
    card = replace(promoted(files, "1"), version="0.20250101-abcdef", source="mekong")
    asyncio.run(files.promote(asyncio.run(files.keep(card, CONTENT)), at=6, why=""))
    speakers = Speakers(files)
    asyncio.run(speakers.look())
    assert "canhman train --dataset with the file of mekong" in speakers.troubles["day_max"]


def test_a_running_service_keeps_to_what_its_own_code_learned(files: ModelFolder) -> None:
    """As where a newer program was trained beside it: the newer model is for after the restart."""
    promoted(files, "1")
    speakers = Speakers(files)
    assert asyncio.run(speakers.look())
    promoted(files, "2", version="99.20270101-abcdef")
    assert not asyncio.run(speakers.look())
    assert names(speakers)[0] == ("ensemble", of("1"))
    assert "was learned by version 99 of its code" in speakers.troubles["day_max"]


def test_once_this_code_has_learned_and_was_not_better_it_is_no_trouble(files: ModelFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    """As in the rains, which decide nothing: that persistence speaks is a decision then, and nobody has to be called; one judged before does not count."""
    monkeypatch.setattr(speaking, "AGAIN_S", 0.0)
    old = promoted(files, "1", version="0.20250101-abcdef")
    assert old.promoted_at is not None
    speakers = Speakers(files)
    for trained_at, awaited in ((old.promoted_at - 1, True), (old.promoted_at, False)):
        card = replace(old, version=of(f"{trained_at}"), trained_at=trained_at)
        asyncio.run(files.note(asyncio.run(files.keep(card, CONTENT)), why="worse"))
        assert not asyncio.run(speakers.look())
        assert names(speakers) == [("persistence", "1")]
        assert bool(speakers.troubles) is awaited
        assert bool(asyncio.run(model_checks.whole(files))[1]) is awaited
