"""Provenance: the code, libraries and machine that made an artefact."""

import hashlib
import json
import subprocess
from collections.abc import Iterable
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

from ptnl import __version__


@cache
def commit() -> str:
    """The git commit of the running code, `+` where it was edited; the version outside git."""
    root = Path(__file__).parents[1]
    # By default `git status` locks the repository to update its index. If it were killed meanwhile,
    # the lock would stay, and the user's next git command would refuse to run.
    git = ["git", "--no-optional-locks", "-C", str(root)]
    try:
        head = subprocess.run(
            [*git, "rev-parse", "--short=12", "HEAD"], capture_output=True, text=True, check=True
        ).stdout.strip()
        edited = subprocess.run(
            [*git, "status", "--porcelain", "--untracked-files=no"],
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return f"ptnl-{__version__}"
    return head + ("+" if edited else "")


def libraries(*names: str) -> dict[str, str]:
    """Installed versions of the libraries that decide an artefact's content."""
    return {name: version(name) for name in names}


def made_by(*names: str, **settings: Any) -> dict[str, Any]:
    """Provenance for a file's metadata: commit, library versions and the config slice."""
    return {"commit": commit(), "libraries": libraries(*names), "settings": settings}


def names_digest(names: Iterable[str]) -> str:
    """One short name for names in their order."""
    return hashlib.sha256("\0".join(names).encode(errors="surrogateescape")).hexdigest()[:16]


def fingerprint(*decides: object) -> str:
    """One short name for all that decides an artefact's content, each writable as JSON."""
    return hashlib.sha256(json.dumps(decides, sort_keys=True).encode()).hexdigest()[:16]
