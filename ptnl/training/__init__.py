"""How runs are trained, many at once: losses, optimisers, gradients, and the files of a run."""
