"""What the study knows of a method. It does not import torch, because the Snakefile reads it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Method:
    """What the study needs to know of a method before running it."""

    title: str  # in tables and figures
    module: str  # below `ptnl.methods`; offers `tune` (see `ptnl.methods.prompt.tune`)
    loss: str  # name in `ptnl.training.losses.LOSSES`; empty if nothing is trained
    start: str = ""  # classifiers: where the weights start, "random" or "text"
    # Where training labels come from: "noise" (every noise kind of the study), one of
    # `ptnl.labels.pseudo_labels.SELECTIONS` (which paths treat as a kind of noise), or "none" if
    # nothing is trained.
    labels: str = "noise"
    trains_on: str = "features"  # of encoded images, or the "images" themselves
    measures_gradients: bool = False  # whether Figure 4 compares its gradients
    splits: bool = False  # whether every epoch takes some labels as right (Figure 11)
    # Hyper-parameters: those of an entry of `$defs` in ptnl/study/config.schema.yaml (where none is
    # named: the one that is called as the module, if there is one), and beside them the method's
    # own, as JSON schema.
    settings_of: str = ""
    settings: Mapping[str, Any] = field(default_factory=dict)

    @property
    def is_trained(self) -> bool:
        return bool(self.loss)
