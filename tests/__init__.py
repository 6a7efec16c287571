"""Tests, and what they share.

- `unit/`: functions of `ptnl/` and of `workflow/assets/`, without Snakemake
- `workflow/`: real runs of Snakemake and of the commands, on small studies
- `inputs/`: files as users and servers make them, whole and broken
- `faults/`, `slurm/`, `gpu/`: what needs root, a cluster or a card (`make test-faults`, ...)
- `measurements/`: no tests, but the scripts behind the numbers in the docs
- `golden/`: expected values from elsewhere; `vendor/`: other people's code
"""
