"""How fast the fast core is, beside the plain reference."""
