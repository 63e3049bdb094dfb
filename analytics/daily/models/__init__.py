"""Models of daily values: one file each, exporting `DAY_MODEL`."""
