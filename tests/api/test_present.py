"""The situation, brought up to date by what changed."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest
from servers.backend import NOW, forecast, make_backend

from adapters.sql.database import SqlDatabase
from api import present
from api.backend import Backend
from api.present import Present
from core.forecast import HINDCAST, HOUR_MS
from core.series import SeriesKey
from core.state import Commit, Latest, Written
from registry.situation import Situation

KEY = SeriesKey("vithanh", "kenh-lau", "main", "kl01", "water.salinity")


@pytest.fixture(params=[1000, 2])
def backend(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Backend:
    """Read in one go, and in pages of two; never kept."""
    monkeypatch.setattr(present, "PAGE", request.param)
    monkeypatch.setattr(present, "FOR_S", 0.0)
    return make_backend(tmp_path)


def database(backend: Backend) -> SqlDatabase:
    """Behind every port."""
    assert isinstance(backend.states, SqlDatabase)
    return backend.states


async def whole(backend: Backend) -> Situation:
    """The same situation, read whole by somebody who has seen nothing yet."""
    return await Present(backend).look()


def test_a_look_after_changes_is_the_look_of_one_who_reads_all(backend: Backend) -> None:
    """New readings, a new series and new issues show at the next look; an issue as of an earlier time does not replace a newer one."""

    async def go() -> None:
        db = database(backend)
        looking = Present(backend)
        before = await looking.look()
        assert before.verdict("kenh-lau", NOW).verdict == "take"
        salty = Written(key=KEY, role="primary", newest=Latest(time=NOW, value=9.0, flag=4), received=NOW, dirty_from=NOW)
        fresh = Written(
            key=KEY._replace(station="tram-moi", sensor="tm1"), role="primary", newest=Latest(time=NOW, value=0.3, flag=1), received=NOW, dirty_from=NOW
        )
        await db.commit(Commit(journal="j1", state_cursor=11, written=(salty, fresh)))
        await db.issue(
            [
                forecast("kenh-lau", "main", "hour", 3.0, NOW),
                forecast("cai-lon", "in", "hour", 0.1, NOW - 9 * HOUR_MS),
                forecast("kenh-lau", "main", "day_max", 3.0, NOW),
            ]
        )
        after, other = await looking.look(), await whole(backend)
        assert after.verdict("kenh-lau", NOW).reason == "fault"
        assert after.points("tram-moi") == ["main"]
        assert after.forecast("kenh-lau", "main") == other.forecast("kenh-lau", "main")
        assert after.forecast("cai-lon", "in") == other.forecast("cai-lon", "in") == before.forecast("cai-lon", "in")
        for station in ("kenh-lau", "cai-lon", "tram-moi", "ruong-8"):
            assert after.readings(station) == other.readings(station)
            assert after.verdict(station, NOW) == other.verdict(station, NOW)

    asyncio.run(go())


def test_a_look_reads_only_what_changed(backend: Backend) -> None:
    """The second look asks for no state and no issue it has seen."""

    async def go() -> None:
        db = database(backend)
        looking = Present(backend)
        await looking.look()
        last = max(s.changed for s in await db.states())
        asked: list[int] = []
        real = db.changed_since

        async def spied(changed: int, *, limit: int = 1000) -> list[object]:
            asked.append(changed)
            return list(await real(changed, limit=limit))

        db.changed_since = spied  # type: ignore[method-assign,assignment]  # to see what is asked
        await looking.look()
        assert asked == [last]

    asyncio.run(go())


def test_a_hindcast_is_not_what_is_forecast(backend: Backend) -> None:
    """Made afterwards, it takes no place of an issue, for who looked before and for who comes new."""

    async def go() -> None:
        db = database(backend)
        looking = Present(backend)
        await db.issue([forecast("kenh-lau", "main", "hour", 3.0, NOW - HOUR_MS)])
        await looking.look()
        await db.issue([replace(forecast("kenh-lau", "main", "hour", 0.1, NOW), version=f"1{HINDCAST}")])
        for seen in (await looking.look(), await whole(backend)):
            issue = seen.forecast("kenh-lau", "main")
            assert issue is not None
            assert (issue.issued_at, issue.hindcast) == (NOW - HOUR_MS, False)

    asyncio.run(go())


def test_an_issue_of_a_wrong_clock_hides_no_right_one(backend: Backend) -> None:
    """One issued hours ahead of now is passed over, also by somebody who looked before it came."""

    async def go() -> None:
        db = database(backend)
        looking = Present(backend)
        await looking.look()
        await db.issue([forecast("kenh-lau", "main", "hour", 0.1, NOW + 6 * HOUR_MS)])
        await looking.look()
        await db.issue([forecast("kenh-lau", "main", "hour", 3.0, NOW)])
        for seen in (await looking.look(), await whole(backend)):
            issue = seen.forecast("kenh-lau", "main")
            assert issue is not None
            assert issue.issued_at == NOW
            assert seen.verdict("kenh-lau", NOW).verdict == "wait"

    asyncio.run(go())
