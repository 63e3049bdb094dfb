"""Forecast models, their features and scores."""
