"""`canhman publish`: one reading as a device would send it, for a first try."""

from __future__ import annotations

from typing import Annotated

import typer

APP = typer.Typer()


@APP.command("publish", epilog="Example: canhman publish kl01 water.ec=2.31 water.temperature=28.4")
def publish(
    device: Annotated[str, typer.Argument(help="The device's id.")],
    readings: Annotated[list[str], typer.Argument(help="quantity=value, or channel/quantity=value; or one whole JSON message.")],
    org: Annotated[str, typer.Option(help="Its organisation.")] = "default",
    time: Annotated[str, typer.Option(help="When it was measured, with a zone (default: now, as a device without a clock says it).")] = "",
    wait: Annotated[float, typer.Option(min=0, help="Seconds to wait for the broker.")] = 10,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Publish one message at QoS 1 and wait until it is acknowledged."""
    import asyncio

    from canhman import publishing, terminal
    from canhman.settings import read_settings
    from core.errors import RefusedError
    from core.ports import Delivery

    settings = read_settings()
    topic, payload = publishing.topic(org, device), publishing.message(readings, time)
    delivery = asyncio.run(publishing.publish(settings, org, topic, payload, wait_s=wait))
    if json:
        terminal.as_json({"topic": topic, "payload": payload.decode(), "delivery": delivery.value})
    else:
        terminal.result(f"{delivery.value}: {topic} {payload.decode()}")
    if delivery is not Delivery.ACKNOWLEDGED:
        if delivery is Delivery.NO_SUBSCRIBERS:
            raise RefusedError("ingest has no session at this broker yet: start `canhman ingest` or run `canhman broker init`")
        own = f"CANHMAN_BROKER=embedded://{device}@HOST (or mqtt://…) and CANHMAN_BROKER_PASSWORD"
        raise RefusedError(f"not allowed to publish to {topic}; check user, org and device. One with a password of its own logs in as itself: {own}")
    if text := asyncio.run(publishing.waits(settings, [device])):
        terminal.say(text, style="yellow")
