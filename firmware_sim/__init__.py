"""Simulated field devices over an estuary model, and the replay of recorded data."""
