"""How files come from outside, verified and resumable: sources, downloads, archives."""
