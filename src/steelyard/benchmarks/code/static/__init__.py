"""What code says without being run: syntax trees, names and what they refer to."""
