"""Model files: kept whole or not at all, one speaks, and a kill at any moment leaves what was there."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
from collections.abc import Callable, Coroutine
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import pytest

from adapters import model_folder
from adapters.model_folder import KEPT, ModelFolder
from core.errors import ConflictError, FormatError, NotFoundError, UnavailableError
from core.model_card import HeldOut, ModelCard
from core.ports import ModelFiles

T = TypeVar("T")
CONTENT = b"CANHMAN-MODEL 1\nsome numbers"
HELD = HeldOut(since="2026-02-01", until="2026-02-14", n=80, crps=0.3, spoke=None, baseline=0.4, baseline_name="persistence", coverage90=0.9)
CARD = ModelCard(
    target="day_max",
    model="ensemble",
    version="1.20260301-abc123",
    trained_at=1_000,
    data_from="2025-12-01",
    data_until="2026-02-14",
    stations=("kênh-lầu/main",),
    drivers=("discharge",),
    rows=700,
    source="store",
    held_out=HELD,
)


def run(call: Coroutine[Any, Any, T]) -> T:
    return asyncio.run(call)


def numbered(n: int, target: str = "day_max") -> ModelCard:
    return replace(CARD, version=f"1.2026030{n}-abc", trained_at=1_000 + n, target=target)


class ModelFilesConformance:
    """What every adapter of `core.ports.ModelFiles` owes."""

    @pytest.fixture
    def opened(self) -> Callable[[], ModelFiles]:
        """Another look at the same models, as another process has it."""
        raise NotImplementedError

    @pytest.fixture
    def damage(self) -> Callable[[ModelCard], None]:
        """Spoil what is kept of a model."""
        raise NotImplementedError

    def test_nothing_is_there_at_first(self, opened: Callable[[], ModelFiles]) -> None:
        """No card, nothing speaks."""
        assert run(opened().cards()) == []
        assert run(opened().speaking("day_max")) is None

    def test_what_was_kept_is_there(self, opened: Callable[[], ModelFiles]) -> None:
        """Card and file come back as they were; the hash is the adapter's; keeping does not let it speak, whatever the card says."""
        kept = run(opened().keep(replace(CARD, promoted_at=5), CONTENT))
        assert replace(kept, sha256="") == CARD
        assert len(kept.sha256) == 64
        assert run(opened().cards()) == [kept]
        assert run(opened().content(kept)) == CONTENT
        assert run(opened().speaking("day_max")) is None

    def test_the_newest_come_first(self, opened: Callable[[], ModelFiles]) -> None:
        """By the time of training, over all targets."""
        for n, target in ((2, "day_max"), (1, "hour"), (3, "day_min")):
            run(opened().keep(numbered(n, target), CONTENT))
        assert [c.target for c in run(opened().cards())] == ["day_min", "day_max", "hour"]

    def test_a_version_is_kept_once(self, opened: Callable[[], ModelFiles]) -> None:
        """The second is a conflict and changes nothing; the same version of another target is another model."""
        kept = run(opened().keep(CARD, CONTENT))
        with pytest.raises(ConflictError, match=CARD.version):
            run(opened().keep(CARD, CONTENT + b"!"))
        assert run(opened().content(kept)) == CONTENT
        run(opened().keep(replace(CARD, target="day_min"), CONTENT))

    def test_what_is_damaged_is_kept_anew(self, opened: Callable[[], ModelFiles], damage: Callable[[ModelCard], None]) -> None:
        """Where the content is what was kept, it is whole again, and the card what it was; another content is a conflict as ever."""
        kept = run(opened().keep(CARD, CONTENT))
        promoted = run(opened().promote(kept, at=7, why="better"))
        damage(kept)
        with pytest.raises(FormatError):
            run(opened().content(kept))
        with pytest.raises(ConflictError, match=CARD.version):
            run(opened().keep(CARD, CONTENT + b"!"))
        assert run(opened().keep(replace(CARD, trained_at=9), CONTENT)) == promoted
        assert run(opened().content(kept)) == CONTENT
        assert run(opened().cards()) == [promoted]

    def test_one_of_a_target_speaks(self, opened: Callable[[], ModelFiles]) -> None:
        """Promoting another takes the word from the first; another target is left alone; who looks on hears of it."""
        watching = opened()
        one, two, other = (run(opened().keep(c, CONTENT)) for c in (numbered(1), numbered(2), numbered(1, "hour")))
        assert run(watching.speaking("day_max")) is None
        promoted = run(opened().promote(one, at=7, why="better"))
        assert (promoted.promoted_at, promoted.why) == (7, "better")
        assert run(watching.speaking("day_max")) == promoted
        run(opened().promote(other, at=8, why="first"))
        run(opened().promote(two, at=9, why="still better"))
        speaking = run(watching.speaking("day_max"))
        assert speaking is not None
        assert speaking.version == two.version
        by_version = {(c.target, c.version): c.promoted_at for c in run(watching.cards())}
        assert by_version == {("day_max", one.version): None, ("day_max", two.version): 9, ("hour", other.version): 8}

    def test_why_one_does_not_speak_is_written_down(self, opened: Callable[[], ModelFiles]) -> None:
        """A note stands in its card and changes nobody's word."""
        one, two = run(opened().keep(numbered(1), CONTENT)), run(opened().keep(numbered(2), CONTENT))
        run(opened().promote(one, at=7, why="better"))
        run(opened().note(two, why="worse than persistence"))
        assert [(c.version, c.promoted_at, c.why) for c in run(opened().cards())] == [(two.version, None, "worse than persistence"), (one.version, 7, "better")]

    def test_a_model_nobody_knows_is_not_found(self, opened: Callable[[], ModelFiles]) -> None:
        """Neither promoted nor noted nor read."""
        files = opened()
        for call in (files.promote(CARD, at=1, why=""), files.note(CARD, why=""), files.content(CARD)):
            with pytest.raises(NotFoundError, match=CARD.version):
                run(call)

    def test_what_is_no_model_is_not_kept(self, opened: Callable[[], ModelFiles]) -> None:
        """A file without magic, and of another format, is named as such."""
        for content in (b"pickle", b"CANHMAN-MODEL 9\n"):
            with pytest.raises(FormatError, match="CANHMAN-MODEL"):
                run(opened().keep(CARD, content))
        assert run(opened().cards()) == []


class TestModelFolder(ModelFilesConformance):
    """On disk."""

    @pytest.fixture
    def opened(self, tmp_path: Path) -> Callable[[], ModelFiles]:
        return lambda: ModelFolder(tmp_path / "models")

    @pytest.fixture(params=["model.canhman", "card.json"])
    def damage(self, tmp_path: Path, request: pytest.FixtureRequest) -> Callable[[ModelCard], None]:
        def cut(card: ModelCard) -> None:
            path = tmp_path / "models" / card.target / card.version / request.param
            path.write_bytes(path.read_bytes()[:-3])

        return cut

    def test_a_changed_file_is_refused(self, tmp_path: Path, opened: Callable[[], ModelFiles]) -> None:
        """One byte of the model, another magic, no file at all: named, and it does not come to speak."""
        kept = run(opened().keep(CARD, CONTENT))
        path = tmp_path / "models/day_max" / CARD.version / "model.canhman"
        for content, what in ((CONTENT[:-1] + b"S", "sha256"), (b"else", "no model file")):
            path.write_bytes(content)
            with pytest.raises(FormatError, match=what):
                run(opened().content(kept))
            with pytest.raises(FormatError, match=what):
                run(opened().promote(kept, at=1, why=""))
        path.unlink()
        with pytest.raises(NotFoundError, match=r"model\.canhman"):
            run(opened().content(kept))
        assert run(opened().speaking("day_max")) is None

    def test_a_check_reads_the_file_again_where_it_changed(self, tmp_path: Path, opened: Callable[[], ModelFiles], monkeypatch: pytest.MonkeyPatch) -> None:
        """Whole once and not touched: not read again. Damaged in place: told at each check, read once; mended or gone: that too."""
        files = opened()
        card = run(files.keep(CARD, CONTENT))
        path = tmp_path / "models" / CARD.target / CARD.version / "model.canhman"
        read, times = Path.read_bytes, []
        monkeypatch.setattr(Path, "read_bytes", lambda self: (times.append(self), read(self))[1])
        for _ in range(2):
            run(files.check(card))
        assert times == [path]
        path.write_bytes(CONTENT[:-1])
        for _ in range(2):
            with pytest.raises(FormatError, match="is not what was kept"):
                run(files.check(card))
        assert times == [path] * 2
        path.write_bytes(CONTENT)
        run(files.check(card))
        path.unlink()
        with pytest.raises(NotFoundError, match="is gone"):
            run(files.check(card))

    def test_a_card_from_before_a_field_was_is_read(self, tmp_path: Path, opened: Callable[[], ModelFiles]) -> None:
        """Drivers that it does not use were not written down once."""
        kept = run(opened().keep(replace(CARD, unused={"hp-level": "one season"}), CONTENT))
        assert run(opened().cards())[0].unused == {"hp-level": "one season"}
        path = tmp_path / "models" / CARD.target / CARD.version / "card.json"
        document = json.loads(path.read_text())
        del document["unused"]
        path.write_text(json.dumps(document))
        assert run(opened().cards()) == [replace(kept, unused={})]

    def test_a_card_that_cannot_be_read_is_left_out_and_named(self, tmp_path: Path) -> None:
        """The others are there; `look` says which file it is. So with the one that tells who speaks."""
        folder = ModelFolder(tmp_path / "models")
        one, two = run(folder.keep(numbered(1), CONTENT)), run(folder.keep(numbered(2), CONTENT))
        run(folder.promote(one, at=7, why=""))
        (tmp_path / "models/day_max" / two.version / "card.json").write_text('{"target": "day_max"}')
        (tmp_path / "models/day_max/notes.txt").write_text("a stray file")
        cards, troubles = folder.look()
        assert [c.version for c in cards] == [one.version]
        assert len(troubles) == 2
        assert f"{two.version}/card.json" in " ".join(troubles)
        (tmp_path / "models/day_max/speaking.json").write_text("{")
        with pytest.raises(FormatError, match=r"speaking\.json"):
            run(folder.speaking("day_max"))

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("held_out.error", "0.5"), ("held_out.crps", None), ("held_out.crps", float("nan")), ("held_out.n", 1.5), ("held_out.since", "soon"),
            ("held_out", 1),
            ("stations", "kênh-lầu/main"), ("drivers", [1]), ("trained_at", True), ("trained_at", 10**30), ("promoted_at", "7"), ("data_until", "20260214"),
            ("target", "day_min"), ("version", "1.else"), ("colour", "red"),
        ],
    )  # fmt: skip
    def test_a_card_that_says_what_cannot_be_is_refused(self, tmp_path: Path, name: str, value: Any) -> None:
        """Of another kind, not a number, no date, of another target or version: who reads it goes by what it says."""
        folder = ModelFolder(tmp_path / "models")
        one = run(folder.promote(run(folder.keep(CARD, CONTENT)), at=7, why=""))
        places = [tmp_path / "models/day_max/speaking.json", tmp_path / "models/day_max" / one.version / "card.json"]
        for path in places:
            document = json.loads(path.read_text())
            inner = document["held_out"] if "." in name else document
            inner[name.split(".")[-1]] = value
            path.write_text(json.dumps(document))
        cards, troubles = folder.look()
        assert cards == []
        assert len(troubles) == (1 if name == "version" else 2), troubles
        assert all("is no card of a model" in trouble for trouble in troubles)

    def test_a_card_of_an_older_version_is_read(self, tmp_path: Path) -> None:
        """What came to stand in cards later, and has a default, may be missing."""
        folder = ModelFolder(tmp_path / "models")
        one = run(folder.keep(CARD, CONTENT))
        path = tmp_path / "models/day_max" / one.version / "card.json"
        document = json.loads(path.read_text())
        del document["why"], document["held_out"]["error"]
        path.write_text(json.dumps(document))
        assert run(folder.cards()) == [one]

    @pytest.mark.parametrize("version", ["", "..", "a/b", "../../etc", ".hidden", "x" * 90])
    def test_a_name_stays_within_the_folder(self, version: str, opened: Callable[[], ModelFiles]) -> None:
        """Versions and targets become folders: none that leads elsewhere is taken."""
        with pytest.raises(FormatError):
            run(opened().keep(replace(CARD, version=version), CONTENT))
        with pytest.raises(FormatError):
            run(opened().keep(replace(CARD, target="../x"), CONTENT))

    def test_old_files_go_and_cards_stay(self, tmp_path: Path, opened: Callable[[], ModelFiles]) -> None:
        """Of many models the newest few and the one that speaks keep their file, and drafts of the dead go; every card stays."""
        first = run(opened().keep(numbered(1), CONTENT))
        run(opened().promote(first, at=1, why=""))
        dead = tmp_path / "models/day_max/.old.1.new"
        dead.mkdir()
        files = [tmp_path / "models/day_max/.speaking.json.1.new", tmp_path / "models/day_max" / first.version / ".card.json.1.new"]
        for one in files:
            one.write_text("{")
        for one in (dead, *files):
            os.utime(one, (0, 0))
        young = tmp_path / "models/day_max/.speaking.json.2.new"
        young.write_text("{")
        for n in range(2, KEPT + 4):
            run(opened().keep(numbered(n), CONTENT))
        assert not any(one.exists() for one in (dead, *files))
        assert young.exists(), "somebody may be writing it"
        there = sorted(p.parent.name for p in (tmp_path / "models/day_max").glob("*/model.canhman"))
        assert there == [numbered(n).version for n in (1, *range(4, KEPT + 4))]
        assert len(run(opened().cards())) == KEPT + 3

    def test_a_disk_that_takes_nothing_is_said(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """UnavailableError with the place; the next try is not in its way."""

        def full(descriptor: int) -> None:
            raise OSError(28, "No space left on device")

        folder = ModelFolder(tmp_path / "models")
        with monkeypatch.context() as patch:
            patch.setattr(os, "fsync", full)
            with pytest.raises(UnavailableError, match="No space left"):
                run(folder.keep(CARD, CONTENT))
        run(folder.keep(CARD, CONTENT))

    def test_a_kill_at_any_moment_leaves_the_old(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Dead before any call to the disk while one is kept and promoted: the old one speaks, or the new one whole; and the work can be done again."""
        folder = tmp_path / "models"
        old = run(ModelFolder(folder).keep(numbered(1), CONTENT))
        run(ModelFolder(folder).promote(old, at=1, why="old"))
        new = numbered(2)

        def work() -> None:
            files = ModelFolder(folder)
            files._promote(files._keep(new, CONTENT + b"2"), 2, "new")

        shutil.copytree(folder, tmp_path / "before")
        outcomes = []
        for moment in range(1, 60):
            shutil.rmtree(folder)
            shutil.copytree(tmp_path / "before", folder)
            with monkeypatch.context() as patch:
                died = _dies_at(patch, moment, work)
            files = ModelFolder(folder)
            speaks = run(files.speaking("day_max"))
            assert speaks is not None
            content = run(files.content(speaks))
            assert content == (CONTENT if speaks.version == old.version else CONTENT + b"2")
            assert files.look()[1] == []
            outcomes.append(speaks.version)
            if not died:
                break
            known = {c.version for c in run(files.cards())}
            kept = new if new.version in known else run(files.keep(new, CONTENT + b"2"))
            assert run(files.promote(kept, at=3, why="again")).version == new.version
        assert outcomes[0] == old.version
        assert outcomes[-1] == new.version
        assert len(outcomes) > 8
        assert sorted(outcomes, key=lambda v: v == new.version) == outcomes


class _Dead(BaseException):
    pass


def _dies_at(patch: pytest.MonkeyPatch, moment: int, work: Callable[[], None]) -> bool:
    """Whether `work` came as far as its `moment`-th call to the disk, and died there."""
    calls = 0

    def guarded(call: Callable[..., Any]) -> Callable[..., Any]:
        def die_or(*args: Any, **named: Any) -> Any:
            nonlocal calls
            calls += 1
            if calls >= moment:  # the dead do nothing more
                raise _Dead
            return call(*args, **named)

        return die_or

    for name in ("fsync", "rename", "mkdir"):
        patch.setattr(os, name, guarded(getattr(os, name)))
    patch.setattr(Path, "replace", guarded(Path.replace))
    patch.setattr(model_folder, "_write", guarded(model_folder._write))
    try:
        work()
    except _Dead:
        return True
    return False
