"""The rates of a machine, measured once and kept in the user's cache folder."""

import os
import platform
from dataclasses import asdict, dataclass
from pathlib import Path

from ptnl.errors import InputError
from ptnl.io import read_json, write_json
from ptnl.study.estimate import Machine, of_peak


@dataclass(frozen=True)
class Rates:
    """What was measured on a machine."""

    device: str
    gflops: float  # 1e9 floating point operations a second in a product of large matrices
    decode_seconds: float  # of a photograph by one thread, from its file to an encoder's input
    measured: str  # date

    def machine(self) -> Machine:
        """The machine as the estimates take it."""
        return of_peak(
            f"a matrix product on {self.device}, measured {self.measured}",
            self.gflops,
            self.decode_seconds,
        )


def rates_file() -> Path:
    """Where the rates of this machine are kept; its name is part of it, as homes can be shared."""
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(cache) / "ptnl" / f"rates-{platform.node() or 'here'}.json"


def read_rates(path: Path) -> Rates | None:
    """The rates that were kept; None where none were."""
    if not path.exists():
        return None
    try:
        return Rates(**read_json(path))
    except (TypeError, ValueError) as error:
        raise InputError(f"{path}: holds no rates; delete it, or measure anew") from error


def keep_rates(rates: Rates, path: Path) -> None:
    """Write the rates where `read_rates` finds them."""
    write_json(asdict(rates), path)
