"""The only I/O: MQTT, listener, journal, stores, database."""
