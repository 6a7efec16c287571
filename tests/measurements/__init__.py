"""The scripts behind the numbers in the docs: accuracy, coverage, speed, memory, growth.

Nothing here is a test, and no study runs any of it. Each script says in its docstring what it
measures, how to call it and what it needs; the docs name the script beside each of its tables.
"""
