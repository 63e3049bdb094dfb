"""Defaults as TOML, inside the wheel; CANHMAN_CONFIG overrides them file by file."""
