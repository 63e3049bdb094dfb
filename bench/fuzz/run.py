"""Feed targets, and count what they do."""

from __future__ import annotations

import random
import time
import traceback
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from bench.fuzz.target import Target

_MOST_FINDINGS = 5  # of one target that are kept


@dataclass(slots=True, kw_only=True)
class Outcome:
    """What became of the inputs of one target; a finding is (input, trace)."""

    target: Target
    inputs: int = 0
    cpu_s: float = 0.0
    raised: Counter[str] = field(default_factory=Counter)  # declared ones, by name
    findings: list[tuple[bytes, str]] = field(default_factory=list)
    failed: int = 0


def fuzz(targets: Sequence[Target], *, inputs: int, seed: int, seconds: float = float("inf"), tell: Callable[[str], None] = lambda text: None) -> list[Outcome]:
    """Feed `inputs` in all, each target its share; the same seed gives the same inputs. After `seconds` it ends early."""
    whole = sum(target.share for target in targets)
    outcomes = []
    until = time.monotonic() + seconds
    for target in targets:
        outcome = Outcome(target=target)
        outcomes.append(outcome)
        rng = random.Random(f"{seed} {target.name}")
        begun = time.process_time()
        for _ in range(max(1, round(inputs * target.share / whole))):
            _one(outcome, target.make(rng))
            if outcome.inputs % 256 == 0 and time.monotonic() > until:
                break
        outcome.cpu_s = time.process_time() - begun
        tell(f"{target.name}: {outcome.inputs:,} inputs, {1e6 * outcome.cpu_s / outcome.inputs:.0f} us each, {outcome.failed} findings")
    return outcomes


def _one(outcome: Outcome, data: bytes) -> None:
    outcome.inputs += 1
    try:
        outcome.target.feed(data)
    except outcome.target.declared as error:
        outcome.raised[type(error).__name__] += 1
    except Exception:  # noqa: BLE001 whatever it is, it is what we look for
        outcome.failed += 1
        if len(outcome.findings) < _MOST_FINDINGS:
            outcome.findings.append((data, traceback.format_exc(limit=-4)))
