"""Everything that spends: models and rates, agents, metering, roll-ups and reports.

Imports `billing` and `accounts`. `usage.pricing` is pure arithmetic; `usage.metering` records one event in one
round trip to the database (`usage/sql/`), through billing's gate.
"""
