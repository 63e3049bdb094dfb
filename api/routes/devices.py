"""`/api/v1/devices`: what talks, where it stands, how it is, and what waits for approval. Officers see their own org's."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from typing import Annotated

from fastapi import APIRouter, Path, Request

from api.access import OFFICER, Caller
from api.backend import Backend
from api.language import accepted
from api.paging import PAGE, Next, PageSize, decode, encode
from api.problem import Problem
from api.schemas.devices import ClockShape, DeploymentShape, DeviceShape, DevicesPage, GapShape, GapsShape, HoleShape, NewestShape, WaitingShape
from core.clock import rfc3339
from core.flags import Flag
from core.place import ALWAYS, FOREVER, Deployment, Device
from core.state import DeviceClock, DeviceStatus, Gap, SeriesState, WaitingDevice
from ingest.clock_words import sentence
from registry.directory import Directory

router = APIRouter(prefix="/devices", tags=["devices"])


@router.get("")
async def devices(request: Request, caller: Annotated[Caller, OFFICER], limit: PageSize = PAGE, next: Next = None) -> DevicesPage:
    """Devices by id, with deployments, last status, newest reading, clock, counters, what is missing, and messages that wait for approval."""
    backend: Backend = request.app.state.backend
    directory: Directory = await request.app.state.present.directory()
    after = decode("devices", next, str, str)
    kept = {(w.device, w.org): w for w in await backend.enrolment.waiting_devices()}
    known = {(d.id, d.org): d for d in directory.snapshot.devices}
    mine = sorted(place for place in known.keys() | kept.keys() if caller.sees(org=place[1], public=False) and (after is None or place > after))
    page = mine[:limit]
    ids = {device for device, _ in page}
    statuses = {s.device: s for s in await backend.identities.device_statuses()}
    counters = _by_device(await backend.identities.counters(), ids)
    states = _newest(await backend.states.states(), ids)
    clocks = {c.device: c for c in await backend.identities.device_clocks()}
    gaps = _missing(await backend.identities.gaps(), ids)
    lang = accepted(request.headers.get("accept-language", ""))
    now = backend.clock.now_ms()
    items = [
        _shape(
            place,
            known.get(place),
            kept.get(place),
            directory=directory,
            status=statuses.get(place[0]) if place in known else None,
            counters=counters[place[0]] if place in known else {},
            newest=states.get(place[0]) if place in known else None,
            clock=_clock(clocks.get(place[0]), lang, now) if place in known else None,
            missing=gaps[place[0]] if place in known else 0,
            now=now,
        )
        for place in page
    ]
    return DevicesPage(items=items, next=encode("devices", *page[-1]) if len(mine) > limit else None)


@router.get("/{id}/gaps", summary="Messages a device numbered and we never got")
async def gaps(request: Request, caller: Annotated[Caller, OFFICER], id: Annotated[str, Path(max_length=64, pattern=r"^[^\x00]*$")]) -> GapsShape:
    """By boot, the newest last. A number that is missing was lost before it reached our socket, or is still on its way."""
    backend: Backend = request.app.state.backend
    device = (await request.app.state.present.directory()).device(id)
    if device is None or not caller.sees(org=device.org, public=False):
        raise Problem(404, "no_device", parameter="id", value=id)
    found = await backend.identities.gaps(id)
    return GapsShape(device=id, missing=sum(gap.missing for gap in found), items=[_gap(gap) for gap in found])


def _gap(gap: Gap) -> GapShape:
    return GapShape(
        boot=gap.boot if gap.boot >= 0 else None,
        lowest=gap.lowest,
        highest=gap.highest,
        missing=gap.missing,
        last_time=rfc3339(gap.last_time),
        holes=[HoleShape(first=first, last=last) for first, last in gap.holes],
    )


def _missing(gaps: Iterable[Gap], ids: set[str]) -> Counter[str]:
    """Of each device how many."""
    found: Counter[str] = Counter()
    for gap in gaps:
        if gap.device in ids:
            found[gap.device] += gap.missing
    return found


def _clock(clock: DeviceClock | None, lang: str, now: int) -> ClockShape | None:
    if clock is None:
        return None
    return ClockShape(
        verdict=clock.verdict,
        offset_s=None if clock.offset_ms is None else clock.offset_ms / 1000,
        spread_s=None if clock.spread_ms is None else clock.spread_ms / 1000,
        drift_s_per_day=None if clock.drift_ms is None else round(clock.drift_ms / 1000, 1),
        at=rfc3339(clock.at),
        lost_at=None if clock.reset_at is None else rfc3339(clock.reset_at),
        text=sentence(clock, lang, now),
    )


def _by_device(counters: dict[str, int], ids: set[str]) -> defaultdict[str, dict[str, int]]:
    """The counters of each device by what they count: {"kl01": {"duplicate": 3}}."""
    found: defaultdict[str, dict[str, int]] = defaultdict(dict)
    for name, count in counters.items():
        what, _, whom = name.partition(":")
        if whom in ids:
            found[whom][what] = count
    return found


def _newest(states: Iterable[SeriesState], ids: set[str]) -> dict[str, SeriesState]:
    """Of each device the series with its newest reading; one that is withdrawn as a whole has none."""
    found: dict[str, SeriesState] = {}
    for state in states:
        device = state.key.sensor.partition("/")[0]
        if device in ids and state.newest.flag != Flag.MISSING and (device not in found or state.newest.time > found[device].newest.time):
            found[device] = state
    return found


def _shape(
    place: tuple[str, str],
    device: Device | None,
    waiting: WaitingDevice | None,
    *,
    directory: Directory,
    status: DeviceStatus | None,
    counters: dict[str, int],
    newest: SeriesState | None,
    clock: ClockShape | None,
    missing: int,
    now: int,
) -> DeviceShape:
    deployments = [] if device is None else sorted(directory.deployments_of(device.id), key=lambda d: (d.channel, d.start))
    standing = [d for d in deployments if d.start <= now < d.end and d.interval_s is not None]
    interval = standing[0].interval_s if standing else newest.interval_ms / 1000 if newest is not None and newest.interval_ms is not None else None
    return DeviceShape(
        id=place[0],
        org=place[1],
        state="waiting" if device is None else "registered",
        model=device.model if device else None,
        credential=None if device is None else "own" if device.credential else "join_key",
        deployments=[_deployment(d) for d in deployments if d.start < d.end],
        status=status.status if status else None,
        status_at=rfc3339(status.at) if status else None,
        newest=None
        if newest is None
        else NewestShape(time=rfc3339(newest.newest.time), age_s=max(0, (now - newest.newest.time) // 1000), received=rfc3339(newest.received)),
        interval_s=interval,
        counters=counters,
        waiting=None if waiting is None else _waiting(waiting),
        clock=clock,
        missing=missing,
    )


def _deployment(d: Deployment) -> DeploymentShape:
    return DeploymentShape(
        channel=d.channel,
        station=d.station,
        point=d.point,
        role=d.role,
        start=None if d.start == ALWAYS else rfc3339(d.start),
        end=None if d.end >= FOREVER else rfc3339(d.end),
        interval_s=d.interval_s,
        depth_m=d.depth_m,
    )


def _waiting(w: WaitingDevice) -> WaitingShape:
    head = w.head.decode("utf-8", "backslashreplace")
    return WaitingShape(messages=w.messages, bytes=w.size, first=rfc3339(w.first_received), last=rfc3339(w.last_received), head=head)
