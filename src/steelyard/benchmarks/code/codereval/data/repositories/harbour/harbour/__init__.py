"""A small harbour: ships, berths and what they pay."""
