"""Channels: one file each, exporting `NOTIFIER`: it builds a request and reads a response, and does no I/O."""
