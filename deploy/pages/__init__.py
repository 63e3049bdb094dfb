"""Made pages of docs/: one file each, exporting `PAGE`; `deploy/pages/metrics.py` makes `docs/metrics.md`."""
