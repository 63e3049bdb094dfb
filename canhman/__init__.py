"""The front door: command line, settings and wiring; the only package that names adapters."""
