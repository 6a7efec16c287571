"""How images become vectors, once: decoding, augmented views, the resumable cache."""
