"""Faults of machines and of users, and the state of a study after them: `make test-faults`."""
