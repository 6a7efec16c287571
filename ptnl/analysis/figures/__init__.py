"""The paper's figures: pure functions of tidy frames, one style for all of them."""
