"""`canhman train` and `canhman models`: learn, decide on days nobody saw, tell why; the service begins it when due and speaks with what was promoted."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import structlog
from servers.front import Front
from servers.training_world import DAY, END, HOUR, TrainingWorld
from servers.waiting import until

from adapters.model_folder import ModelFolder
from analytics.forecast_config import Training
from analytics.promotion import Claim, Ruling, judge
from canhman import checks, forecasting, heartbeat, last_training, model_checks, train_schedule, training
from canhman.configuration import read_forecast, read_risk
from canhman.judge_lock import JudgeLock
from canhman.last_training import LastTraining
from canhman.lessons import codes
from canhman.reloading import Reloaded
from canhman.settings import Settings, read_settings
from canhman.signals import Signals
from canhman.terminal import Doubt
from core.clock import SimClock, rfc3339
from core.errors import UnavailableError
from core.forecast import Forecast
from core.model_card import ModelCard
from core.record import VALUES, Score

CARD = ModelCard(
    target="day_max",
    model="ensemble",
    version="1.20260302-848711",
    trained_at=END,
    data_from="2025-12-22",
    data_until="2026-02-12",
    stations=("an/main",),
    drivers=(),
    rows=200,
    source="store",
    held_out=None,
)
FIRST = "2025-12-22"  # 70 days before END
CODES = codes()


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four stations, seventy days; copied for each test."""
    folder = tmp_path_factory.mktemp("filled") / "data"
    world = TrainingWorld(folder)
    world.measure(END - 70 * DAY, END)
    world.clock_stands_at(END)
    world.db.close()
    return folder


@pytest.fixture(scope="module")
def trained(filled: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same, and `canhman train --target day_max` has run once."""
    folder = tmp_path_factory.mktemp("trained") / "data"
    shutil.copytree(filled, folder)
    settings = Settings(data=folder, clock="sim")
    known = asyncio.run(training.known_of_store(settings, wait_s=5, moved=lambda done, total: None))
    outcomes = asyncio.run(training.train(settings, known, targets=("day_max",), sets={}, force=False, bar=lambda done, what: None))
    assert [o.promoted for o in outcomes] == [True], outcomes
    return folder


@pytest.fixture
def use(front: Front, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Let the command line work on a copy of an installation."""
    monkeypatch.setenv("CANHMAN_CLOCK", "sim")

    def copy(folder: Path) -> Front:
        shutil.copytree(folder, front.data)
        return front

    return copy


def speaking(front: Front, target: str = "day_max") -> Any:
    return asyncio.run(ModelFolder(front.data / "models").speaking(target))


# ---------------------------------------------------------------- the commands


def test_a_model_that_is_better_comes_to_speak_and_learns_once(trained: Path, use: Any) -> None:
    """Its card tells what it learned from and how it scored; the same data again are not learned; by force they are, and nothing is promoted."""
    front = use(trained)
    card = speaking(front)
    assert (card.model, card.data_from, card.source, len(card.stations)) == ("ensemble", FIRST, "store", 4)
    held = card.held_out
    assert held.crps < held.baseline
    assert held.spoke is None
    assert held.since > card.data_until
    assert card.why.startswith("better: mean CRPS")
    (again,) = front.ok("train", "--target", "day_max", "--json").json
    assert (again["promoted"], again["why"].split(" since ")[0]) == (False, "nothing new to learn from")
    (forced,) = front.ok("train", "--target", "day_max", "--force", "--json").json
    assert (forced["promoted"], forced["version"]) == (False, card.version)
    assert "speaks already" in forced["why"]
    assert speaking(front) == card
    (listed,) = front.ok("models", "--json").json
    assert (listed["version"], listed["promoted_at"], listed["drift"]) == (card.version, rfc3339(END), None)
    assert listed["trained_at"] == rfc3339(card.trained_at)
    assert (forced["trained_at"], forced["promoted_at"]) == (listed["trained_at"], listed["promoted_at"])
    assert listed["held_out"]["baseline_name"] == held.baseline_name
    shown = front.ok("models").out
    assert card.version in shown
    assert f"{held.crps:.3f}" in shown
    assert "2026-03-01T22:00:00Z" in shown


def test_a_driver_that_changes_is_learned_again_and_one_that_is_not_used_is_not(tmp_path: Path) -> None:
    """Just these days were learned from, whether what came of it uses the drivers or not."""
    files = ModelFolder(tmp_path / "models")
    draft = replace(CARD, drivers=("discharge", "level"))
    kept = replace(draft, drivers=("level",), unused={"discharge": "it never changed"}, why="worse")
    asyncio.run(files.keep(kept, b"CANHMAN-MODEL 1\n"))
    assert asyncio.run(training._same(files, draft, "1")) is not None
    assert asyncio.run(training._same(files, replace(draft, drivers=("level",)), "1")) is None


def test_a_model_speaks_from_when_it_was_promoted(trained: Path, use: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not from when its training began: the installation's clock is read again, and where the database is away the begin has to do."""
    front = use(trained)
    world = TrainingWorld.of(front.data)
    world.clock_stands_at(END + HOUR)
    world.db.close()
    assert asyncio.run(training._now(read_settings(), END)) == END + HOUR
    monkeypatch.setattr(training.wiring, "clock", away)
    assert asyncio.run(training._now(read_settings(), END)) == END


async def away(*args: Any) -> None:
    raise UnavailableError("away")


def test_a_driver_that_no_model_uses_is_told_once(trained: Path, use: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """By train, models and doctor, with the reason on its card; not of hours, and not of one that is used."""
    front = use(trained)
    config = tmp_path / "ours"
    config.mkdir()
    (config / "forecast.toml").write_text("".join(f'[[driver]]\nname = "{name}"\nstation = "an"\nquantity = "water.salinity"\n' for name in ("q", "hp-level")))
    monkeypatch.setenv("CANHMAN_CONFIG", str(config))
    why = "it learned from one season; two are needed"
    cards = [replace(CARD, target=target, drivers=("q",), unused={"hp-level": why}) for target in ("day_max", "day_min")]
    drivers = read_forecast(config).drivers
    hour = replace(CARD, target="hour", drivers=())
    told = [f"driver hp-level is configured, but the models that speak of day_max and day_min do not use it: {why}"]
    assert model_checks.idle_drivers(drivers, [*cards, hour]) == told
    line = "driver hp-level is configured, but the model that speaks of day_max does not use it: what it learned from (store) held none of it"
    assert line in [finding.text for finding in checks._models(read_settings()) if finding.mark == "warn"]
    assert front.ok("models").err.count(line) == 1
    monkeypatch.setattr(training, "lesson", lambda *args: "nothing is learned: a test")
    assert front.ok("train", "--target", "day_max", "--json").err.count(line) == 1


def test_who_speaks_in_the_running_service_is_told_beside_the_files(trained: Path, use: Any) -> None:
    """A model whose file was damaged speaks on there: doctor and models say both, and the list does not say that it speaks."""
    front = use(trained)
    card = speaking(front)
    path = front.data / "models/day_max" / card.version / "model.canhman"
    path.write_bytes(path.read_bytes() + b"?")
    name = f"ensemble {card.version}"
    heartbeat.write(front.data, "forecast", {}, {}, {"day_max": name, "day_min": "persistence", "hour": "persistence"})
    both = f"day_max by {name} in the running service, by persistence after a restart"
    assert [f.text for f in checks._models(read_settings()) if f.mark == "ok"] == [f"{both}; day_min by persistence; hour by persistence"]
    shown = front.ok("models")
    assert both in shown.err
    assert "is not what was kept" in shown.err
    assert "cannot be read" in shown.out
    assert "is not what was kept" in front.ok("models", "--json").json[0]["unreadable"]


def test_no_card_that_can_be_read_is_not_no_model(trained: Path, use: Any) -> None:
    """The list says that there is one, and stderr what is wrong with it; of a target without any it says that none was trained."""
    front = use(trained)
    version = speaking(front).version
    for path in (front.data / "models/day_max" / version / "card.json", front.data / "models/day_max/speaking.json"):
        path.write_text("{")
    shown = front.ok("models")
    assert shown.out.startswith("no trained model can be read")
    assert "is no card of a model" in shown.err
    assert front.ok("models", "--target", "hour").out.startswith("no model was trained yet")


def test_one_that_was_kept_and_not_judged_is_judged_by_the_next_training(filled: Path, use: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """As after a kill between the two: the same data are not "nothing new", and the file is not kept twice."""
    front = use(filled)

    async def dies(*args: Any, **named: Any) -> None:
        raise UnavailableError("the disk is away")

    with monkeypatch.context() as patch:
        patch.setattr(ModelFolder, "promote", dies)
        assert "the disk is away" in front("train", "--target", "day_max").line
    assert speaking(front) is None
    (outcome,) = front.ok("train", "--target", "day_max", "--json").json
    assert outcome["promoted"]
    assert [c["version"] for c in front.ok("models", "--json").json] == [outcome["version"]]


def test_another_code_and_other_values_are_something_new(tmp_path: Path) -> None:
    """The same days count as learned only where the same code learned from the same values, and said why it speaks or not."""
    files = ModelFolder(tmp_path / "models")
    names = {"target": "day_max", "model": "ensemble", "data_from": "2026-01-01", "data_until": "2026-02-01", "source": "store", "inputs": "abc"}
    draft = ModelCard(**names, version="", trained_at=1, stations=("an/main",), drivers=(), rows=9, held_out=None)  # type: ignore[arg-type]  # texts

    async def work() -> None:
        kept = await files.keep(replace(draft, version="1.20260302-abcdef"), b"CANHMAN-MODEL 1\n")
        assert await training._same(files, draft, "1") is None
        noted = await files.note(kept, why="worse")
        assert await training._same(files, draft, "1") == noted
        assert await training._same(files, draft, "2") is None
        assert await training._same(files, replace(draft, inputs="abd"), "1") is None

    asyncio.run(work())


def test_a_poisoned_candidate_never_speaks(trained: Path, use: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is kept with the reason in words; the one that spoke speaks on, and both have been asked about days that neither knew."""
    front = use(trained)
    before = speaking(front)
    world = TrainingWorld.of(front.data)
    world.measure(END, END + 2 * DAY)
    world.clock_stands_at(END + 2 * DAY)
    world.db.close()

    def poisoned(candidate: Claim, *args: Any, **named: Any) -> Ruling:
        return judge(replace(candidate, quantiles=candidate.quantiles + 30), *args, **named)

    monkeypatch.setattr(training, "judge", poisoned)
    (outcome,) = front.ok("train", "--target", "day_max", "--json").json
    assert not outcome["promoted"]
    assert "not better than the best baseline and the one that speaks" in outcome["why"]
    assert outcome["held_out"]["spoke"] < outcome["held_out"]["crps"]
    assert outcome["held_out"]["since"] > before.data_until
    assert speaking(front) == before
    cards = front.ok("models", "--json").json
    assert [(c["version"], c["promoted_at"]) for c in cards] == [(outcome["version"], None), (before.version, rfc3339(END))]
    assert cards[0]["why"] == outcome["why"]


def test_a_fault_in_one_target_keeps_no_other_from_learning(trained: Path, use: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is told with exit code 1, and whoever spoke speaks on."""
    front = use(trained)
    before = speaking(front)
    ask, asked = training.lesson, []

    def broken(known: Any, target: str, *more: Any) -> Any:
        asked.append(target)
        if target == "day_max":
            raise ZeroDivisionError("a slip")
        return "nothing is learned: a test" if target == "hour" else ask(known, target, *more)

    monkeypatch.setattr(training, "lesson", broken)
    done = front("train", "--target", "day_max", "--target", "hour", "--json")
    assert done.code == 1
    assert asked == ["day_max", "hour"]
    assert [("a slip" in o["why"], o["promoted"]) for o in done.json] == [(True, False), (False, False)]
    assert speaking(front) == before


def test_one_that_speaks_and_fails_can_be_replaced(trained: Path, use: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is judged without, and the card says so."""
    front = use(trained)
    before = speaking(front)
    world = TrainingWorld.of(front.data)
    world.measure(END, END + 2 * DAY)
    world.clock_stands_at(END + 2 * DAY)
    world.db.close()
    unpack, files = training.unpacked, []

    def broken(content: bytes) -> Any:
        files.append(content)
        return object() if len(files) == 1 else unpack(content)  # the one that speaks is read first

    monkeypatch.setattr(training, "unpacked", broken)
    (outcome,) = front.ok("train", "--target", "day_max", "--json").json
    assert len(files) == 2
    assert outcome["promoted"]
    assert "the one that spoke could not be asked, see the log: AttributeError" in outcome["why"]
    assert speaking(front).version == outcome["version"] != before.version


def test_what_goes_wrong_with_one_target_keeps_no_other_from_learning(filled: Path, use: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is that target's outcome and a line with exit code 1."""
    front = use(filled)
    keep = ModelFolder.keep

    async def full(files: ModelFolder, card: ModelCard, content: bytes) -> ModelCard:
        if card.target == "day_max":
            raise UnavailableError("the disk is full")
        return await keep(files, card, content)

    monkeypatch.setattr(ModelFolder, "keep", full)
    done = front("train", "--target", "day_max", "--target", "day_min", "--json")
    assert done.code == 1
    assert "day_max: nothing is promoted: the disk is full" in done.err
    assert [(o["target"], o["promoted"]) for o in done.json] == [("day_max", False), ("day_min", True)]
    assert speaking(front) is None
    assert speaking(front, "day_min") is not None


@pytest.mark.parametrize(
    ("file", "words", "whole"),
    [("model.canhman", (), -3), ("model.canhman", ("--force",), -3), ("model.canhman", (), None), ("card.json", (), -3), ("../speaking.json", (), -3)],
)
def test_what_is_damaged_of_the_one_that_speaks_is_healed_by_learning_it_anew(
    trained: Path, use: Any, file: str, words: tuple[str, ...], whole: int | None
) -> None:
    """From the same days it is the same file to the bit, whichever part is damaged or gone; other targets learn beside it, and doctor is content."""
    front = use(trained)
    before = speaking(front)
    path = front.data / "models/day_max" / before.version / file
    content = path.read_bytes()
    if whole is None:
        path.unlink()
    else:
        path.write_bytes(content[:whole])
    of_max, of_min = front.ok("train", "--target", "day_max", "--target", "day_min", "--json", *words).json
    assert [f.text for f in checks._models(read_settings()) if f.mark == "red"] == []
    assert of_min["promoted"]
    if file == "../speaking.json":
        assert of_max["promoted"]
        assert "speaking.json is no card" in of_max["why"]
        assert speaking(front) == replace(before, why=of_max["why"])
    else:
        assert of_max["why"] == "it is the model that speaks already, to the bit; its files were damaged, and are written anew"
        assert speaking(front) == before
        assert path.read_bytes() == content


def test_a_young_installation_learns_nothing_and_says_so(front: Front, monkeypatch: pytest.MonkeyPatch) -> None:
    """Under 21 days: one line for each target, no model, no failure. Without any installation it is one."""
    assert "no installation is there" in front("train").line
    assert "no installation is there" in front("models").line
    monkeypatch.setenv("CANHMAN_CLOCK", "sim")
    world = TrainingWorld(front.data, stations=("an",))
    world.clock_stands_at(END)
    assert "readings of 0 days are there, 21 are needed" in front.ok("train", "--target", "day_min").out
    world.measure(END - 20 * DAY, END)
    world.db.close()
    lines = front.ok("train").out.splitlines()
    assert [line.split(": ")[0] for line in lines] == ["day_max", "day_min", "hour"]
    assert all("nothing is learned: readings of 20 days are there" in line for line in lines)
    assert "persistence speaks" in front.ok("models").out


def test_what_it_cannot_do_is_one_line(filled: Path, use: Any, tmp_path: Path) -> None:
    """An unknown target is wrong use; another training here, a broken configuration and another unit are said."""
    front = use(filled)
    assert "day_max, day_min, hour" in front("train", "--target", "week").usage
    lock = JudgeLock(front.data, "train.lock")
    assert lock.take()
    assert front("train").line.startswith("another canhman train runs")
    lock.release()
    (tmp_path / "ours").mkdir()
    (tmp_path / "ours/forecast.toml").write_text("[training]\nevery = 2\n")
    assert "unknown 'every'" in front("train", CONFIG=str(tmp_path / "ours")).line
    rows = "\n".join(f"2026-01-{day:02d},a,{day}" for day in range(1, 31))
    (tmp_path / "x.csv").write_text(f"time,station,value\n{rows}\n")
    head = 'name = "x"\ntimezone = "Asia/Ho_Chi_Minh"\nthresholds = [1]\nleads_days = [1]\ntrain_until = 2026-01-20\ntest_from = 2026-01-21\n'
    (tmp_path / "x.toml").write_text(head + '[target]\nfile = "x.csv"\ntime = "time"\nstation = "station"\nvalue = "value"\nunit = "mg/L"\n')
    assert "its unit is mg/L" in front("train", "--target", "day_max", "--dataset", str(tmp_path / "x.toml")).line


# ---------------------------------------------------------------- the service


@contextmanager
def serving(settings: Settings, said: list[str] | None = None) -> Iterator[Signals]:
    """The service in a thread, as `canhman up` runs it; what it says at its start is added to `said`."""
    structlog.configure(cache_logger_on_first_use=False)
    signals, begun = Signals(), threading.Event()
    failures: list[BaseException] = []

    def begin(what: str) -> None:
        if said is not None:
            said.append(what)
        begun.set()

    def run() -> None:
        try:
            asyncio.run(forecasting.forecast(settings, wait_s=5, signals=signals, started=begin))
        except BaseException as error:  # noqa: BLE001  the test must hear of whatever ends the service
            failures.append(error)
            begun.set()

    thread = threading.Thread(target=run)
    thread.start()
    try:
        assert begun.wait(30)
        yield signals
    finally:
        signals.stop()
        thread.join(30)
        structlog.reset_defaults()
    assert not thread.is_alive()
    assert not failures, failures


def issued(front: Front, target: str = "day_max", station: str = "an") -> list[Forecast]:
    found: list[Forecast] = front.database(lambda db: db.forecasts(station=station, point="main", target=target))
    return found


def beat(front: Front) -> heartbeat.Heartbeat | None:
    return heartbeat.read(front.data, "forecast")


def test_the_service_has_models_learn_and_speaks_with_them_after_a_restart_too(filled: Path, use: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Persistence issues first; the training it begins promotes one, which issues the next morning by its name; so does it after a restart."""
    front = use(filled)
    monkeypatch.setattr(train_schedule, "FIRST_S", 0.0)
    world = TrainingWorld.of(front.data)
    with serving(read_settings()):
        until(lambda: issued(front), 30, "the first issue")
        until(lambda: speaking(front), 120, "a model is promoted")
        until(lambda: (b := beat(front)) is not None and b.figures["trained"] and b.figures["trainings"] == 1, 30, "it speaks")
        world.measure(END, END + DAY)
        world.clock_stands_at(END + DAY)
        second = until(lambda: f[1] if len(f := issued(front)) > 1 else None, 30, "the second issue")
    first, card = issued(front)[0], speaking(front)
    assert (first.model, second.model, second.version) == ("persistence", "ensemble", card.version)
    assert second.leads[0] == 1
    world.measure(END + DAY, END + 2 * DAY)
    world.clock_stands_at(END + 2 * DAY)
    world.db.close()
    (tmp_path / "ours").mkdir()
    (tmp_path / "ours/forecast.toml").write_text("[training]\nevery_days = 0\n")
    monkeypatch.setenv("CANHMAN_CONFIG", str(tmp_path / "ours"))
    with serving(read_settings()):
        third = until(lambda: f[2] if len(f := issued(front)) > 2 else None, 30, "an issue after the restart")
        assert beat(front).troubles == {}  # type: ignore[union-attr]  # it has issued
    assert (third.model, third.version) == ("ensemble", card.version)


def test_a_file_that_cannot_be_read_leaves_the_word_to_persistence(trained: Path, use: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The forecast goes out all the same; the line at its start, heartbeat and doctor name the file and who speaks."""
    front = use(trained)
    path = front.data / "models/day_max" / speaking(front).version / "model.canhman"
    path.write_bytes(path.read_bytes()[:-1] + b"?")
    said: list[str] = []
    with serving(read_settings(), said):
        first = until(lambda: next(iter(issued(front)), None), 30, "an issue")
        found = until(lambda: b if (b := beat(front)) and b.troubles else None, 30, "its heartbeat tells")
        assert first.model == "persistence"
        assert "model.canhman is not what was kept" in found.troubles["model day_max"]
        assert "persistence speaks meanwhile" in found.troubles["model day_max"]
    [line] = said
    assert isinstance(line, Doubt)
    assert line.startswith("forecasting (persistence), it is ")
    assert "model.canhman is not what was kept" in line
    red = [finding.text for finding in checks._models(read_settings()) if finding.mark == "red"]
    assert len(red) == 1
    assert "model.canhman is not what was kept" in red[0]


def test_a_model_that_drifts_is_named(trained: Path, use: Any) -> None:
    """A bad record shows in the heartbeat of the service and in `canhman models`."""
    front = use(trained)
    assert speaking(front).held_out.error is not None
    bad = Score(station="an", point="main", target="day_max", model="ensemble", lead=1, line=VALUES, bin=0, month=202603, n=60, inside=30, error=600.0)
    front.database(lambda db: db.add_scores([bad], name="test", was=0, value=1))
    words = front.ok("models").err
    assert "90 % interval held 50% of 60 times" in words
    assert "error of the next day is 10.00 g/L" in words
    assert "drifts" in front.ok("models", "--json").json[0]["drift"]
    with serving(read_settings()):
        found = until(lambda: b if (b := beat(front)) and b.troubles else None, 30, "its heartbeat tells")
        assert found.figures["drifting"] == 1
        assert "drifts" in found.troubles["drift"]


def test_a_fault_of_ours_in_drift_or_training_keeps_no_forecast_back(trained: Path, use: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both are told in the heartbeat, and the service goes on."""
    front = use(trained)

    async def slip(*args: Any) -> None:
        raise TypeError("a slip")

    monkeypatch.setattr(forecasting, "of_database", slip)
    monkeypatch.setattr(train_schedule.Schedule, "step", slip)
    with serving(read_settings()):
        found = until(lambda: b if (b := beat(front)) and {"drift", "training"} <= set(b.troubles) else None, 30, "its heartbeat tells")
        until(lambda: issued(front), 30, "an issue")
    assert "a slip" in found.troubles["drift"]
    assert "a slip" in found.troubles["training"]


def of_older_code(front: Front) -> ModelCard:
    """As an upgrade finds it: who speaks was learned by the code before, which tried again today and is to wait."""
    card = speaking(front)
    old = replace(card, version=f"0.{card.version.partition('.')[2]}")
    place = front.data / "models/day_max"
    (place / card.version).rename(place / old.version)
    for file in (place / old.version / "card.json", place / "speaking.json"):
        file.write_text(file.read_text().replace(f'"{card.version}"', f'"{old.version}"'))
    (front.data / last_training.FILE).write_text(f'{{"not_before": 4e9, "tried": {END}}}')
    return old


def test_what_other_code_learned_is_learned_anew_at_once(trained: Path, use: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The service comes up by itself: persistence speaks and the trouble is told, for as long as the training takes, not until the next night."""
    front = use(trained)
    old = of_older_code(front)
    assert "of other code" in front.ok("models").out
    assert [(c["speaks"], "was learned by version 0 of its code" in c["unreadable"]) for c in front.ok("models", "--json").json] == [(False, True)]
    red = [finding.text for finding in checks._models(read_settings()) if finding.mark == "red"]
    assert len(red) == 1
    assert "canhman train" in red[0]
    monkeypatch.setattr(train_schedule, "FIRST_S", 0.0)
    with serving(read_settings()):
        first = until(lambda: next(iter(issued(front)), None), 30, "an issue")
        found = until(lambda: b if (b := beat(front)) and "model day_max" in b.troubles else None, 30, "its heartbeat tells")
        assert first.model == "persistence"
        assert "was learned by version 0 of its code" in found.troubles["model day_max"]
        until(lambda: (b := beat(front)) is not None and b.figures["trainings"] == 1 and b.figures["trained"] == 3 and not b.troubles, 120, "all speak again")
    new = speaking(front)
    assert (new.code, new.sha256) == (CODES["ensemble"], old.sha256), "the code is the same in truth"
    assert f"the one that spoke, {old.version}, is of other code and does not count" in new.why
    assert new.held_out.spoke is None


# ---------------------------------------------------------------- when


def standing() -> SimClock:
    """A clock that stands at END."""
    return SimClock(END, 0.0)


JUDGED = replace(CARD, why="better")


def test_what_other_code_learned_does_not_count() -> None:
    """After an upgrade a target whose newest model the new code did not make is as if it had never been learned: it need not wait out its week."""
    codes = {"ensemble": "2", "boosted": "1"}
    old, hours = JUDGED, replace(JUDGED, target="hour", model="boosted", trained_at=END - DAY)
    assert old.code == "1"
    assert train_schedule.learned_at([], codes) == {}
    assert train_schedule.learned_at([hours], codes) == {"hour": END - DAY}
    assert train_schedule.learned_at([hours, old], codes) == {"hour": END - DAY}
    new = replace(old, version="2.20260303-a1b2c3", trained_at=END + DAY)
    assert train_schedule.learned_at([hours, old, new], codes) == {"hour": END - DAY, "day_max": END + DAY}
    assert train_schedule.learned_at([hours, old, replace(new, source="Mekong 2020-22")], codes) == {"hour": END - DAY}
    assert train_schedule.learned_at([replace(old, model="gone")], codes) == {}


def test_each_target_is_due_by_its_own_newest_model() -> None:
    """A kill between two targets costs the later ones no week: those that never learned, or are a week behind, are due; what was kept is not learned again."""
    rules, codes = Training(hour=1, every_days=7), {"ensemble": "1", "boosted": "1"}

    def due(*cards: ModelCard, now: int = END, tried: int | None = None) -> tuple[str, ...]:
        return train_schedule.due_targets(rules, now, train_schedule.learned_at(cards, codes), tried)

    lowest = replace(JUDGED, target="day_min")
    hours = replace(JUDGED, target="hour", model="boosted")
    week = [replace(card, trained_at=END - 7 * DAY) for card in (JUDGED, lowest, hours)]
    assert due() == ("day_max", "day_min", "hour")
    assert due(JUDGED, lowest) == ("hour",), "killed in the first training"
    assert due(JUDGED, lowest, now=END - 5 * HOUR) == ("hour",), "at midnight too"
    assert due(JUDGED, lowest, tried=END - HOUR) == (), "it was asked today, and nothing came of it"
    assert due(*week) == ("day_max", "day_min", "hour")
    assert due(*week, JUDGED) == ("day_min", "hour"), "killed in the weekly one"
    assert due(*week, JUDGED, now=END + DAY) == ("day_min", "hour"), "resumed on the next day"
    assert due(*week, JUDGED, lowest, hours) == ()
    assert due(JUDGED, replace(lowest, why=""), hours) == ("day_min",), "killed before it was judged"
    assert due(replace(JUDGED, version="0.20260302-848711"), lowest, hours) == ("day_max",), "of other code"
    assert train_schedule.due_targets(Training(every_days=0), END, {}, None) == ()


def test_a_training_killed_between_two_targets_goes_on_with_the_later_ones(trained: Path, use: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The service finds day_max kept and judged: what it begins learns the other two, and writes nothing anew of the first."""
    front = use(trained)
    before = sorted((p.name, p.stat().st_mtime_ns) for p in (front.data / "models/day_max").rglob("*"))
    monkeypatch.setattr(train_schedule, "FIRST_S", 0.0)
    with serving(read_settings()):
        until(lambda: speaking(front, "day_min") and speaking(front, "hour"), 120, "the later ones speak")
        until(lambda: last_training.read(front.data, CODES).tried, 30, "it came to its end")
    assert sorted((p.name, p.stat().st_mtime_ns) for p in (front.data / "models/day_max").rglob("*")) == before
    assert [c["target"] for c in front.ok("models", "--json").json].count("day_max") == 1


def test_a_training_is_due_by_the_installations_clock() -> None:
    """At once where models never learned; then each so many local days from an hour on; once a day where nothing came of it; never with 0."""
    rules = Training(hour=1, every_days=7)
    due = train_schedule.is_due
    assert due(rules, END, None, None)
    assert not due(Training(every_days=0), END, None, None)
    assert not due(rules, END, None, END - HOUR)
    assert due(rules, END, None, END - DAY)
    assert not due(rules, END, END - 6 * DAY, None)
    assert due(rules, END, END - 7 * DAY + 3 * HOUR, None), "days are counted, not hours"
    assert not due(rules, END - 5 * HOUR, END - 8 * DAY, None), "it is midnight"
    assert due(rules, END - 4 * HOUR, END - 8 * DAY, None)
    assert not due(rules, END, END - 8 * DAY, END - HOUR)


def test_a_training_that_fails_is_told_and_not_begun_again_at_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Its last line stands in the heartbeat. One at a time; none for an installation that is too young, or with every_days 0."""
    monkeypatch.setattr(train_schedule, "FIRST_S", 0.0)
    asked: list[int] = []

    async def work() -> None:
        old_enough = False

        async def newest() -> dict[str, int]:
            return {}

        async def enough(before: int) -> bool:
            asked.append(before)
            return old_enough

        def schedule() -> train_schedule.Schedule:
            return train_schedule.Schedule(Settings(data=tmp_path / "nowhere"), standing(), newest=newest, enough=enough)

        for rules in (Training(), Training(every_days=0)):
            one = schedule()
            await one.step(rules)
            assert (one.runs, one.is_training) == (0, False)
        old_enough = True
        one = schedule()
        await one.step(Training())
        assert one.is_training
        await one.step(Training())
        while one.is_training:
            await asyncio.sleep(0.05)
        await one.step(Training())
        assert one.runs == 1
        assert "exit code 1" in one.trouble
        assert "no installation is there" in one.trouble
        await one.stop()

    asyncio.run(work())
    assert asked == [END - 21 * DAY] * 2


def test_a_restart_begins_no_other_training_at_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Ten minutes lie between two; one that came to its end and kept nothing is tried on the next day; what a stop ended, after the ten minutes.

    What other code tried, or was to wait for, counts for nothing.
    """
    monkeypatch.setattr(train_schedule, "FIRST_S", 0.0)
    settings = Settings(data=tmp_path)

    async def none() -> dict[str, int]:
        return {}

    async def run(targets: Sequence[str]) -> None:
        return None

    async def yes(before: int) -> bool:
        return True

    def again() -> train_schedule.Schedule:
        return train_schedule.Schedule(settings, standing(), newest=none, enough=yes)

    async def begun() -> bool:
        one = again()
        monkeypatch.setattr(one, "_run", run)
        await one.step(Training(hour=0))
        return one._task is not None

    def later() -> None:
        """The ten minutes are over."""
        last_training.write(tmp_path, replace(last_training.read(tmp_path, CODES), not_before=0.0))

    assert asyncio.run(begun())
    assert not asyncio.run(begun()), "ten minutes"
    later()
    assert asyncio.run(begun()), "it never came to its end"
    later()
    one = again()
    one._tried = END
    one._heard(0, "[]", "")
    assert last_training.read(tmp_path, CODES).tried == END
    assert not asyncio.run(begun()), "it kept nothing"
    last_training.write(tmp_path, LastTraining(tried=END, not_before=4e9, codes=CODES | {"ensemble": "0"}))
    assert asyncio.run(begun()), "other code tried it, and was to wait"
    last_training.write(tmp_path, LastTraining(tried=END + DAY, codes=CODES))
    assert asyncio.run(begun()), "the clock was set back"
    last_training.write(tmp_path, LastTraining(not_before=4e9, codes=CODES))
    assert last_training.read(tmp_path, CODES).waits_s(train_schedule.AGAIN_S) == train_schedule.AGAIN_S
    later()
    again()._heard(1, "", "no")
    assert last_training.read(tmp_path, CODES).waits_s(9e9) > train_schedule.AGAIN_S - 60
    (tmp_path / last_training.FILE).write_text("{")
    assert last_training.read(tmp_path, CODES) == LastTraining(codes=CODES)
    (tmp_path / last_training.FILE).write_text('{"not_before": 4e9, "tried": 1}')
    assert last_training.read(tmp_path, CODES) == LastTraining(codes=CODES), "of a program that did not write down its code"


@pytest.mark.parametrize(("program", "trouble"), [("/nowhere/python", "FileNotFoundError"), ("echo", "JSONDecodeError")])
def test_a_training_that_cannot_begin_or_be_understood_is_told_and_tried_again(
    program: str, trouble: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """No program, or an answer that is no JSON: a trouble like any other, and the next try is within the hour, not on the next day."""
    monkeypatch.setattr(train_schedule, "FIRST_S", 0.0)
    monkeypatch.setattr(train_schedule, "AGAIN_S", 0.0)
    monkeypatch.setattr(sys, "executable", program)

    async def work() -> None:
        async def newest() -> dict[str, int]:
            return {}

        async def enough(before: int) -> bool:
            return True

        one = train_schedule.Schedule(Settings(data=tmp_path), standing(), newest=newest, enough=enough)
        for run in (1, 2):
            await one.step(Training())
            assert one._task is not None
            await asyncio.wait([one._task])
            assert trouble in one.trouble
            assert one.runs == run
        await one.stop()

    asyncio.run(work())


def test_a_stop_ends_a_training_that_runs(monkeypatch: pytest.MonkeyPatch, filled: Path, tmp_path: Path) -> None:
    """The service does not wait for it."""
    shutil.copytree(filled, tmp_path / "data")
    monkeypatch.setattr(train_schedule, "FIRST_S", 0.0)
    children: list[asyncio.subprocess.Process] = []
    begin = asyncio.create_subprocess_exec

    async def begun(*words: str, **named: Any) -> asyncio.subprocess.Process:
        children.append(await begin(*words, **named))
        return children[-1]

    monkeypatch.setattr(asyncio, "create_subprocess_exec", begun)

    async def work() -> int | None:
        async def newest() -> dict[str, int]:
            return {}

        async def enough(before: int) -> bool:
            return True

        one = train_schedule.Schedule(Settings(data=tmp_path / "data", clock="sim"), standing(), newest=newest, enough=enough)
        await one.step(Training())
        while not children:
            await asyncio.sleep(0.01)
        await one.stop()
        return children[0].returncode

    assert asyncio.run(work()) == -9


def test_drivers_are_read_again_at_sighup(filled: Path, use: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """From the next round on issues are told of them; a broken file changes nothing; doctor says that nobody brings it."""
    use(filled)
    file = tmp_path / "ours/forecast.toml"
    file.parent.mkdir()
    file.write_text("[training]\nevery_days = 0\n")
    monkeypatch.setenv("CANHMAN_CONFIG", str(file.parent))
    settings = read_settings()

    async def work() -> None:
        async with forecasting._opened(settings, 5) as parts:
            config = Reloaded(lambda: read_forecast(settings.config), lambda found: {})
            service = forecasting._Service(settings, parts, config, Reloaded(lambda: read_risk(settings.config), lambda found: {}))
            first = service._issuer
            file.write_text('[[driver]]\nname = "q"\nstation = "tan-chau"\nquantity = "water.level"\n')
            assert config.again()
            await service._follow()
            assert first._drivers == ()
            assert [d.name for d in service._issuer._drivers] == ["q"]
            second = service._issuer
            file.write_text("[[driver]]\n")
            assert not config.again()
            await service._follow()
            assert service._issuer is second

    asyncio.run(work())
    file.write_text('[[driver]]\nname = "q"\nstation = "tan-chau"\nquantity = "water.level"\n')
    warned = [finding.text for finding in checks._models(read_settings()) if finding.mark == "warn"]
    assert warned == ["driver q of forecast.toml: no water.level of tan-chau/main ever came; forecasts go without it"]


def test_the_child_reads_the_settings_of_its_service(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Those that were set, and no other of the environment."""
    monkeypatch.setenv("CANHMAN_URL", "https://other.example")
    found = train_schedule.environment(Settings(data=tmp_path, clock="sim", enrol_public=True, store_token="s3cret", url=""))  # type: ignore[arg-type]  # as pydantic reads it
    ours = {name: value for name, value in found.items() if name.startswith("CANHMAN_")}
    wanted = {"CANHMAN_DATA": str(tmp_path), "CANHMAN_CLOCK": "sim", "CANHMAN_ENROL_PUBLIC": "1", "CANHMAN_STORE_TOKEN": "s3cret", "CANHMAN_URL": ""}
    assert ours == wanted


def test_a_training_ends_with_the_service_that_began_it() -> None:
    """When the other end of its standard input is gone, as after a kill -9 of the service, the process is gone too."""
    code = "import time\nfrom canhman.training import end_with_input\nend_with_input()\nprint('learning', flush=True)\ntime.sleep(600)"
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        assert child.stdout.readline() == b"learning\n"
        assert child.poll() is None
        child.stdin.close()
        assert child.wait(30) == 1
