"""Notes in a small markup, kept in a database and found again."""
