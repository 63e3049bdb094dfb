"""`canhman backtest` as people use it: a folder of CSVs and a TOML file in; tables, JSON, CSV and pictures out; every mistake one line."""

from __future__ import annotations

import csv
import errno
import json
import sys
from pathlib import Path

import pytest
from made_sets import DRIVERS, HEAD, LONG, season, without
from servers.front import Front

from analytics.daily import verify
from analytics.daily.model import day_models
from canhman import backtest_words, backtesting

TEXT = HEAD + LONG + DRIVERS
VALUES = ["rmse", "rmse_persistence", "rmse_climatology", "nse", "bias", "crps", "coverage90", "within_30pct"]
SKILLS = ["bss_climatology", "bss_persistence", "bss_logistic", "bss_logistic_lo", "bss_logistic_hi"]
SCORES = ["station", "lead_days", "threshold", "n", "prevalence", *VALUES, "brier", *SKILLS, "hit_rate", "false_alarm_ratio"]
COLUMNS = ["station", "issued", "lead_days", "valid", "observed", "q05", "q25", "q50", "q75", "q95", "p_gt_1", "p_gt_4"]


BEST = backtesting.MODEL


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a test names no model it is about the command: the quickest one stands for the best."""
    monkeypatch.setattr(backtesting, "MODEL", "persistence")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A season's files, with made.toml beside them."""
    found = tmp_path / "set"
    season().write(found)
    (found / "made.toml").write_text(TEXT, "utf-8")
    return found


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


# ------------------------------------------------------------ what it leaves


def test_json_has_the_agreed_keys(front: Front, folder: Path, tmp_path: Path) -> None:
    """A list: pooled and each station, for each lead a line of values (threshold null) and one for each threshold, with exactly these keys."""
    front.ok("backtest", str(folder / "made.toml"), "--json", str(tmp_path / "out.json"))
    found = json.loads((tmp_path / "out.json").read_text("utf-8"))
    assert [list(one) for one in found] == [SCORES] * len(found)
    assert {(one["station"], one["lead_days"], one["threshold"]) for one in found} == {
        (station, lead, line) for station in ("*", "an", "binh", "cai") for lead in (1, 3) for line in (None, 1.0, 4.0)
    }
    values = next(one for one in found if (one["station"], one["lead_days"], one["threshold"]) == ("*", 1, None))
    assert values["rmse"] == values["rmse_persistence"] > 0  # the model is persistence
    event = next(one for one in found if (one["station"], one["lead_days"], one["threshold"]) == ("*", 1, 4.0))
    assert 0 < event["prevalence"] < 1
    assert 0 < event["brier"] < 0.25


def test_forecasts_have_the_agreed_columns(front: Front, folder: Path, tmp_path: Path) -> None:
    """A row for each station, issue and lead; what was observed is what the file holds; quantiles rise and odds fall."""
    front.ok("backtest", str(folder / "made.toml"), "--forecasts", str(tmp_path / "out.csv"), "--json", str(tmp_path / "out.json"))
    found = rows(tmp_path / "out.csv")
    assert list(found[0]) == COLUMNS
    highest: dict[tuple[str, str], float] = {}
    for station, time, value in season().salinity:
        highest[station, time[:10]] = max(value, highest.get((station, time[:10]), 0.0))
    for row in found:
        assert float(row["observed"]) == highest[row["station"], row["valid"]]
        quantiles = [float(row[name]) for name in COLUMNS[5:10]]
        assert quantiles == sorted(quantiles)
        assert 1 >= float(row["p_gt_1"]) >= float(row["p_gt_4"]) >= 0
    assert len({(row["station"], row["issued"], row["lead_days"]) for row in found}) == len(found)
    counted = [one["n"] for one in json.loads((tmp_path / "out.json").read_text("utf-8")) if one["station"] == "*" and one["threshold"] is None]
    assert [sum(row["lead_days"] == lead for row in found) for lead in ("1", "3")] == counted


def test_scores_follow_from_the_forecasts(front: Front, folder: Path, tmp_path: Path) -> None:
    """Numbers are written with all their digits: what was over a threshold, warned of or within the interval is so in the file too."""
    lines = [f"an,2021-{1 + n // 28:02d}-{1 + n % 28:02d},{15525.5 + 0.01 * (n % 7 - 3):.2f}" for n in range(190)]
    (folder / "salinity.csv").write_text("station,time,salinity\n" + "\n".join(lines) + "\n")
    (folder / "fine.toml").write_text(without(HEAD, {"[1.0, 4.0]": "[15525.5]"}) + without(LONG, {"g/L": "mg/L"}))
    front.ok("backtest", str(folder / "fine.toml"), "--forecasts", str(tmp_path / "out.csv"), "--json", str(tmp_path / "out.json"))
    found = rows(tmp_path / "out.csv")
    assert {float(row["observed"]) for row in found} == {float(line.split(",")[2]) for line in lines}
    for one in json.loads((tmp_path / "out.json").read_text("utf-8")):
        said = [(float(row["p_gt_15525.5"]), float(row["observed"]) > 15525.5) for row in found if int(row["lead_days"]) == one["lead_days"]]
        within = [float(row["q05"]) <= float(row["observed"]) <= float(row["q95"]) for row in found if int(row["lead_days"]) == one["lead_days"]]
        if one["threshold"] is None:
            assert one["coverage90"] == pytest.approx(sum(within) / len(within), rel=1e-12)
        else:
            assert one["brier"] == pytest.approx(sum((p - came) ** 2 for p, came in said) / len(said), rel=1e-12)
            assert one["hit_rate"] == pytest.approx(sum(p >= 0.5 for p, came in said if came) / sum(came for _, came in said), rel=1e-12)


def test_a_file_of_notepad(front: Front, folder: Path) -> None:
    """A TOML with a mark before its first letter and lines of Windows is TOML."""
    (folder / "made.toml").write_bytes(TEXT.replace("\n", "\r\n").encode("utf-8-sig"))
    assert "made: 3 stations" in front.ok("backtest", str(folder / "made.toml")).out


def test_names_of_odds() -> None:
    """p_gt_ and the threshold as short as it is written."""
    assert backtesting.forecast_columns((0.5, 1.0, 2.25, 150.0))[-4:] == ["p_gt_0.5", "p_gt_1", "p_gt_2.25", "p_gt_150"]
    assert backtesting.forecast_columns((1.0000001, 1.0000002, 1e6))[-3:] == ["p_gt_1.0000001", "p_gt_1.0000002", "p_gt_1e+06"]


def test_twice_the_same_bytes(front: Front, folder: Path, tmp_path: Path) -> None:
    """JSON, CSV and every picture."""
    made = []
    for name in ("one", "two"):
        out = tmp_path / name
        out.mkdir()
        words = ("--json", str(out / "s.json"), "--forecasts", str(out / "f.csv"), "--plots", str(out / "pictures"))
        front.ok("backtest", str(folder / "made.toml"), "--model", "logistic", *words)
        made.append({str(path.relative_to(out)): path.read_bytes() for path in sorted(out.rglob("*")) if path.is_file()})
    assert made[0] == made[1]
    pictures = {"reliability-01", "reliability-03", "season-00-an", "season-01-binh", "season-02-cai", "skill"}
    assert set(made[0]) == {"s.json", "f.csv"} | {f"pictures/{name}.png" for name in pictures}
    assert all(content.startswith(b"\x89PNG") for name, content in made[0].items() if name.endswith(".png"))


def test_names_are_drawn_as_they_stand(front: Front, folder: Path, tmp_path: Path) -> None:
    """Two dollars in a name are no formula, and what parts folders is no folder."""
    text = (folder / "salinity.csv").read_text("utf-8").replace("binh", "b/$x_{$")
    (folder / "salinity.csv").write_text(text, "utf-8")
    (folder / "odd.toml").write_text(without(HEAD, {'"made"': '"$y^{$"'}) + without(LONG, {"g/L": "$z^{$"}))
    front.ok("backtest", str(folder / "odd.toml"), "--plots", str(tmp_path / "p"))
    assert (tmp_path / "p/season-01-b-x_-.png").is_file()


def test_the_tables_say_it_in_words(front: Front, folder: Path) -> None:
    """What was tried on what; better or worse than persistence, beyond chance or not; each station."""
    done = front.ok("backtest", str(folder / "made.toml"), "--model", "persistence")
    lines = done.out.splitlines()
    assert lines[0] == "made: 3 stations, g/L; model persistence 1, trained to 2021-04-30, tested 2021-05-01 to 2021-07-19"
    heads = [n for n, line in enumerate(lines) if line.startswith(("Days ahead", "Station"))]
    assert [line.split("  ")[0] for n, line in enumerate(lines) if n in heads] == ["Days ahead", "Days ahead", "Station"]
    assert "equal: no significant difference" in lines[heads[0] + 1]
    assert [line.split()[:2] for line in lines[heads[1] + 1 : heads[2]]] == [["1", "1"], ["1", "4"], ["3", "1"], ["3", "4"]]
    assert [line.split()[0] for line in lines[heads[2] + 1 :]] == ["an", "binh", "cai"]


def test_water_that_never_changes(front: Front, folder: Path, tmp_path: Path) -> None:
    """Every value equal, lines never passed or always: no score that does not exist, null in the JSON, words in the table."""
    lines = [f"{s},2021-{1 + n // 28:02d}-{1 + n % 28:02d},0.1" for n in range(190) for s in ("an", "binh")]
    (folder / "salinity.csv").write_text("station,time,salinity\n" + "\n".join(lines) + "\n")
    (folder / "flat.toml").write_text(without(HEAD, {"[1.0, 4.0]": "[0.05, 4.0]"}) + LONG)
    done = front.ok(
        "backtest", str(folder / "flat.toml"), "--model", "logistic", "--json", str(tmp_path / "out.json"), "--forecasts", str(tmp_path / "out.csv")
    )
    found = json.loads((tmp_path / "out.json").read_text("utf-8"), parse_constant=pytest.fail)
    assert {(one["nse"], one["bss_logistic"], one["bss_logistic_lo"], one["bss_persistence"]) for one in found} == {(None, None, None, None)}
    assert {one["rmse_persistence"] for one in found if one["threshold"] is None} == {0.0}
    assert {one["false_alarm_ratio"] for one in found if one["threshold"] == 4.0} == {None}
    assert all(len(row) == len(COLUMNS) and all(row.values()) for row in rows(tmp_path / "out.csv"))
    assert done.out.count("it never came") == done.out.count("it always came") == 2


@pytest.mark.parametrize(
    ("lo", "hi", "word"),
    [
        (0.1, 0.3, "significantly better"),
        (-0.3, -0.1, "significantly worse"),
        (-0.1, 0.3, "no significant difference"),
        (1e-16, 1e-16, "no significant difference"),
        (None, 0.2, "no significant difference"),
        (None, -0.2, "significantly worse"),
        (None, None, "too few days to tell"),
        (float("nan"), float("nan"), "too few days to tell"),
    ],
)
def test_an_interval_in_words(lo: float | None, hi: float | None, word: str) -> None:
    """Wholly above zero is better, wholly below worse; None below is unbounded."""
    assert backtest_words._word(lo, hi) == word


def test_options_come_before_the_file(front: Front, folder: Path, tmp_path: Path) -> None:
    """--train-until, --test-from and --test-until stand in place of the file's."""
    words = ("--train-until", "2021-05-10", "--test-from", "2021-05-20", "--test-until", "2021-06-20")
    front.ok("backtest", str(folder / "made.toml"), *words, "--forecasts", str(tmp_path / "out.csv"))
    found = rows(tmp_path / "out.csv")
    assert (min(row["valid"] for row in found), max(row["valid"] for row in found)) == ("2021-05-20", "2021-06-20")


@pytest.mark.parametrize("where", ["--data", "data in the file", "beside the file"])
def test_where_the_files_are(front: Front, folder: Path, tmp_path: Path, where: str) -> None:
    """--data DIR, else `data` in the file, from where it stands, else beside it."""
    (tmp_path / "sets").mkdir()
    lone = tmp_path / "sets/lone.toml"
    lone.write_text(('data = "../set"\n' if where == "data in the file" else "") + TEXT)
    words = {"--data": (str(lone), "--data", str(folder)), "data in the file": (str(lone),), "beside the file": (str(folder / "made.toml"),)}
    assert "made: 3 stations" in front.ok("backtest", *words[where]).out


def test_other_places_to_learn_from(front: Front, folder: Path, tmp_path: Path) -> None:
    """--train OTHER.toml: what is left out is told."""
    one = folder / "one.toml"
    one.write_text(TEXT.replace('unit = "g/L"', 'unit = "g/L"\nstations = ["binh"]'))
    done = front.ok("backtest", str(one), "--train", str(folder / "made.toml"), "--forecasts", str(tmp_path / "out.csv"))
    assert {row["station"] for row in rows(tmp_path / "out.csv")} == {"binh"}
    assert "note: 1 stations of made.toml are in one.toml too and are not learned from: binh" in done.err
    assert "made: binh, g/L" in done.out


def test_the_best_model_is_what_is_tried_unasked(front: Front, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without --model it is the ensemble."""
    monkeypatch.setattr(backtesting, "MODEL", BEST)
    assert "model ensemble " in front.ok("backtest", str(folder / "made.toml")).out


@pytest.mark.parametrize("name", day_models())
def test_every_model_can_be_tried(front: Front, folder: Path, name: str) -> None:
    """--model NAME."""
    assert f"model {name} " in front.ok("backtest", str(folder / "made.toml"), "--model", name).out


# ------------------------------------------------------------ mistakes


def test_what_the_command_line_cannot_mean(front: Front, folder: Path, tmp_path: Path) -> None:
    """Exit code 2 and one line, before anything is read."""
    file = str(folder / "made.toml")
    assert all(word in front("backtest", file, "--model", "oracle").usage for word in ("--model", "'oracle'", "persistence"))
    assert all(word in front("backtest", file, "--test-from", "1/5/2021").usage for word in ("--test-from", "'1/5/2021'", "2021-12-31"))
    assert "there is no folder" in front("backtest", file, "--json", str(tmp_path / "no/out.json")).usage
    assert "is a folder" in front("backtest", file, "--forecasts", str(tmp_path)).usage
    assert front("backtest", str(tmp_path / "no.toml")).code == 2
    for option, what in (("DATASET", "file"), ("--train", "file"), ("--data", "folder")):
        words = [str(tmp_path / "no")] if option == "DATASET" else [file, option, str(tmp_path / "no")]
        assert front("backtest", *words).usage == f"{option} {tmp_path / 'no'}: there is no such {what}"
    assert front("backtest", str(folder)).usage == f"DATASET {folder} is a folder: name a file"


# ------------------------------------------------------------ where it writes


@pytest.fixture
def _never(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever is refused is refused before the work."""
    monkeypatch.setattr(backtesting, "run", lambda asked: pytest.fail("it worked first"))


@pytest.mark.usefixtures("_never")
@pytest.mark.parametrize("option", ["--json", "--forecasts"])
@pytest.mark.parametrize("name", ["salinity.csv", "level.csv", "river.csv", "made.toml", "other/other.toml", "other/salinity.csv", "link.csv"])
def test_what_is_read_is_never_written_over(front: Front, folder: Path, option: str, name: str) -> None:
    """The set's file, its data, those of --train, by whatever name: one line, and each is as it was."""
    season().write(folder / "other")
    (folder / "other/other.toml").write_text('data = "."\n' + TEXT)
    (folder / "link.csv").symlink_to(folder / "salinity.csv")
    before = (folder / name).read_bytes()
    words = ("--train", str(folder / "other/other.toml"), option, str(folder / "other/.." / name))
    assert front("backtest", str(folder / "made.toml"), *words).usage == f"{option} {words[-1]} is read by this very trial: name another file"
    assert (folder / name).read_bytes() == before


@pytest.mark.usefixtures("_never")
def test_two_outputs_are_two_files(front: Front, folder: Path, tmp_path: Path) -> None:
    """Neither is lost to the other."""
    file, out = str(folder / "made.toml"), tmp_path / "out"
    line = front("backtest", file, "--json", str(out), "--forecasts", str(folder / ".." / "out")).usage
    assert line == f"--json and --forecasts are both {folder / '..' / 'out'}: give each a name of its own"
    assert "--forecasts and --plots are both" in front("backtest", file, "--forecasts", str(out), "--plots", str(out)).usage


@pytest.mark.usefixtures("_never")
@pytest.mark.parametrize("option", ["--json", "--forecasts", "--plots"])
def test_what_cannot_be_written_is_found_first(front: Front, folder: Path, tmp_path: Path, option: str) -> None:
    """A folder that takes no file, a full device, a name too long, a file for a folder: one line that names option and value."""
    there = tmp_path / "there"
    there.write_text("kept")
    places = {"/proc/x/y" if option == "--plots" else "/proc/o.json": "cannot be written", str(tmp_path / ("x" * 300)): "cannot be written: File name too long"}
    places |= {str(there): "is a file: name a folder"} if option == "--plots" else {"/dev/full": "cannot be written: No space left on device"}
    for place, told in places.items():
        line = front("backtest", str(folder / "made.toml"), option, place).usage
        assert line.startswith(f"{option} {place}")
        assert told in line
    assert there.read_text() == "kept"


@pytest.mark.parametrize("option", ["--json", "--forecasts", "--plots"])
def test_a_write_that_fails_leaves_what_was_there(front: Front, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, option: str) -> None:
    """A disk that is full at the end: one line with option and file, the file of before, and no draft."""

    def full(draft: Path, place: Path) -> Path:
        raise OSError(errno.ENOSPC, "No space left on device")

    out = tmp_path / "out"
    out.mkdir()
    place = out if option == "--plots" else out / "kept"
    file = out / "reliability-01.png" if option == "--plots" else place
    file.write_text("kept")
    monkeypatch.setattr(Path, "replace", full)
    done = front("backtest", str(folder / "made.toml"), option, str(place))
    assert (done.code, done.err.splitlines()[-1]) == (1, f"canhman: {option} {file} cannot be written: No space left on device")
    assert {path.name: path.read_text() for path in out.iterdir()} == {file.name: "kept"}


def test_a_link_and_a_mode_stay(front: Front, folder: Path, tmp_path: Path) -> None:
    """What a link leads to is written; who may read it stays so; a device is written to as it is."""
    place, link = tmp_path / "scores.json", tmp_path / "link.json"
    place.write_text("")
    place.chmod(0o640)
    link.symlink_to(place)
    front.ok("backtest", str(folder / "made.toml"), "--json", str(link), "--forecasts", "/dev/null")
    assert link.is_symlink()
    assert len(json.loads(place.read_text("utf-8"))) > 0
    assert place.stat().st_mode & 0o777 == 0o640
    assert Path("/dev/null").is_char_device()


def test_nothing_to_win_in_words(front: Front, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the reference is all but perfect it says so, and neither better nor worse."""
    monkeypatch.setattr(verify, "NOTHING_TO_WIN", 1.0)
    done = front.ok("backtest", str(folder / "made.toml"), "--json", str(tmp_path / "out.json"))
    assert done.out.count("nothing to win") == 4
    events = [one for one in json.loads((tmp_path / "out.json").read_text("utf-8")) if one["threshold"]]
    assert {(one["bss_logistic"], one["bss_logistic_lo"], one["bss_logistic_hi"]) for one in events} == {(None, None, None)}


def test_a_file_that_is_not_there(front: Front, folder: Path) -> None:
    """The name, where it was looked for, and --data."""
    (folder / "salinity.csv").unlink()
    line = front("backtest", str(folder / "made.toml")).line
    assert all(word in line for word in ("made.toml", "'salinity.csv'", str(folder), "--data DIR"))


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"timezone =": "timezone"}, "made.toml is no TOML"),
        ({"timezone": "time_zone"}, "unknown key 'time_zone'"),
        ({"2021-05-01": "2021-04-01"}, "not before test_from"),
        ({"2021-05-01": "2022-05-01"}, "too short to score"),
        ({'value = "salinity"': 'value = "salt"'}, "no column of salinity.csv"),
    ],
)
def test_a_mistake_of_the_file_is_one_line(front: Front, folder: Path, changes: dict[str, str], told: str) -> None:
    """Exit code 1, one line, no table."""
    (folder / "made.toml").write_text(without(TEXT, changes))
    assert told in front("backtest", str(folder / "made.toml")).line


def test_plots_without_matplotlib(front: Front, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One line that says how to bring it, before anything is learned; without --plots it is not missed."""
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    assert "deploy/install.sh extra:plots" in front("backtest", str(folder / "made.toml"), "--plots", str(tmp_path / "p")).line
    assert front.ok("backtest", str(folder / "made.toml")).code == 0


# ------------------------------------------------------------ measured


def test_mekong_as_measured(front: Front, shared_dir: Path, tmp_path: Path) -> None:
    """The shipped file on the measured salinity: n and the error of persistence are those others publish (.90, 2.04, 3.08, 2.29 g/L)."""
    if not (shared_dir / "data/mekong/salinity_2h_2020_2022.csv.gz").is_file():
        pytest.skip("the measured Mekong file is not here")
    file = Path(__file__).parents[2] / "docs/datasets/mekong.toml"
    front.ok("backtest", str(file), "--data", str(shared_dir / "data"), "--model", "persistence", "--json", str(tmp_path / "out.json"))
    found = json.loads((tmp_path / "out.json").read_text("utf-8"))
    pooled = {one["lead_days"]: one for one in found if one["station"] == "*" and one["threshold"] is None}
    assert {lead: round(one["rmse_persistence"], 2) for lead, one in pooled.items()} == pytest.approx({1: 0.90, 3: 2.04, 7: 3.08, 14: 2.29}, abs=0.011)
    assert {lead: one["n"] for lead, one in pooled.items()} == {1: 1500, 3: 1480, 7: 1440, 14: 1370}
