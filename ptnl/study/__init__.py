"""What a study consists of, before anything runs: config, grid, protocols, layouts, planning."""
