"""A user's own images: adapting a model to them, predicting them, and auditing their labels."""
