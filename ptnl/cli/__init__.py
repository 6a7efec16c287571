"""Command-line modules, one per rule and named as it: parse, read, call a pure function, write."""
