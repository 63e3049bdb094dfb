"""Stations and points as a caller may name them: what they do not see does not exist."""

from __future__ import annotations

from api.access import Caller
from api.problem import Problem
from core.place import MAIN, Station
from registry.directory import Directory
from registry.items import DEVICE_POINT
from registry.situation import Situation

LISTED = 20  # choices named in a problem at most


def station_for(directory: Directory, caller: Caller, id: str) -> Station:
    """The station. Raises Problem (404), the same whether it is another's or none."""
    found = directory.station(id)
    if found is None or not caller.sees(org=found.org, public=found.public):
        raise Problem(404, "no_station", parameter="station", value=id)
    return found


def points_of(situation: Situation, station: str) -> list[str]:
    """Every point with a sensor, past or present, or a stored series: `main` first, the device's own last."""
    known = {d.point for d in situation.directory.deployments_at(station)} | set(situation.points(station))
    return sorted(known, key=lambda p: (p == DEVICE_POINT, p != MAIN, p))


def point_for(situation: Situation, station: str, point: str | None, *, quantity: str) -> str:
    """The point asked for. None is `main`, where the station has none its verdict point, and where the quantity is not
    stored there the first point where it is. Raises Problem (404) that names the points."""
    points = points_of(situation, station)
    if point is not None:
        if point not in points:
            raise Problem(404, "no_point", parameter="point", value=point, station=station, choices=choices(points))
        return point
    if quantity.startswith("device."):
        return DEVICE_POINT
    verdict_point = situation.verdict_point(station)
    preferred = sorted((p for p in points if p != DEVICE_POINT), key=lambda p: (p != MAIN, p != verdict_point))
    stored = (p for p in preferred if situation.reading(station, p, quantity) is not None)
    return next(stored, preferred[0] if preferred else MAIN)


def choices(names: list[str]) -> str:
    """Names for a problem's words, in one line."""
    return ", ".join(names[:LISTED]) + (" …" if len(names) > LISTED else "") if names else "–"
