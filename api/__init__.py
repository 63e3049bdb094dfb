"""The HTTP front: REST, SensorThings, the phone app and the officers' console."""
