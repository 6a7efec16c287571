"""Getting one file of a data set: from its URLs, or from where the user put it."""

import hashlib
import shutil
from pathlib import Path

import requests

from ptnl.errors import InputError
from ptnl.io import atomic_path
from ptnl.sources import Source

CHUNK = 1 << 20


def fetch(source: Source, folder: Path, manual: Path | None = None) -> Path:
    """The file of `source` in `folder`, whole and verified.

    A file that is there and verified is returned at once. Otherwise it is taken from the folder
    `manual`, where the user may drop files, or downloaded. `InputError` where all fails: a sentence
    that names the file, why each source failed, and where to put it by hand.
    """
    path = folder / source.name
    if path.exists():
        return path
    if manual is not None and (manual / source.name).exists():
        with atomic_path(path) as temporary:
            shutil.copyfile(manual / source.name, temporary)
        return path
    reasons = []
    for url in source.urls:
        try:
            with atomic_path(path) as temporary, temporary.open("wb") as file:
                answer = requests.get(url, stream=True, timeout=60)
                answer.raise_for_status()
                digest = hashlib.md5(usedforsecurity=False)
                for chunk in answer.iter_content(CHUNK):
                    digest.update(chunk)
                    file.write(chunk)
                if source.md5 and digest.hexdigest() != source.md5:
                    raise InputError(f"{url}: md5 is {digest.hexdigest()}, expected {source.md5}")
            return path
        except (requests.RequestException, InputError) as error:
            reasons.append(f"{url}: {error}")
    raise InputError(f"{source.name}: {'; '.join(reasons)}; put it into {manual}")
