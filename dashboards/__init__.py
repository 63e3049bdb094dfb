"""Grafana boards as code, built to JSON and provisioned."""
