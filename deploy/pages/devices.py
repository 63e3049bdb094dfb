"""Devices: topics, decoders with their layout and examples, simulated devices with what they send."""

from __future__ import annotations

import inspect
from collections.abc import Iterator

import ingest.decoders
from core.clock import rfc3339
from deploy.page import Page, mark, table
from firmware_sim.device_kinds import Sample, SimDevice
from firmware_sim.network import models
from ingest.decoder import Decoder, Example, Record
from ingest.mail import DECODERS
from ingest.route import TOPICS

SAMPLE = Sample(
    seq=1841,
    boot=12,
    time_ms=1_772_420_400_000,
    channels={"main": {"water.ec": 2.31, "water.temperature": 28.4}, "d10": {"soil.moisture": 0.31}},
    device={"device.battery": 3.71, "device.rssi": -97.0},
)
SENT_AFTER_MS = 4_000


def body() -> str:
    """The page below its head."""
    topics = table(("Kind", "Topic", "Read by"), ((mark(kind), mark(topic), _readers(kind)) for kind, topic in TOPICS.items()))
    decoders = "\n\n".join(_decoder(name, decoder) for name, decoder in DECODERS.items())
    simulated = table(
        ("Model", "What it is", "Clock", "Samples in a message"),
        (
            (mark(d.model), f"{d.description[:1].upper()}{d.description[1:]}.", "its own" if d.has_clock else "none", f"up to {d.batch}")
            for d in models().values()
        ),
    )
    return f"""A device publishes under its own prefix, at QoS 1, and nowhere else ([mqtt.md](mqtt.md): how it connects where there is no broker). What nothing
reads yet is kept as a dead letter `no_decoder`, and its bytes stay in the journal until there is a decoder: [deadletters.md](deadletters.md). Names
of quantities: [quantities.md](quantities.md). LoRaWAN probes behind ChirpStack or The Things Stack: [lorawan.md](lorawan.md).

{topics}

## Decoders

{decoders}

## Simulated devices

What `canhman simulate` and `canhman demo` connect with. They share no code with the decoders: the two meet only at bytes.

{simulated}

{chr(10).join(_sent(d) for d in models().values())}
## Another device

One file `ingest/decoders/<model>.py`, with its byte layout in the docstring and with `examples`; for the simulator one file
`firmware_sim/devices/<model>.py`. What each gets for free: [CONTRIBUTING.md](../CONTRIBUTING.md#adding-one-thing)."""


def _readers(kind: str) -> str:
    if kind == "status":
        return "ingest itself: `online` or `offline`"
    return ", ".join(f"[{name}](#decoder-{name})" for name, d in DECODERS.items() if d.kind == kind) or "nothing yet"


def _decoder(name: str, decoder: Decoder) -> str:
    layout = inspect.getdoc(getattr(ingest.decoders, name)) or ""
    facts = table(
        ("Topic", "Model", "Keys"),
        [
            (
                mark(TOPICS[decoder.kind]),
                mark(decoder.model) or "any",
                ", ".join(f"`{k}` = `{q}`" for k, q in decoder.quantities.items()) or "names of quantities",
            )
        ],
    )
    examples = "\n\n".join(_example(example) for example in decoder.examples)
    return f"### Decoder {name}\n\n{facts}\n\n```text\n{layout}\n```\n\n{examples}"


def _example(example: Example) -> str:
    shown = example.payload.decode() if example.payload.isascii() else example.payload.hex(" ")
    return f"```text\n{shown}\n```\n\n{table(('Time', 'Channel', 'Values'), (row for record in example.records for row in _rows(record)))}"


def _rows(record: Record) -> Iterator[tuple[str, str, str]]:
    time = rfc3339(record.time) if record.time is not None else f"{(record.age_ms or 0) / 1000:g} s before arrival"
    for channel, values in record.channels:
        yield time, mark(channel), ", ".join(f"{mark(quantity)} {value:g}" for quantity, value in values.items())
    for refusal in record.refused:
        yield time, "", f"{mark(refusal.key)} refused as {mark(refusal.reason)}: {refusal.text}"


def _sent(device: SimDevice) -> str:
    topic, payload = device.encode([SAMPLE], SAMPLE.time_ms + SENT_AFTER_MS)
    shown = payload.decode() if payload.isascii() else payload.hex(" ")
    return f"`{device.model}`, to `canhman/{{org}}/{{device}}/{topic}`:\n\n```text\n{shown}\n```\n"


PAGE = Page(
    title="Devices",
    about="What a device may send: topics, decoders with layout and examples, simulated devices; how to add one.",
    source="`ingest/decoders/`, `ingest/route.py`, `firmware_sim/devices/`",
    body=body,
)
