"""What the listener claims of the MQTT standards, as bytes: docs/mqtt.md prints it, tests/adapters/test_listener_normative.py plays it."""

from deploy.mqtt import connecting, ending, form, publishing, sessions, subscribing, wills

CLAIMS = (
    *connecting.CLAIMS,
    *sessions.CLAIMS,
    *wills.CLAIMS,
    *ending.CLAIMS,
    *form.CLAIMS,
    *publishing.CLAIMS,
    *subscribing.CLAIMS,
)
