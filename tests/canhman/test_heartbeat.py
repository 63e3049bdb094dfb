"""The last word of a service tells the truth on a full disk, over a clock that was set, and of a process that hangs or is gone."""

from __future__ import annotations

import errno
import io
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from rich.console import Console

from canhman import checks, heartbeat, top_view
from canhman.broker import ingest_runs
from canhman.serving import services, trouble_of
from canhman.settings import Settings
from canhman.top_facts import Known, Look

SAYS = "import sys; from pathlib import Path; from canhman import heartbeat; heartbeat.write(Path(sys.argv[1]), 'ingest', {}, {}); print(flush=True); input()"


@pytest.fixture
def fill(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """From then on there is no room for another file; what is there may be written over."""

    def refuse(path: Path, data: bytes) -> int:
        path.touch()
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    return lambda: monkeypatch.setattr(Path, "write_bytes", refuse)


@pytest.fixture
def other(tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Another process, an ingest as far as its heartbeat tells."""
    process = subprocess.Popen([sys.executable, "-c", SAYS, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=Path(__file__).parents[2])
    assert process.stdout is not None
    process.stdout.readline()
    yield process
    process.kill()
    process.communicate()


def grow_old(folder: Path, **more: object) -> heartbeat.Heartbeat:
    """An hour."""
    path = folder / "ingest.heartbeat.json"
    beat = json.loads(path.read_text())
    path.write_text(json.dumps(beat | {"at": beat["at"] - 3600, "up": beat["up"] - 3600} | more))
    found = heartbeat.read(folder, "ingest")
    assert found is not None
    return found


def test_a_full_disk_does_not_stop_it(tmp_path: Path, fill: Callable[[], None]) -> None:
    """Its troubles of that moment are told, whole and shorter than before, and nothing is left lying about."""
    heartbeat.write(tmp_path, "ingest", {}, {f"figure_{n}": n for n in range(100)})
    fill()
    for trouble in ("the disk is full, nothing is acknowledged until there is room " * 20, "short"):
        heartbeat.write(tmp_path, "ingest", {"journal": trouble}, {f"figure_{n}": n for n in range(100)})
        found = heartbeat.read(tmp_path, "ingest")
        assert found is not None
        assert found.troubles == {"journal": trouble}
        assert found.is_fresh
    assert [path.name for path in tmp_path.iterdir()] == ["ingest.heartbeat.json"]


def test_a_start_on_a_full_disk_goes_on(tmp_path: Path, fill: Callable[[], None]) -> None:
    """There is no file to write over: nothing is told, and nothing breaks."""
    fill()
    heartbeat.write(tmp_path, "ingest", {}, {})
    assert heartbeat.read(tmp_path, "ingest") is None


def test_a_clock_that_is_set_back_makes_nobody_young(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A service that died an hour ago is not running because its last word is of the future now; one that lives is."""
    heartbeat.write(tmp_path, "ingest", {}, {})
    now, up = time.time(), time.monotonic()
    monkeypatch.setattr(time, "time", lambda: now - 7200)
    monkeypatch.setattr(time, "monotonic", lambda: up + 3600)
    beat = heartbeat.read(tmp_path, "ingest")
    assert beat is not None
    assert not beat.is_fresh
    assert beat.age_s == pytest.approx(3600, abs=1)
    heartbeat.write(tmp_path, "ingest", {}, {})
    fresh = heartbeat.read(tmp_path, "ingest")
    assert fresh is not None
    assert fresh.is_fresh


def test_a_word_of_an_earlier_boot_is_old(tmp_path: Path) -> None:
    """However its machine's clock was set meanwhile."""
    heartbeat.write(tmp_path, "ingest", {}, {})
    beat = grow_old(tmp_path, machine="another boot", at=time.time() + 3600)
    assert not beat.is_fresh
    assert beat.lives is None


def test_a_word_of_an_earlier_version_is_read(tmp_path: Path) -> None:
    """It knew neither its machine nor when it began."""
    (tmp_path / "ingest.heartbeat.json").write_text(json.dumps({"service": "ingest", "pid": 1, "at": time.time(), "troubles": {}}))
    beat = heartbeat.read(tmp_path, "ingest")
    assert beat is not None
    assert (beat.is_fresh, beat.lives) == (True, None)


def test_a_process_that_took_the_number_of_another_is_another(tmp_path: Path) -> None:
    """Numbers come round."""
    heartbeat.write(tmp_path, "ingest", {}, {})
    assert grow_old(tmp_path).lives is True
    assert grow_old(tmp_path, born="1").lives is False


def test_a_process_that_is_gone_is_not_running_whatever_it_said_just_now(tmp_path: Path, other: subprocess.Popen[bytes]) -> None:
    """Killed within the last ten seconds: no light stays green for the rest of them."""
    settings = Settings(data=tmp_path, broker="mqtt://canhman-ingest@127.0.0.1:1")
    said = heartbeat.read(tmp_path, "ingest")
    assert said is not None
    assert said.is_fresh
    other.kill()
    other.wait()
    assert not said.is_fresh
    assert not services(tmp_path)["ingest"].fresh
    assert checks._one_ingest(settings, "ingest", said)[0].text.startswith("no ingest runs")
    assert not ingest_runs(settings)


def test_every_light_tells_a_process_that_cannot_say_how_it_is(
    tmp_path: Path, other: subprocess.Popen[bytes], fill: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It runs; why nothing is heard of it is the disk, which is named with its folder."""
    fill()
    settings = Settings(data=tmp_path, broker="mqtt://canhman-ingest@127.0.0.1:1")
    beat = grow_old(tmp_path)
    monkeypatch.setattr(time, "time", lambda: beat.at + 3600)  # however long this test takes
    monkeypatch.setattr(time, "monotonic", lambda: beat.up + 3600)
    words = (f"process {other.pid} runs", "No space left on device", str(tmp_path), "3600 s old")
    (found,) = checks._one_ingest(settings, "ingest", beat)
    assert found.mark == "red"
    ready = trouble_of("ingest", services(tmp_path)["ingest"])
    why = heartbeat.why_silent(tmp_path, beat)
    top = io.StringIO()
    Console(file=top, width=400).print(top_view.picture(Look(at=time.time(), beats={"ingest": beat}, known=Known(), silent={"ingest": why}), "en"))
    for text in (found.text, ready, top.getvalue()):
        assert all(word in text for word in words), text
    assert ingest_runs(settings)  # doctor must not take its session over


def test_every_light_tells_a_process_that_hangs_from_one_that_is_gone(tmp_path: Path, other: subprocess.Popen[bytes]) -> None:
    """Alive and silent, with room on the disk: it hangs. Killed: it does not run, as before."""
    settings = Settings(data=tmp_path, broker="mqtt://canhman-ingest@127.0.0.1:1")
    beat = grow_old(tmp_path)
    (hangs,) = checks._one_ingest(settings, "ingest", beat)
    assert (hangs.mark, "It hangs" in hangs.text) == ("red", True)
    assert "It hangs" in trouble_of("ingest", services(tmp_path)["ingest"])
    other.kill()
    other.wait()
    (gone,) = checks._one_ingest(settings, "ingest", beat)
    assert (gone.mark, gone.text.startswith("no ingest runs")) == ("warn", True)
    assert "gone quiet" in trouble_of("ingest", services(tmp_path)["ingest"])
    assert not ingest_runs(settings)


def test_what_cannot_be_seen_is_not_claimed(tmp_path: Path, fill: Callable[[], None]) -> None:
    """The process of another container may run; a full disk is named, and nobody says that it does not."""
    heartbeat.write(tmp_path, "ingest", {}, {})
    fill()
    beat = grow_old(tmp_path, machine="another container")
    (found,) = checks._one_ingest(Settings(data=tmp_path, broker="mqtt://canhman-ingest@127.0.0.1:1"), "ingest", beat)
    assert found.mark == "red"
    assert "cannot be seen from here" in found.text
    assert "No space left" in found.text


def test_doctor_does_not_call_a_full_disk_writable(tmp_path: Path, fill: Callable[[], None]) -> None:
    """Neither the folder nor a store that is a file in it."""
    settings = Settings(data=tmp_path)
    assert [f.mark for f in checks._store(settings)] == ["ok"]
    fill()
    for check in (checks._data, checks._store):
        (found,) = check(settings)
        assert found.mark == "red"
        assert "No space left on device" in found.text
        assert "takes writes" not in found.text
