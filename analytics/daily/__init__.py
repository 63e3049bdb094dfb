"""Forecasts of days: what a model is shown, what it says, and how it is scored on any folder of CSVs (`canhman backtest`)."""
