"""CANHMAN_CONFIG: files that override the defaults; unknown keys, files and broken text are one line."""

from __future__ import annotations

from pathlib import Path

import pytest
from servers.front import Front

from canhman.configuration import read_alerts, read_crops, read_forecast, read_qc, read_risk, read_waterways
from canhman.wiring import seed
from core.errors import ConfigError

BAD = {
    'approved_by = "x': "qc.toml",
    '[range."water.temperature"]\nsuspect_lwo = 1': "suspect_lwo",
    '[range."water.salt"]\nsuspect_low = 1': "water.salt",
    '[rnage."water.temperature"]\nsuspect_low = 1': "rnage",
    '[range."water.temperature"]\nsuspect_low = "warm"': "warm",
    '[range."water.temperature"]\nsuspect_low = nan': "number",
    '[station.kenh-lau.range."water.salt"]\nsuspect_low = 1': "kenh-lau",
    "range = 3": "section per quantity",
    "[range]\n'water.temperature' = 3": "section of parameters",
    "station = 3": "station",
    "[station]\nkenh-lau = 3": "kenh-lau",
    '[range."water.temperature"]\nsuspect_low = 30\nsuspect_high = 20': "water.temperature",
}


@pytest.mark.parametrize("text", BAD)
def test_a_broken_file_is_one_line(tmp_path: Path, text: str) -> None:
    """It names the file and what is wrong in it."""
    (tmp_path / "qc.toml").write_text(text)
    with pytest.raises(ConfigError) as caught:
        read_qc(tmp_path)
    assert "qc.toml" in str(caught.value)
    assert BAD[text] in str(caught.value)
    assert "\n" not in str(caught.value)


def test_ones_own_waterways_are_seeded(tmp_path: Path, front: Front) -> None:
    """waterways.toml of CANHMAN_CONFIG takes the place of the shipped one, where none is registered yet; a broken one is named."""
    (tmp_path / "waterways.toml").write_text('[[waterway]]\nid = "ours"\nname = "Kênh mình"\nsea = ""\nlength_km = 3.0\n')

    def seeded(folder: Path | None) -> set[str]:
        front.database(lambda db: seed(db, folder))
        return {w.id for w in front.database(lambda db: db.snapshot()).waterways}

    assert seeded(tmp_path) == {"ours"}
    assert seeded(None) == {"ours"}, "what is registered stays"
    (tmp_path / "waterways.toml").write_text("[[canal]]\n")
    with pytest.raises(ConfigError, match=r"waterways\.toml: unknown canal"):
        read_waterways(tmp_path)


READERS = {"qc.toml": read_qc, "risk.toml": read_risk, "alerts.toml": read_alerts, "crops.toml": read_crops, "forecast.toml": read_forecast}


@pytest.mark.parametrize("name", READERS)
def test_a_file_of_no_known_name_is_refused(tmp_path: Path, name: str) -> None:
    """Else `qc.tmol` or `alert.toml` would be left out in silence; whichever file was asked for is named too."""
    (tmp_path / "alert.toml").write_text("")
    with pytest.raises(ConfigError, match=r"alert\.toml: no configuration file is called that; known: .*qc\.toml") as caught:
        READERS[name](tmp_path)
    assert str(caught.value).startswith(name)


@pytest.mark.parametrize("name", READERS)
def test_a_folder_that_is_away_is_not_the_defaults(tmp_path: Path, name: str) -> None:
    """An unmounted CANHMAN_CONFIG is an error that names the file and the folder."""
    with pytest.raises(ConfigError, match=rf"^{name}: CANHMAN_CONFIG=.*away' is not a folder"):
        READERS[name](tmp_path / "away")


def test_bytes_that_are_no_text_are_named(tmp_path: Path) -> None:
    """A file saved in another encoding."""
    (tmp_path / "qc.toml").write_bytes("approved_by = 'Trạm'".encode("utf-16"))
    with pytest.raises(ConfigError, match="not UTF-8"):
        read_qc(tmp_path)


def test_own_file_goes_before_the_default(tmp_path: Path) -> None:
    """And another hash tells the two apart."""
    (tmp_path / "qc.toml").write_text('approved_by = "chi cục thủy lợi"\n[stuck."water.ec"]\nresolution = 0.5\nfloor = 0.62\n')
    own, default = read_qc(tmp_path), read_qc(None)
    assert own.approved_by == "chi cục thủy lợi"
    assert own.hash != default.hash
    assert own.general[("stuck", "water.ec")]["resolution"] == 0.5


def test_a_folder_without_files_is_the_defaults(tmp_path: Path) -> None:
    """File by file: what is not there comes from the wheel."""
    assert read_qc(tmp_path).hash == read_qc(None).hash


@pytest.mark.parametrize("command", [["ingest", "--wait", "0"], ["judge", "--once", "--wait", "0"]])
def test_services_refuse_a_broken_file_at_start(front: Front, tmp_path: Path, command: list[str]) -> None:
    """One line, exit code 1."""
    (tmp_path / "qc.toml").write_text("[range")
    assert "qc.toml" in front(*command, CONFIG=str(tmp_path), BROKER="embedded://127.0.0.1:1").line


def test_a_folder_that_is_none_is_named(front: Front, tmp_path: Path) -> None:
    """CANHMAN_CONFIG at a file, or nowhere."""
    assert "is not a folder" in front("judge", "--once", CONFIG=str(tmp_path / "nowhere")).line


@pytest.mark.sockets
@pytest.mark.parametrize("name", ["qc.toml", "risk.toml", "alerts.toml"])
def test_doctor_tells_a_broken_file(front: Front, tmp_path: Path, name: str) -> None:
    """Red, and the rest is looked at all the same."""
    front.ok("migrate")
    (tmp_path / name).write_text("[range")
    done = front("doctor", "--json", CONFIG=str(tmp_path))
    marks = {f["part"]: f["mark"] for f in done.json}
    assert done.code == 1
    assert marks["config"] == "red"
    assert marks["database"] == "ok"


@pytest.mark.sockets
def test_doctor_names_the_tests_that_an_own_file_leaves_out(front: Front, tmp_path: Path) -> None:
    """Written before they came, it leaves what they find good; a test it asks for at one station alone is not left out."""
    front.ok("migrate")
    own = tmp_path / "qc.toml"

    def told() -> list[str]:
        return [f["text"] for f in front("doctor", "--json", CONFIG=str(tmp_path)).json if f["part"] == "quality control"]

    assert told() == []
    own.write_text('[stuck."water.ec"]\nresolution = 0.02\nfloor = 0.6\n[station.kenh-lau.ahead."water.ec"]\nahead_s = 60.0\n')
    (text,) = told()
    assert f"{own} has no parameters for agree, range, and" in text
    own.write_text("[stuck")
    assert told() == []
