"""Command-line modules, one a rule, of the same name: arguments, load, pure call, write."""
