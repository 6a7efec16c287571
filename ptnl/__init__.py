"""Prompt tuning of vision-language models with noisy labels: a study anyone can rerun."""

__version__ = "0.1.0"


def results(folder):
    """A finished study, as `ptnl.analysis.results.StudyResults`: `ptnl.results("results/mine")`."""
    from ptnl.analysis.results import StudyResults  # here, so that the Snakefile loads no pandas

    return StudyResults(folder)
