"""Jobs of a study, counted without Snakemake."""
