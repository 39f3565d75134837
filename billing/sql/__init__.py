"""The SQL functions of the gate. See accounts/sql/ for how they are installed and changed."""

from accounts.sql import install

__all__ = ["install"]
