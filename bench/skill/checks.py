"""Each figure that is held to something, and where it stands."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from bench.skill import goals
from bench.skill.goals import Goals
from bench.skill.numbers import days

SAME = 1e-9  # of skill: rounding, no difference


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """`found`: value and ends of its 95 % interval, where it has one; `share`: it is told in hundredths."""

    about: str
    lead: str
    what: str
    found: tuple[float | None, float | None, float | None]
    floor: str
    aim: str = "–"
    word: str
    share: bool = False

    @property
    def missed(self) -> bool:
        """A floor that was not reached."""
        return self.word == goals.MISSED


def of_set(found: Mapping[str, Any], wanted: Goals) -> Iterator[Check]:
    """Of one set: errors, skill, the interval, NSE."""
    for lead in found["leads"]:
        yield from _of_values(found, lead, wanted)
        yield from _of_skill(found, lead, wanted)
    for lead in found["leads"]:
        yield from _of_coverage(found, lead, wanted)
        yield from _of_nse(found, lead, wanted)


def _of_values(found: Mapping[str, Any], lead: Mapping[str, Any], wanted: Goals) -> Iterator[Check]:
    if lead["lead"] in wanted.rmse:
        floor, aim = wanted.rmse[lead["lead"]]
        word = goals.at_most(lead["rmse"][0], floor, aim)
        yield Check(
            about=found["name"], lead=days(lead["lead"]), what=f"RMSE, {found['unit']}", found=_ends(lead["rmse"]), word=word, **_bounds("≤", floor, aim)
        )


def _of_skill(found: Mapping[str, Any], lead: Mapping[str, Any], wanted: Goals) -> Iterator[Check]:
    for over in lead["over"]:
        floors = wanted.skill.get(over["line"], {})
        if lead["lead"] in floors:
            floor, aim = floors[lead["lead"]]
            what, skill = f"skill > {over['line']:g} {found['unit']}", _ends(over["skill"])
            common: dict[str, Any] = {"about": found["name"], "lead": days(lead["lead"]), "found": skill}
            yield Check(what=what, word=goals.at_least(skill[0], floor, aim), **common, **_bounds("≥", floor, aim))
            if lead["lead"] in wanted.above_zero:
                word = goals.UNKNOWN if skill[1] is None else goals.REACHED if skill[1] > SAME else goals.MISSED
                yield Check(what=f"{what}, whole interval", word=word, floor="> 0", **common)


def _of_coverage(found: Mapping[str, Any], lead: Mapping[str, Any], wanted: Goals) -> Iterator[Check]:
    common: dict[str, Any] = {"about": found["name"], "lead": days(lead["lead"]), "share": True}
    if wanted.coverage is not None:
        low, high = wanted.coverage
        ends = _ends(lead["coverage90"])
        yield Check(what="90 % interval held", found=ends, floor=_from_to(low, high), word=goals.within(ends[0], low, high), **common)
    if wanted.station_coverage is not None:
        low, high = wanted.station_coverage
        shares = {one["station"]: one["coverage90"][0] for one in lead["stations"]}
        out = [f"{name} {100 * share:.1f} %" for name, share in shares.items() if goals.within(share, low, high) == goals.MISSED]
        what = "90 % interval held, each station" + (f": {', '.join(out)}" if out else "")
        ends = (None, min(shares.values()), max(shares.values()))
        yield Check(what=what, found=ends, floor=_from_to(low, high), word=goals.MISSED if out else goals.REACHED, **common)


def _of_nse(found: Mapping[str, Any], lead: Mapping[str, Any], wanted: Goals) -> Iterator[Check]:
    if lead["lead"] in wanted.nse:
        floor, aim = wanted.nse[lead["lead"]]
        asked = {one["station"]: one["nse"][0] for one in lead["stations"] if one["station"] not in wanted.nse_excused}
        out = [f"{name} {nse:.3f}" for name, nse in asked.items() if goals.at_least(nse, floor) == goals.MISSED]
        what = f"NSE, each station but {' and '.join(wanted.nse_excused)}" + (f": {', '.join(out)}" if out else "")
        ends = (None, min(asked.values()), max(asked.values()))
        yield Check(
            about=found["name"], lead=days(lead["lead"]), what=what, found=ends, word=goals.MISSED if out else goals.REACHED, **_bounds("≥", floor, aim)
        )


def of_left_out(found: Mapping[str, Any], wanted: goals.LeftOut) -> Iterator[Check]:
    """Of stations that were never learned from, all together."""
    for lead in found["leads"]:
        common: dict[str, Any] = {"about": "Stations left out", "lead": days(lead["lead"]), "share": True}
        if lead["lead"] in wanted.below:
            floor, _ = wanted.below[lead["lead"]]
            ends = _ends(lead["below"])
            yield Check(what="RMSE below persistence", found=ends, floor=f"≥ {100 * floor:.0f} %", word=goals.at_least(ends[0], floor), **common)
            ends = _ends(lead["coverage90"])
            floor = wanted.coverage
            yield Check(what="90 % interval held", found=ends, floor=f"≥ {100 * floor:.0f} %", word=goals.at_least(ends[0], floor), **common)


def of_windows(found: Mapping[str, Any], wanted: goals.Windows) -> Iterator[Check]:
    """Of hours promised below the limit."""
    asked = {("mixed", "precision"): wanted.precision, ("mixed", "share"): wanted.offered, ("all", "share"): wanted.offered_all}
    words = {"precision": "promised hours that were safe", "share": "safe hours that were promised"}
    for one in found["windows"]:
        for (cases, key), floors in asked.items():
            if one["cases"] == cases and one["hours"] in floors:
                floor, _ = floors[one["hours"]]
                what, value = f"{words[key]}, {cases} cases", one[key]
                ends, word = (value, None, None), goals.at_least(value, floor)
                yield Check(about="Water windows", lead=f"{one['hours']} h", what=what, found=ends, floor=f"≥ {floor:.2f}", word=word)


def of_cost(found: Mapping[str, Any]) -> Iterator[Check]:
    """Of time, on two processors."""
    for key, what, most in (("training", "training", goals.TRAINING), ("saying", "forecasts from the warm model", goals.SAYING)):
        one, leads = found[key], found["leads"]
        seasons = f" × {one['seasons']} seasons" if "seasons" in one else ""
        about = f"{what}, {one['stations']} stations{seasons} × {leads} days, s"
        yield Check(about="Time", lead="–", what=about, found=(one["seconds"], None, None), floor=f"≤ {most:.0f}", word=goals.at_most(one["seconds"], most))


@dataclass(frozen=True, slots=True, kw_only=True)
class Best:
    """The best of the baselines in one measure, and the model beside it."""

    lead: int
    what: str
    model: str
    loss: float
    skill: tuple[float | None, float | None, float | None]

    @property
    def worse(self) -> bool:
        """The model is worse than it, beyond chance."""
        return self.skill[2] is not None and self.skill[2] < -SAME

    @property
    def better(self) -> bool:
        """The model is better than it, beyond chance."""
        return self.skill[1] is not None and self.skill[1] > SAME


def best_baselines(found: Mapping[str, Any]) -> list[Best]:
    """Of each lead and measure: that with the least loss on the very days of the test, which nobody could have known."""
    best = []
    for lead in found["leads"]:
        kinds: dict[str, list[Mapping[str, Any]]] = {}
        for one in lead["baselines"]:
            what = {"value": "value (squared error)", "distribution": "distribution (CRPS)"}.get(one["measure"]) or f"chance > {one['line']:g}"
            kinds.setdefault(what, []).append(one)
        for what, several in kinds.items():
            one = min(several, key=lambda b: b["loss"])
            best.append(Best(lead=lead["lead"], what=what, model=one["model"], loss=one["loss"], skill=_ends(one["skill"])))
    return best


def of_baselines(found: Mapping[str, Any]) -> Iterator[Check]:
    """At no lead significantly worse than its own best baseline."""
    every = best_baselines(found)
    for lead in found["leads"]:
        known = [one for one in every if one.lead == lead["lead"]]
        worse = [one for one in known if one.worse]
        what = "worse than its best baseline beyond chance" + (f": {', '.join(one.what for one in worse)}" if worse else "")
        one = min(known, key=lambda b: (b.skill[2] is None, b.skill[2] or 0.0))
        word = goals.MISSED if worse else goals.REACHED
        yield Check(about=found["name"], lead=days(lead["lead"]), what=what, found=one.skill, floor="no interval below 0", word=word)


def _ends(found: Any) -> tuple[float | None, float | None, float | None]:
    value, low, high = found
    return value, low, high


def _bounds(sign: str, floor: float, aim: float | None) -> dict[str, Any]:
    return {"floor": f"{sign} {floor:.2f}", "aim": "–" if aim is None else f"{sign} {aim:.2f}"}


def _from_to(low: float, high: float) -> str:
    return f"{100 * low:.0f} to {100 * high:.0f} %"
