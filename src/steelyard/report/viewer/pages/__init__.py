"""The pages: each takes an Ask (what the address says) and gives a Page (what to show, and the tables behind it)."""
