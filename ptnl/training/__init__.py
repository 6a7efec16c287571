"""How runs learn, many at once: losses, optimisers, gradients, and the files of a run."""
