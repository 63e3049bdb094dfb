"""The fuzzer in its short form, with a fixed seed; what it found in the past; and that it finds what is wrong."""

from __future__ import annotations

import contextlib

import pytest

from bench.fuzz import decoding, disk, wire
from bench.fuzz.page import page
from bench.fuzz.run import fuzz
from bench.fuzz.target import Target, law
from core.errors import DecodeError

TARGETS = (*decoding.TARGETS, *wire.TARGETS, *disk.TARGETS)
NAMES = {target.name: target for target in TARGETS}

# (target, input) that once raised what nobody had declared
FOUND = [
    ("decoder native", b'{"time":"2026-03-02T03:0\\ud8000:00Z","readings":{"water.ec":1}}'),  # half a surrogate pair in a time stopped ingest
    ("decoder native", b'{"time":"\\udfff","readings":{"\\ud800":1,"water.ec":1}}'),
]


def test_20000_inputs() -> None:
    """Nothing but declared errors, and every law holds."""
    outcomes = fuzz(TARGETS, inputs=20_000, seed=20_261_126)
    assert [(o.target.name, o.findings) for o in outcomes if o.failed] == []
    assert sum(o.inputs for o in outcomes) >= 19_990
    assert all(o.inputs for o in outcomes)


@pytest.mark.parametrize(("name", "data"), FOUND)
def test_what_was_found_is_mended(name: str, data: bytes) -> None:
    """Each finding of the past is refused or read, and raises nothing else."""
    target = NAMES[name]
    with contextlib.suppress(target.declared):
        target.feed(data)


def test_every_target_meets_good_and_bad_inputs() -> None:
    """A target whose inputs were all refused, or none, would try too little: of those that may refuse, both are seen."""
    for outcome in fuzz([t for t in TARGETS if t.declared == (DecodeError,)], inputs=600, seed=1):
        assert 0.05 < outcome.raised["DecodeError"] / outcome.inputs < 0.95


def test_it_finds_what_is_wrong() -> None:
    """An undeclared error and a broken law are findings, with their input; a declared one is counted; the page says so."""

    def feed(data: bytes) -> None:
        if data[0] < 50:
            raise DecodeError("malformed", "declared")
        law(data[0] != 77, "broken")
        if data[0] == 99:
            raise KeyError("undeclared")

    target = Target(name="planted", about="nothing", share=1.0, declared=(DecodeError,), make=lambda rng: rng.randbytes(1), feed=feed)
    (outcome,) = fuzz([target], inputs=3000, seed=1)
    assert {data for data, _ in outcome.findings} <= {b"M", b"c"}
    assert outcome.failed > 5 == len(outcome.findings)
    assert 400 < outcome.raised["DecodeError"] < 800
    assert "| planted | 3,000 |" in page([outcome], seed=1, machine="here")


def test_the_same_seed_gives_the_same_inputs() -> None:
    """What is found can be found again."""
    seen: list[list[bytes]] = []
    for _ in range(2):
        inputs: list[bytes] = []
        target = Target(name="x", about="", share=1.0, declared=(), make=lambda rng: NAMES["topic router"].make(rng), feed=inputs.append)
        fuzz([target], inputs=50, seed=9)
        seen.append(inputs)
    assert seen[0] == seen[1]
