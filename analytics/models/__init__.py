"""Forecast models: one file each, exporting `MODEL`."""
