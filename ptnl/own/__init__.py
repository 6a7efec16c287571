"""What a user's own images need: adapting a model to them, predicting, and auditing their labels."""
