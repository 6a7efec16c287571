"""The identity of a run. Imports no torch, because planning a study uses it."""

from dataclasses import dataclass


@dataclass(frozen=True, order=True)
class Run:
    """One training, at one (data set, backbone, method, noise, fp, seed)."""

    dataset: str
    backbone: str
    method: str
    noise: str
    fp: int
    seed: int

    @property
    def path(self) -> str:
        """The run's folder below `<results>/runs`."""
        return (
            f"{self.dataset}/{self.backbone}/{self.method}/{self.noise}"
            f"/fp-{self.fp}/seed-{self.seed}"
        )
