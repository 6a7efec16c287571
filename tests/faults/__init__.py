"""Faults of machines and of users, and what is left of a study after them: `make test-faults`."""
