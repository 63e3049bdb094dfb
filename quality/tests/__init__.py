"""QC tests: one file each, exporting `TEST`; bit numbers are fixed for ever."""
