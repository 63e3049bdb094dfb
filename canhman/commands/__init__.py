"""Commands: one file each (or one group), exporting `APP`; what they need is imported when they run."""
