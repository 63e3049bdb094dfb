"""What salt does to crops (`config/crops.toml`): each figure with its source, whether it was verified, and who approved it."""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from analytics import ground
from analytics.figure import Figure
from analytics.ground import Ground
from core.errors import ConfigError, NotFoundError
from core.parameter import About, parameter, parameters

# The figures of a crop; the first two are left out together where nobody has them.
FIGURES = {
    "threshold": About("ECe from which yield falls; a stage may have its own.", unit="dS/m", above=0, most=20),
    "slope": About("How much yield falls beyond the threshold.", unit="% per dS/m", above=0, most=100),
    "water_limit": About("Irrigation water saltier than this is not used for leaching.", unit="g/L", above=0, most=10),
    "root_depth": About("Depth of the root zone.", unit="m", least=0.1, most=3),
}
# What else stands in the tables, by where it stands.
ABOUT = {
    "crop.id": "Slug of the crop.",
    "crop.vi": "Its name in Vietnamese.",
    "crop.en": "Its name in English.",
    "crop.stage": "Tables of stages, where salt matters more in some.",
    "stage.id": "Slug of the stage.",
    "stage.vi": "Its name in Vietnamese.",
    "stage.en": "Its name in English.",
    "stage.is_sensitive": "Whether salt does more harm in it than in others.",
    "stage.source": "Where that is from.",
    "figure.value": "The number, in the unit of its figure.",
    "figure.source": "Where it is from.",
    "figure.verified": "Whether it was held against its source.",
    "figure.approved_by": "Who stands behind it; empty: *chưa được duyệt*.",
}
_PAIR = ("threshold", "slope")
_SLUG = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """A stage of growth; `threshold` only where it has its own."""

    id: str
    vi: str
    en: str
    is_sensitive: bool
    source: str
    threshold: Figure | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Crop:
    """A crop; `threshold` [dS/m] and `slope` [% per dS/m] are None where nobody has them, `water_limit` in g/L, `root_depth` in m."""

    id: str
    vi: str
    en: str
    water_limit: Figure
    root_depth: Figure
    threshold: Figure | None = None
    slope: Figure | None = None
    stages: tuple[Stage, ...] = ()

    def stage(self, id: str) -> Stage:
        """The stage `id`. Raises NotFoundError."""
        for stage in self.stages:
            if stage.id == id:
                return stage
        raise NotFoundError(f"{self.id} has no stage {id!r}; it has: {', '.join(s.id for s in self.stages) or 'none'}")

    def threshold_at(self, stage: str | None) -> Figure | None:
        """The threshold in `stage`; where the stage is not known, the lowest of all stages. Raises NotFoundError for a stage it has not."""
        own = [self.stage(stage).threshold] if stage is not None else [s.threshold for s in self.stages]
        found = [figure for figure in own if figure is not None]
        if stage is None and self.threshold is not None:
            found.append(self.threshold)
        return min(found, key=lambda figure: figure.value, default=self.threshold)


@dataclass(frozen=True, slots=True, kw_only=True)
class Crops:
    """All crops, and when advice about their soil may be given."""

    soil_max_age_h: float = parameter(48.0, "An older reading of the soil counts as none.", unit="h", most=72)
    most_leaching: float = parameter(0.4, "A greater share of the water is not advised for leaching: wait for fresher water.", unit="share", most=0.5)
    approved_by: str = ""
    ground: Ground = ground.SHIPPED
    crops: tuple[Crop, ...] = ()
    hash: str = ""

    def crop(self, id: str) -> Crop:
        """The crop `id`. Raises NotFoundError."""
        for crop in self.crops:
            if crop.id == id:
                return crop
        raise NotFoundError(f"no crop {id!r} in crops.toml; there are: {', '.join(c.id for c in self.crops)}")


def parse_crops(document: Mapping[str, Any], *, where: str = "crops.toml") -> Crops:
    """Read a parsed `crops.toml`. Raises ConfigError that names the crop and the key, in one line."""
    numbers = parameters(Crops)
    _known(document, (*numbers, "approved_by", "ground", "crop"), where)
    values: dict[str, Any] = {name: _number(document[name], about, f"{where}: {name}") for name, about in numbers.items() if name in document}
    approved_by = _typed(document.get("approved_by", ""), str, f"{where}: approved_by")
    crops = tuple(_crop(table, f"{where}: {_title('crop', n, table)}") for n, table in _tables(document.get("crop", []), f"{where}: crop"))
    _no_twins(crops, where)
    read = Crops(**values, approved_by=approved_by, ground=_ground(document.get("ground", {}), f"{where}: ground"), crops=crops)
    canonical = json.dumps({**asdict(read), "hash": ""}, sort_keys=True)
    return replace(read, hash=hashlib.sha256(canonical.encode()).hexdigest()[:12])


def _ground(table: Any, where: str) -> Ground:
    if not isinstance(table, dict):
        raise ConfigError(f"{where} must be a table of figures, found {table!r}")
    _known(table, ground.FIGURES, where)
    read = replace(ground.SHIPPED, **{name: _figure(table[name], about, f"{where}: {name}") for name, about in ground.FIGURES.items() if name in table})
    for low, high in ground.ORDERED:
        least, most = getattr(read, low).value, getattr(read, high).value
        if least > most or (least == most and (low in ground.APART or high in ground.APART)):
            raise ConfigError(f"{where}: {low} = {least:g} must be {'less than' if low in ground.APART else 'at most'} {high} = {most:g}")
    return read


def _crop(table: Mapping[str, Any], where: str) -> Crop:
    _known(table, ("id", "vi", "en", "stage", *FIGURES), where)
    figures = {name: _figure(table[name], about, f"{where}: {name}") for name, about in FIGURES.items() if name in table}
    for name in FIGURES:
        if name not in figures and name not in _PAIR:
            raise ConfigError(f"{where}: {name} is missing")
    if len([name for name in _PAIR if name in figures]) == 1:
        raise ConfigError(f"{where}: threshold and slope go together: give both or neither")
    stages = tuple(_stage(one, f"{where}: {_title('stage', n, one)}") for n, one in _tables(table.get("stage", []), f"{where}: stage"))
    _no_twins(stages, where)
    for stage in stages:
        if stage.threshold is not None and "slope" not in figures:
            raise ConfigError(f"{where}: stage {stage.id} has a threshold, its crop has none")
    return Crop(**_names(table, where), **figures, stages=stages)  # type: ignore[arg-type]  # checked above


def _stage(table: Mapping[str, Any], where: str) -> Stage:
    _known(table, ("id", "vi", "en", "is_sensitive", "source", "threshold"), where)
    own = _figure(table["threshold"], FIGURES["threshold"], f"{where}: threshold") if "threshold" in table else None
    is_sensitive = _typed(table.get("is_sensitive"), bool, f"{where}: is_sensitive")
    return Stage(**_names(table, where), is_sensitive=is_sensitive, source=_said(table.get("source"), f"{where}: source"), threshold=own)


def _figure(table: Any, about: About, where: str) -> Figure:
    table = _typed(table, dict, where)
    _known(table, ("value", "source", "verified", "approved_by"), where)
    return Figure(
        value=_number(table.get("value"), about, f"{where}.value"),
        source=_said(table.get("source"), f"{where}.source"),
        verified=_typed(table.get("verified"), bool, f"{where}.verified"),
        approved_by=_typed(table.get("approved_by"), str, f"{where}.approved_by"),
    )


def _names(table: Mapping[str, Any], where: str) -> dict[str, str]:
    names = {name: _said(table.get(name), f"{where}: {name}") for name in ("id", "vi", "en")}
    if not _SLUG.fullmatch(names["id"]):
        raise ConfigError(f"{where}: id must be a slug like sweet-potato, found {names['id']!r}")
    return names


def _known(table: Mapping[str, Any], names: Collection[str], where: str) -> None:
    for name in table:
        if name not in names:
            raise ConfigError(f"{where}: unknown {name!r}; known: {', '.join(sorted(names))}")


def _number(value: Any, about: About, where: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ConfigError(f"{where} must be a number, found {value!r}")
    least, most = (-math.inf if about.least is None else about.least), (math.inf if about.most is None else about.most)
    if not least <= value <= most or (about.above is not None and value <= about.above) or (about.under is not None and value >= about.under):
        raise ConfigError(f"{where} must lie within {about.bounds} {about.unit}".rstrip() + f", found {value!r}")
    return float(value)


def _typed(value: Any, kind: type, where: str) -> Any:
    if not isinstance(value, kind):
        named = {str: "a text", bool: "true or false", dict: "a table { value, source, verified, approved_by }"}[kind]
        raise ConfigError(f"{where} must be {named}, found {value!r}")
    return value


def _said(value: Any, where: str) -> str:
    if not isinstance(value, str) or not value.strip():
        raise ConfigError(f"{where} must be a text that is not empty, found {value!r}")
    return value


def _tables(value: Any, where: str) -> list[tuple[int, dict[str, Any]]]:
    if not isinstance(value, list) or not all(isinstance(table, dict) for table in value):
        raise ConfigError(f"{where} must be written as [[{where.rsplit(' ', 1)[-1]}]] tables, found {value!r}")
    return list(enumerate(value, 1))


def _title(kind: str, n: int, table: Mapping[str, Any]) -> str:
    return f"{kind} {table.get('id', n)}"


def _no_twins(found: tuple[Crop, ...] | tuple[Stage, ...], where: str) -> None:
    ids = [one.id for one in found]
    for slug in ids:
        if ids.count(slug) > 1:
            raise ConfigError(f"{where}: {slug} is given twice")
