"""What a headline says of the hours ahead: never an hour as the end of waiting at which the water may not be gone back to."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from core.bands import LINES
from core.forecast import HOUR_MS, MEDIAN, Forecast
from core.outlook import ALLOWED, STAYS_MS, Outlook, outlook
from core.risk import Risk
from core.state import Latest
from core.verdict import Verdict, WaterState, verdict
from core.window import KNOWN, PROMISED, windows

NOW = 1_772_422_200_000  # 2026-03-02T03:30:00Z
HOUR = NOW - NOW % HOUR_MS  # the hour that runs
RISK = Risk()


def forecast(values: list[float], *, first: int = HOUR, step: int = 1) -> Forecast:
    """Hour by hour: the median [g/L]; each spreads by a quarter to each side, and its chances are read from that."""
    quantiles = tuple((0.75 * v, 0.88 * v, v, 1.12 * v, 1.25 * v) for v in values)
    leads = tuple(1 + n * step for n in range(len(values)))
    return Forecast(
        org="o",
        station="s",
        point="main",
        target="hour",
        model="m",
        version="1",
        issued_at=NOW,
        data_until=NOW,
        inputs="",
        leads=leads,
        times=tuple(first + (lead - 1) * HOUR_MS for lead in leads),
        quantiles=quantiles,
        p_gt=tuple(tuple(min(1.0, max(0.0, 0.5 + (v - line) / (0.5 * v))) for line in LINES) for v in values),
    )


def told(value: float, f: Forecast | None, *, limit: float = 1.0, flag: int = 1) -> tuple[Verdict, Outlook | None]:
    """As the situation asks, of water read now."""
    latest = Latest(time=NOW, value=value, flag=flag)
    water = WaterState(newest=latest, judged=latest, interval_s=900.0)
    v = verdict(water, f, limit, NOW, risk=RISK)
    return v, outlook(water, v, f, NOW, risk=RISK)


def hours(n: float) -> int:
    """n hours after the one that runs."""
    return HOUR + round(n * HOUR_MS)


def test_where_it_turns_worse_no_end_of_waiting_is_said() -> None:
    """Kênh Lầu, 4 March: wait turns to stop and no hour is fit to pump: `until` names the turn, the headline that it gets saltier."""
    v, said = told(1.4, forecast([1.4] * 9 + [2.1] * 63))
    assert (v.verdict, v.until) == ("wait", hours(9))
    assert said == Outlook(kind="worse", start=hours(9))


def test_a_window_is_said_before_the_hour_of_the_change() -> None:
    """One window, and no second hour beside it, also where the verdict changes later for other reasons."""
    v, said = told(3.0, forecast([3.0] * 6 + [0.3] * 3 + [3.0] * 63))
    assert v.verdict == "stop"
    assert said == Outlook(kind="window", start=hours(6), end=hours(9), until=hours(72))


def test_what_may_be_taken_ends() -> None:
    """`until` as it is."""
    v, said = told(0.2, forecast([0.2] * 12 + [3.0] * 60))
    assert (v.verdict, said) == ("take", Outlook(kind="ends", start=v.until or 0))
    assert told(0.2, forecast([0.2] * 72))[1] is None


def test_measuring_again_is_said_where_it_stays_worth_it() -> None:
    """Unsure water for long is worth going to; one such hour is not."""
    long = [3.0] * 8 + [0.9] * 64
    assert told(3.0, forecast(long))[1] == Outlook(kind="measure", start=hours(8))
    assert told(3.0, forecast([3.0] * 8 + [0.9] + [3.0] * 63))[1] is None


def test_measure_beside_a_window_that_runs_names_no_end() -> None:
    """Cái Tư: fit to pump for the next 72 hours, to be measured first: there is nothing to wait for."""
    v, said = told(0.6, forecast([0.6] * 4 + [0.3] * 68))
    assert (v.verdict, v.until, said) == ("measure", hours(4), None)


def test_nothing_is_said_of_what_nobody_knows() -> None:
    """Without a forecast, and of a suspect reading."""
    assert told(3.0, None)[1] is None
    assert told(3.0, forecast([0.2] * 72), flag=3)[1] is None


@settings(max_examples=150)
@given(
    value=st.floats(0.0, 6.0),
    blocks=st.lists(st.tuples(st.floats(0.05, 6.0), st.integers(1, 12)), min_size=1, max_size=14),
    limit=st.sampled_from((0.5, 1.0, 1.5, 2.0, 4.0)),
    step=st.sampled_from((1, 2)),
)
def test_no_hour_ends_the_waiting_that_the_verdict_would_not_allow(value: float, blocks: list[tuple[float, int]], limit: float, step: int) -> None:
    """Where an hour is said to be better it is so by the verdict's own rules, and stays so; where it is said to be worse, it is."""
    f = forecast([v for v, n in blocks for _ in range(n)][:72], step=step)
    v, said = told(value, f, limit=limit)
    if said is None:
        return
    assert said.start > NOW
    ahead = {start: (f.exceedance(i, limit), f.quantiles[i][MEDIAN]) for i, start in enumerate(f.times)}
    if said.kind == "ends":
        assert (v.verdict, said.start) == ("take", v.until)
    elif said.kind == "window":
        assert said.end is not None
        inside = [row for start, row in ahead.items() if said.start <= start < said.end]
        assert inside
        assert all(p <= 1 - PROMISED + 1e-9 and median < limit for p, median in inside)
    elif said.kind == "measure":
        assert v.verdict in ("wait", "stop")
        stays = [row for start, row in ahead.items() if said.start <= start <= said.start + STAYS_MS]
        assert all(p < RISK.wait_p and median < limit for p, median in stays)
    else:
        assert v.verdict in ("measure", "wait")
        p, median = ahead[said.start]
        assert p >= RISK.wait_p or median >= limit
        assert v.verdict == "measure" or median >= RISK.stop_from * limit


@settings(max_examples=60)
@given(value=st.floats(0.5, 6.0), blocks=st.lists(st.tuples(st.floats(0.05, 6.0), st.integers(1, 12)), min_size=6, max_size=14))
def test_the_headline_and_the_windows_are_of_one_mind(value: float, blocks: list[tuple[float, int]]) -> None:
    """Whoever is told to wait is told the first window where there is one."""
    f = forecast([v for v, n in blocks for _ in range(n)][:72])
    latest = Latest(time=NOW, value=value, flag=1)
    water = WaterState(newest=latest, judged=latest, interval_s=900.0)
    v = verdict(water, f, 1.0, NOW, risk=RISK)
    found = windows(water, v, f, NOW).windows
    said = outlook(water, v, f, NOW, risk=RISK)
    assert set(ALLOWED) < set(KNOWN)
    if v.verdict in ("wait", "stop") and found:
        assert said is not None
        assert (said.kind, said.start, said.end) == ("window", found[0].start, found[0].end)
    if said is not None and said.kind == "worse":
        assert not any(w.start <= said.start < w.end for w in found)
