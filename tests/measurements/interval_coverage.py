"""How often intervals over seeds cover the truth, depending on how data sets correlate.

    python -m tests.measurements.interval_coverage

Differences are drawn from a normal distribution. Those of one seed on several data sets correlate,
because a seed decides the same random numbers everywhere. Three intervals are compared: the one
that verdicts use, a bootstrap that resamples the seeds of all data sets together, and a bootstrap
that resamples the seeds of each data set alone.
"""

import numpy as np

from ptnl.analysis.intervals import mean_interval

TRIALS, RESAMPLES, SEEDS = 4000, 1000, 4


def bootstrap_together(sample: np.ndarray, rng: np.random.Generator) -> tuple[float, float]:
    """Percentiles over resampled seeds, which are the same on all data sets."""
    draws = rng.integers(SEEDS, size=(RESAMPLES, SEEDS))
    low, high = np.quantile(sample.mean(axis=0)[draws].mean(axis=1), [0.025, 0.975])
    return low, high


def bootstrap_apart(sample: np.ndarray, rng: np.random.Generator) -> tuple[float, float]:
    """Percentiles over resampled seeds, drawn for each data set by itself."""
    draws = rng.integers(SEEDS, size=(RESAMPLES, len(sample), SEEDS))
    means = np.take_along_axis(sample[None], draws, axis=2).mean(axis=(1, 2))
    low, high = np.quantile(means, [0.025, 0.975])
    return low, high


def main() -> None:
    rng = np.random.default_rng(0)
    methods = {
        "Student over seeds": lambda sample: mean_interval(sample.mean(axis=0))[1:],
        "bootstrap, together": lambda sample: bootstrap_together(sample, rng),
        "bootstrap, apart": lambda sample: bootstrap_apart(sample, rng),
    }
    print(f"coverage in percent of 95 % intervals, {SEEDS} seeds, {TRIALS} trials")
    print(f"{'data sets':>9} {'correlation':>11}  " + "  ".join(f"{name:>20}" for name in methods))
    for datasets in (1, 2, 7):
        for correlation in (0.0, 0.5, 1.0):
            covered = dict.fromkeys(methods, 0)
            for _ in range(TRIALS):
                shared = rng.normal(size=SEEDS) * correlation**0.5
                own = rng.normal(size=(datasets, SEEDS)) * (1 - correlation) ** 0.5
                for name, interval in methods.items():
                    low, high = interval(shared + own)
                    covered[name] += low <= 0 <= high
            cells = (f"{100 * count / TRIALS:>20.1f}" for count in covered.values())
            print(f"{datasets:>9} {correlation:>11}  " + "  ".join(cells))


if __name__ == "__main__":
    main()
