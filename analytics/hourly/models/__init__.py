"""One file each: a model of hours, exported as `HOUR_MODEL`."""
