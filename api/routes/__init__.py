"""REST resources: one file each, exporting `router`."""
