"""Prompt tuning of vision-language models with noisy labels: a study anyone can rerun."""

__version__ = "0.1.0"
