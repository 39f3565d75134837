"""Pages of watching and telling."""
