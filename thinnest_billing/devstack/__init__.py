"""Real PostgreSQL and Redis for the trial and the tests, with nothing installed and nothing left behind.

- `processes`: children that never outlive us.
- `services`: PostgreSQL and Valkey from wheels.
- `trial`: the data and environment of `make run` and `manage.py`.
- `welcome`: the demo account of `make run` and what a newcomer is told.
- `runner`: `python -m thinnest_billing.devstack`, which is `make run`.
- `pooling`: PgBouncer before the tests' cluster.
- `testing`: the pytest plugin.
"""
