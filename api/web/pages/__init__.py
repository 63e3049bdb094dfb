"""Pages: one file each, exporting `router`."""
