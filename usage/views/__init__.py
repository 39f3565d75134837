"""Pages of usage, a module for each subject."""
