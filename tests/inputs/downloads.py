"""Servers that send wrong or broken files, and files that users fetched by hand."""

import hashlib
from collections.abc import Callable
from pathlib import Path

from ptnl.errors import InputError
from ptnl.fetch.answers import Patience
from ptnl.fetch.download import fetch
from ptnl.fetch.sources import Source
from tests.faulty_server import Fault, serving
from tests.inputs.rows import Row, read, refused, write

CONTENT = bytes(range(256)) * 40
SHA256 = hashlib.sha256(CONTENT).hexdigest()
# Pauses are short, but a busy machine's server has the usual time to answer.
HASTY = Patience(attempts=2, pause=0.001, longest_pause=0.01)


def fetched(place: Path, made: dict) -> bytes:
    """The content of a file from a server or by hand. If it is refused, no file may be left."""
    with serving() as server:
        server.files = made.get("files", {"a.tar": CONTENT})
        server.faults = {"a.tar": list(made.get("faults", ()))}
        server.always = {"a.tar": made["always"]} if "always" in made else {}
        urls = [server.url(name) for name in made.get("urls", ("a.tar",))]
        known = made.get("known", {"sha256": SHA256, "bytes": len(CONTENT)})
        source = Source("a.tar", "set", tuple(urls), **known)
        try:
            path = fetch(source, place / "archives", made.get("manual"), lambda _: None, HASTY)
        except InputError:
            assert not (place / "archives/a.tar").exists()
            raise
        return path.read_bytes()


def right(found: bytes) -> None:
    assert found == CONTENT


def server(**how) -> Callable[[Path], dict]:
    return lambda place: how


def by_hand(content: bytes, **how) -> Callable[[Path], dict]:
    def make(place: Path) -> dict:
        write(place / "manual/a.tar", content)
        return {"manual": place / "manual", "urls": (), **how}

    return make


ROWS: list[Row] = [
    read("a good server", server(), "fetched and verified", right),
    read("a download that is cut", server(faults=[Fault(cut=5000)]), "continued", right),
    read(
        "a server that starts again when it is asked to continue",
        server(faults=[Fault(cut=5000), Fault(ignores_range=True)]),
        "fetched whole",
        right,
    ),
    read("a server that is busy once", server(faults=[Fault(status=503)]), "asked again", right),
    read(
        "a first URL without the file",
        server(urls=("none", "a.tar")),
        "fetched from the next URL",
        right,
    ),
    read(
        "a server that does not tell the length",
        server(always=Fault(tells_length=False)),
        "fetched",
        right,
    ),
    read("a file that the user fetched by hand", by_hand(CONTENT), "verified and used", right),
    refused("a file that is not there", server(files={}), "a.tar: could not be fetched ("),
    refused("a server that refuses", server(always=Fault(status=403)), "could not be fetched ("),
    refused(
        "a server that is always busy", server(always=Fault(status=503)), "could not be fetched"
    ),
    refused(
        "a file with one other byte",
        server(files={"a.tar": CONTENT[:-1] + b"x"}),
        "could not be fetched (",
    ),
    refused("a shorter file", server(files={"a.tar": CONTENT[:-1]}), "could not be fetched ("),
    refused("a longer file", server(files={"a.tar": CONTENT + b"x"}), "could not be fetched ("),
    refused(
        "a web page in the file's place",
        server(always=Fault(body=b"<html>Sign in</html>", headers={"Content-Type": "text/html"})),
        "could not be fetched (",
    ),
    refused(
        "a wrong file that the user fetched by hand", by_hand(b"other"), "could not be fetched ("
    ),
    refused("no URL, and no file by hand", server(urls=()), "there is no URL for it"),
]
