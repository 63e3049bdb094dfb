"""Other names of a time zone: Asia/Saigon is Asia/Ho_Chi_Minh."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from importlib.resources import files


def canonical(zone: str) -> str:
    """The name that `zone` is another name of, else `zone` itself.

    A zone that tzdata links to another only because their clocks have agreed since 1970 (Amsterdam and Brussels) is a place of its own and keeps its name.
    """
    return _renamed().get(zone, zone)


@cache
def _renamed() -> Mapping[str, str]:
    links = {name: target for kind, target, name in _lines("tzdata.zi", 3) if kind == "L"}
    places = {zone for _, _, zone in _lines("zone.tab", 3)}
    return {name: _end(name, links, places) for name in links if name not in places}


def _end(name: str, links: Mapping[str, str], places: set[str]) -> str:
    """A link may lead to a link; it ends at the first place of a country."""
    while name in links and name not in places:
        name = links[name]
    return name


def _lines(file: str, least: int) -> Iterator[list[str]]:
    """The first words of each line of a file of tzdata; none where the system's Python came without it: then a zone has one name."""
    try:
        text = files("tzdata").joinpath("zoneinfo", file).read_text("utf-8")
    except (ModuleNotFoundError, FileNotFoundError):
        return
    for line in text.splitlines():
        words = line.split()
        if len(words) >= least and not line.startswith("#"):
            yield words[:least]
