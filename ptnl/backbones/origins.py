"""Finding the weights of a model: a user's file, a cache, or the network."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from huggingface_hub import constants, hf_hub_download

from ptnl.backbones.assets import sha256
from ptnl.errors import InputError
from ptnl.fetch.download import fetch, say
from ptnl.fetch.sources import Source

HUB_FILES = ("open_clip_model.safetensors", "open_clip_pytorch_model.bin")
OPEN_CLIP_CACHE = Path("~/.cache/clip")  # open_clip's own, of files that are not on the hub


@dataclass(frozen=True)
class Origin:
    """A published file of weights."""

    url: str
    name: str  # of the file where a user puts it by hand
    sha256: str = ""  # or how it begins; empty where the publisher does not say
    repository: str = ""  # on the Hugging Face Hub; empty elsewhere
    file: str = ""  # in that repository


@dataclass(frozen=True)
class Found:
    """A file of weights on this machine."""

    path: Path
    source: str  # where it comes from: a URL or a path


def origins_of(tag: Mapping[str, str]) -> list[Origin]:
    """The files of a tag of open_clip's table, those with a published checksum first.

    On the hub, safetensors come before pickles; its own checksums are checked in `from_hub`.
    """
    hub = [on_the_hub(tag["hf_hub"], file) for file in _hub_files(tag)]
    if not tag.get("url"):
        return hub
    elsewhere = _elsewhere(tag["url"])
    return [elsewhere, *hub] if elsewhere.sha256 else [*hub, elsewhere]


def _hub_files(tag: Mapping[str, str]) -> Sequence[str]:
    """The files in the repository of a tag; open_clip writes it as `owner/name/` or with a file."""
    if not tag.get("hf_hub"):
        return ()
    file = PurePosixPath(tag["hf_hub"]).name if not tag["hf_hub"].endswith("/") else ""
    return (str(PurePosixPath(file).with_suffix(".safetensors")), file) if file else HUB_FILES


def on_the_hub(place: str, file: str) -> Origin:
    """A file of a repository of the Hugging Face Hub."""
    repository = "/".join(place.split("/")[:2])
    name = repository.split("/")[1] + PurePosixPath(file).suffix
    url = f"https://huggingface.co/{repository}/resolve/main/{file}"
    return Origin(url, name, repository=repository, file=file)


def _elsewhere(url: str) -> Origin:
    """A file by its URL, in which OpenAI and open_clip write (the beginning of) its sha256."""
    *_, folder, name = url.split("/")
    at_end = re.search(r"-([0-9a-f]{8})\.\w+$", name)
    if re.fullmatch(r"[0-9a-f]{64}", folder):
        return Origin(url, name, folder)
    return Origin(url, name, at_end[1] if at_end else "")


def check_sha256(path: Path, expected: str, source: str) -> None:
    """Raise an `InputError` where a file's sha256 does not begin as expected."""
    digest = sha256(path)
    if not digest.startswith(expected):
        raise InputError(f"{source}: sha256 is {digest}, expected {expected}")


def find(
    name: str,
    origins: Sequence[Origin],
    downloads: Path,
    manual: Path,
    report: Callable[[str], None] = say,
) -> Found:
    """The first of a model's files that can be had.

    Files that the user put into the folder `manual` count first, then caches, then the network,
    from which files come to the folder `downloads` or the cache of the Hugging Face Hub. `report`
    takes a sentence about each source that fails.

    Raises `InputError` where all fail, or where a user's file is not the published one.
    """
    for origin in origins:
        path = manual / origin.name
        if path.exists():
            check_sha256(path, origin.sha256, str(path))
            return Found(path, str(path))
    for origin in origins:
        cached = _cached(origin, [downloads, OPEN_CLIP_CACHE.expanduser()])
        if cached is not None:
            return Found(cached, origin.url)
    why = "HF_HUB_OFFLINE forbids the network"
    if not constants.HF_HUB_OFFLINE:
        reasons = []
        for origin in origins:
            try:
                return Found(_from_network(name, origin, downloads, manual), origin.url)
            except InputError as error:
                reasons.append(str(error))
                report(reasons[-1])
        why = f"none of their sources answers as it should ({'; '.join(reasons)})"
    first = origins[0]
    raise InputError(
        f"{name}: its weights are in no cache, and {why}; get {first.url} elsewhere "
        f"and put it at {manual / first.name}"
    )


def _cached(origin: Origin, folders: Sequence[Path]) -> Path | None:
    """The file in the cache of the Hugging Face Hub, or in one of the folders if it is whole."""
    if origin.repository:
        try:
            return _from_hub(origin, offline=True)
        except InputError:
            return None
    for path in (folder / origin.name for folder in folders):
        if origin.sha256 and path.exists() and sha256(path).startswith(origin.sha256):
            return path
    return None


def _from_network(name: str, origin: Origin, downloads: Path, manual: Path) -> Path:
    """The file, fetched and checked; an `InputError` says why it cannot be had."""
    if origin.repository:
        return _from_hub(origin, offline=False)
    return fetch(Source(origin.name, name, (origin.url,), sha256=origin.sha256), downloads, manual)


def _from_hub(origin: Origin, offline: bool) -> Path:
    """The file in the cache of the Hugging Face Hub, brought there unless `offline`.

    A large file's name in the cache is its sha256, which is checked.
    """
    try:
        path = Path(hf_hub_download(origin.repository, origin.file, local_files_only=offline))
    except OSError as error:  # the hub's client raises nothing else
        raise InputError(f"{origin.url}: {str(error).splitlines()[0]}") from error
    blob = path.resolve().name
    if re.fullmatch(r"[0-9a-f]{64}", blob):
        check_sha256(path, blob, str(path))
    return path
