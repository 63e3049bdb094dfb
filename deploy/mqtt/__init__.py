"""What the listener claims of the MQTT standards, as bytes: docs/mqtt.md prints it, tests/adapters/test_listener_normative.py plays it."""
