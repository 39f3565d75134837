"""Benchmarks, one command each: `bench/metering`, `bench/overview`. See README.md for what they found.

Each starts PostgreSQL and Valkey of its own in a folder it removes again, with fsync and synchronous_commit on, runs
the shipped code in front of them, and prints ratios: on a shared machine single timings say little.
"""
