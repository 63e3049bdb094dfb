"""`/api/v1/devices`: what talks, where it stands, how it is, and what waits for approval. Officers see their own org's."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Annotated

from fastapi import APIRouter, Request

from api.access import OFFICER, Caller
from api.backend import Backend
from api.paging import PAGE, Next, PageSize, decode, encode
from api.schemas.devices import DeploymentShape, DeviceShape, DevicesPage, NewestShape, WaitingShape
from core.clock import rfc3339
from core.place import ALWAYS, FOREVER, Deployment, Device
from core.state import DeviceStatus, SeriesState, WaitingDevice
from registry.directory import Directory

router = APIRouter(prefix="/devices", tags=["devices"])


@router.get("")
async def devices(request: Request, caller: Annotated[Caller, OFFICER], limit: PageSize = PAGE, next: Next = None) -> DevicesPage:
    """Devices by id, with deployments, last status, newest reading, counters, and messages that wait for approval."""
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
            now=now,
        )
        for place in page
    ]
    return DevicesPage(items=items, next=encode("devices", *page[-1]) if len(mine) > limit else None)


def _by_device(counters: dict[str, int], ids: set[str]) -> defaultdict[str, dict[str, int]]:
    """The counters of each device by what they count: {"kl01": {"duplicate": 3}}."""
    found: defaultdict[str, dict[str, int]] = defaultdict(dict)
    for name, count in counters.items():
        what, _, whom = name.partition(":")
        if whom in ids:
            found[whom][what] = count
    return found


def _newest(states: Iterable[SeriesState], ids: set[str]) -> dict[str, SeriesState]:
    """Of each device the series with its newest reading."""
    found: dict[str, SeriesState] = {}
    for state in states:
        device = state.key.sensor.partition("/")[0]
        if device in ids and (device not in found or state.newest.time > found[device].newest.time):
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
