"""Watches and tells. Imports `usage`, `billing` and `accounts`; nobody but the composition root imports it."""
