"""What is assumed of a field where nobody measured it: its crop's thirst, its soil, the water below. Each figure with what stands behind it."""

from __future__ import annotations

from dataclasses import dataclass

from analytics.figure import Figure
from core.parameter import About

FIGURES = {
    "use_least": About("Water the crop uses on a day, at least; so much is reckoned to be watered.", unit="mm", least=0, most=12),
    "use_most": About("The same, at most.", unit="mm", least=0, most=12),
    "wilting": About("Water content at which plants wilt.", unit="m³/m³", above=0, under=1),
    "field_capacity": About("Water content above which soil drains.", unit="m³/m³", above=0, under=1),
    "saturation_least": About("Water content of the saturated paste, at least.", unit="m³/m³", above=0, most=1),
    "saturation_most": About("The same, at most.", unit="m³/m³", above=0, most=1),
    "efficiency_least": About("Salt of the water that drains, as a share of the root zone's, at least: under 1 where water runs down cracks.", least=0, most=1),
    "efficiency_most": About("The same, at most.", least=0, most=1),
    "rise_most": About("Water that rises from below on a day, at most; at least it is 0.", unit="mm", least=0, most=12),
    "ec_rise": About("How salty that water is.", unit="dS/m", least=0, most=60),
}
# Each must not exceed the next; those that must be less are named apart.
ORDERED = (
    ("use_least", "use_most"),
    ("wilting", "field_capacity"),
    ("field_capacity", "saturation_least"),
    ("saturation_least", "saturation_most"),
    ("efficiency_least", "efficiency_most"),
)
APART = ("wilting", "field_capacity")


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """The figures of `FIGURES`."""

    use_least: Figure
    use_most: Figure
    wilting: Figure
    field_capacity: Figure
    saturation_least: Figure
    saturation_most: Figure
    efficiency_least: Figure
    efficiency_most: Figure
    rise_most: Figure
    ec_rise: Figure


def _judgement(value: float, source: str) -> Figure:
    return Figure(value=value, source=source, verified=False, approved_by="")


_CLAY = "FAO-56 table 19, silty clay and clay, from memory"

SHIPPED = Ground(
    use_least=_judgement(2.0, "Judgement; FAO-56 table 2 has ET0 of 3 to 7 mm in humid tropics, from memory"),
    use_most=_judgement(8.0, "Judgement: ET0 of 7 mm (FAO-56 table 2) times a crop coefficient of 1.2 (FAO-56 table 12), from memory"),
    wilting=_judgement(0.20, _CLAY),
    field_capacity=_judgement(0.36, _CLAY),
    saturation_least=_judgement(0.45, "Judgement: paste of a clay loam"),
    saturation_most=_judgement(0.60, "Judgement: paste of a heavy clay"),
    efficiency_least=_judgement(0.5, "Judgement: clay that cracks"),
    efficiency_most=_judgement(1.0, "All of the water mixes with the root zone's"),
    rise_most=_judgement(1.0, "Judgement: water table one to two metres down; nobody measured it here"),
    ec_rise=_judgement(8.0, "Judgement: shallow ground water of the coast; nobody measured it here"),
)
