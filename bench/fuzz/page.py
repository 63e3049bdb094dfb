"""The figures of a run as docs/fuzz.md."""

from __future__ import annotations

from collections.abc import Sequence

from bench.fuzz.run import Outcome


def page(outcomes: Sequence[Outcome], *, seed: int, machine: str) -> str:
    """The whole page."""
    rows = "\n".join(f"| {o.target.name} | {o.inputs:,} | {1e6 * o.cpu_s / o.inputs:.0f} | {_raised(o)} | {o.failed} | {o.target.about} |" for o in outcomes)
    inputs, failed = sum(o.inputs for o in outcomes), sum(o.failed for o in outcomes)
    return f"""# Fuzzing

What reads bytes of strangers, or bytes a disk may have damaged, is fed with damaged ones: good examples with bits flipped, pieces cut out, repeated and
spliced, lengths that lie, and bytes that hurt (deep nesting, huge numbers, surrogates, NUL). An answer is held against laws, not only against exceptions.

{inputs:,} inputs in one run, {failed} findings. The figures are of `python -m bench.fuzz --inputs {inputs_asked(outcomes)} --seed {seed}` ({machine}).
`make fuzz` does it again with a seed of its own and writes this page; the tests run a short form with a fixed seed, and every finding of the past is a test.

| Target | Inputs | CPU µs each | Declared errors | Findings | What must hold |
| --- | --- | --- | --- | --- | --- |
{rows}
"""


def inputs_asked(outcomes: Sequence[Outcome]) -> int:
    """About what was asked for: each target's share is rounded."""
    return round(sum(o.inputs for o in outcomes), -3)


def _raised(outcome: Outcome) -> str:
    return ", ".join(f"{name} {count:,}" for name, count in sorted(outcome.raised.items())) or "none"
