"""Prompt tuning of vision-language models with noisy labels: a study anyone can rerun."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ptnl.own.adapt import adapt
    from ptnl.own.audit import audit
    from ptnl.own.classifier import PromptClassifier
    from ptnl.own.predict import predict
    from ptnl.own.session import Session

__version__ = "0.1.0"

# What the package offers for a user's own images -> the module that has it. They are imported when
# they are first asked for, because they import torch, and the Snakefile imports this package.
_LAZY = {
    "PromptClassifier": "classifier",
    "Session": "session",
    "adapt": "adapt",
    "audit": "audit",
    "predict": "predict",
}

__all__ = ["PromptClassifier", "Session", "__version__", "adapt", "audit", "predict", "results"]


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module 'ptnl' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"ptnl.own.{_LAZY[name]}"), name)


def results(folder: str) -> Any:
    """A finished study, as `ptnl.analysis.results.StudyResults`: `ptnl.results("results/mine")`."""
    from ptnl.analysis.results import StudyResults  # here, so that the Snakefile loads no pandas

    return StudyResults(folder)
