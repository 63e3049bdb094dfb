"""Topics: every one of the contract, and nothing else."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import DecodeError
from core.place import DEVICE_ID, SLUG
from ingest.route import Route, route


@pytest.mark.parametrize(
    ("topic", "found"),
    [
        ("canhman/default/kl01/telemetry", Route("telemetry", "default", "kl01")),
        ("canhman/so-nong-nghiep/A84041_0:1.b-c/telemetry", Route("telemetry", "so-nong-nghiep", "A84041_0:1.b-c")),
        ("canhman/default/kl01/senml", Route("senml", "default", "kl01")),
        ("canhman/default/kl01/status", Route("status", "default", "kl01")),
        ("canhman/default/kl01/frame/0", Route("frame", "default", "kl01", 0)),
        ("canhman/default/kl01/frame/255", Route("frame", "default", "kl01", 255)),
        ("canhman/default/kl01/command/ack", Route("ack", "default", "kl01")),
        ("application/7/device/a84041ffff000001/event/up", Route("chirpstack", "7", "a84041ffff000001")),
        ("v3/canh-man@ttn/devices/kl01/up", Route("tts", "canh-man@ttn", "kl01")),
    ],
)
def test_the_contract(topic: str, found: Route) -> None:
    """The topics of the contract."""
    assert route(topic) == found


@pytest.mark.parametrize(
    "topic",
    [
        *("", "/", "canhman", "canhman/default/kl01", "canhman/default/kl01/telemetry/", "/canhman/default/kl01/telemetry", "Canhman/default/kl01/telemetry"),
        *("canhman/default/kl01/Telemetry", "canhman/default/kl01/up", "canhman/default/kl01/command", "canhman/default/kl01/command/nack"),
        *("canhman/Default/kl01/telemetry", "canhman//kl01/telemetry", "canhman/default//telemetry", "canhman/default/kl 01/telemetry"),
        *("canhman/default/kênh/telemetry", "canhman/default/kl01\n/telemetry", f"canhman/default/{'a' * 65}/telemetry", f"canhman/{'a' * 65}/kl01/telemetry"),
        *(f"application/{'7' * 129}/device/kl01/event/up", f"v3/{'a' * 129}/devices/kl01/up"),
        *("canhman/default/kl01/frame", "canhman/default/kl01/frame/256", "canhman/default/kl01/frame/-1", "canhman/default/kl01/frame/x"),
        *("canhman/default/kl01/frame/²", "canhman/default/kl01/frame/٣", "canhman/default/kl01/frame/1/2", "canhman/default/kl01/frame/+1"),
        *("application//device/kl01/event/up", "application/7/device/kl01/event/join", "application/7/device/k l/event/up", "v3//devices/kl01/up"),
        *("v3/a@t/devices/kl01/join", "$SYS/broker/load", "canhman/+/#", "canhman/default/kl01/frame/" + "9" * 5000),
    ],
)
def test_outside_the_contract(topic: str) -> None:
    """Everything else is `bad_topic`, and the text names the topic."""
    with pytest.raises(DecodeError) as caught:
        route(topic)
    assert caught.value.reason == "bad_topic"
    assert repr(topic[:20])[:-1] in str(caught.value)
    assert len(str(caught.value)) < 400


levels = st.sampled_from(
    ["canhman", "default", "kl01", "telemetry", "frame", "7", "command", "ack", "application", "device", "event", "up", "v3", "devices", ""]
)


@given(topic=st.lists(levels | st.text(max_size=4), max_size=7).map("/".join) | st.text(max_size=50))
def test_any_topic(topic: str) -> None:
    """Nothing but DecodeError; and what is read has ids that may be registered."""
    refused = False
    try:
        found = route(topic)
    except DecodeError as error:
        refused = error.reason == "bad_topic"
        found = None
    assert refused or found is not None
    if found is not None:
        assert DEVICE_ID.match(found.device)
        assert found.kind in ("chirpstack", "tts") or SLUG.match(found.org)
        assert (found.port is not None) == (found.kind == "frame")
