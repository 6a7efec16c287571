"""Weights come from the user's folder, a cache or a server; else one sentence says where not."""

import hashlib
from contextlib import contextmanager
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import open_clip
import pytest
from huggingface_hub import hf_hub_download

from ptnl.backbones import origins
from ptnl.backbones.origins import Origin, find, origins_of
from ptnl.errors import InputError

WEIGHTS = b"weights"
SHA256 = hashlib.sha256(WEIGHTS).hexdigest()
COMMIT = "0123456789abcdef0123456789abcdef01234567"


@contextmanager
def serving(files: dict[str, bytes], published: str = SHA256):
    """A server that answers as the Hugging Face Hub does; yields its address, and its requests."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            content = files.get(self.path)
            asked.append((self.command, self.path))
            self.send_response(200 if content is not None else 404)
            if content is None:
                self.send_header("X-Error-Code", "EntryNotFound")
            self.send_header("X-Repo-Commit", COMMIT)
            self.send_header("ETag", f'"{published}"')
            self.send_header("Content-Length", str(len(content or b"")))
            self.end_headers()
            if self.command == "GET" and content:
                self.wfile.write(content)

        do_HEAD = do_GET

        def log_message(self, *args):
            pass

    asked = []
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", asked
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def places(tmp_path, monkeypatch) -> tuple[Path, Path]:
    """The folders `downloads` and `manual`; caches are empty, and there is no network."""
    monkeypatch.setattr(origins, "OPEN_CLIP_CACHE", tmp_path / "cache")
    use_hub(monkeypatch, "http://127.0.0.1:9", tmp_path)
    return tmp_path / "downloads", tmp_path / "manual"


def use_hub(monkeypatch, address: str, tmp_path: Path) -> None:
    hub = partial(hf_hub_download, endpoint=address, cache_dir=tmp_path / "hub", etag_timeout=600)
    monkeypatch.setattr(origins, "hf_hub_download", hub)


ON_HUB = Origin("http://hub/w", "model.safetensors", repository="owner/model", file="w.safetensors")


def test_openais_own_files_come_first():
    tag = open_clip.get_pretrained_cfg("RN50", "openai")
    first, *others = origins_of(tag)
    assert (first.url, first.name) == (tag["url"], "RN50.pt")
    assert first.sha256.startswith("afeb0e10")
    assert [(origin.repository, origin.file) for origin in others] == [
        ("timm/resnet50_clip.openai", "open_clip_model.safetensors"),
        ("timm/resnet50_clip.openai", "open_clip_pytorch_model.bin"),
    ]
    assert others[0].name == "resnet50_clip.openai.safetensors"


def test_every_tag_of_open_clip_has_an_origin_and_unique_file_names():
    names = {}
    for model, tag in open_clip.list_pretrained():
        for origin in origins_of(open_clip.get_pretrained_cfg(model, tag)):
            assert origin.url.startswith("https://")
            assert names.setdefault(origin.name, origin.url) == origin.url
        assert origins_of(open_clip.get_pretrained_cfg(model, tag))
    assert len(names) > 100


def test_a_checksum_is_read_from_a_file_name():
    (_, _, origin) = reversed(origins_of(open_clip.get_pretrained_cfg("RN50", "cc12m")))
    assert origin.sha256 == "f000538c"
    *_, without = origins_of(open_clip.get_pretrained_cfg("ViT-B-32", "metaclip_400m"))
    assert (without.name, without.sha256) == ("b32_400m.pt", "")  # tried last for want of one


def test_the_users_file_comes_first_and_is_checked(places):
    _, manual = places
    manual.mkdir()
    origin = Origin("http://127.0.0.1:9/w.pt", "w.pt", SHA256)
    (manual / "w.pt").write_bytes(WEIGHTS)
    assert find("own", [ON_HUB, origin], *places).path == manual / "w.pt"
    (manual / "w.pt").write_bytes(b"other")
    with pytest.raises(InputError, match=rf"manual/w.pt: sha256 is .*, expected {SHA256}"):
        find("own", [origin], *places)


@pytest.mark.parametrize("cache", ["downloads", "cache"])
def test_a_cached_file_is_taken_if_it_is_whole(places, tmp_path, cache):
    path = tmp_path / cache / "w.pt"
    path.parent.mkdir()
    path.write_bytes(WEIGHTS)
    origin = Origin("http://127.0.0.1:9/w.pt", "w.pt", SHA256[:8])
    found = find("own", [origin], *places)
    assert (found.path, found.source) == (path, origin.url)
    path.write_bytes(WEIGHTS[:3])
    with serving({"/w.pt": WEIGHTS}) as (address, _):
        served = Origin(f"{address}/w.pt", "w.pt", SHA256)
        if cache == "downloads":  # a wrong file there may be the user's
            with pytest.raises(InputError, match=r"downloads/w\.pt: sha256 is .* delete it"):
                find("own", [served], *places)
            path.unlink()
        assert find("own", [served], *places).path.read_bytes() == WEIGHTS


def test_a_download_is_checked(places):
    with serving({"/w.pt": WEIGHTS, "/x.pt": b"other"}) as (address, _):
        right = Origin(f"{address}/w.pt", "w.pt", SHA256[:8])
        wrong = Origin(f"{address}/x.pt", "x.pt", SHA256[:8])
        assert find("own", [wrong, right], *places).source == right.url
        assert not (places[0] / "x.pt").exists()


def test_a_file_from_the_hub_is_cached_for_work_without_a_network(places, monkeypatch, tmp_path):
    with serving({"/owner/model/resolve/main/w.safetensors": WEIGHTS}) as (address, asked):
        use_hub(monkeypatch, address, tmp_path)
        found = find("own", [ON_HUB], *places)
        assert found.path.read_bytes() == WEIGHTS
        assert ("GET", "/owner/model/resolve/main/w.safetensors") in asked
    monkeypatch.setattr(origins.constants, "HF_HUB_OFFLINE", True)
    assert find("own", [ON_HUB], *places) == found


def test_a_file_that_the_hub_lacks_is_looked_for_elsewhere(places, monkeypatch, tmp_path):
    with serving({"/w.pt": WEIGHTS}) as (address, _):
        use_hub(monkeypatch, address, tmp_path)
        elsewhere = Origin(f"{address}/w.pt", "w.pt", SHA256)
        assert find("own", [ON_HUB, elsewhere], *places).source == elsewhere.url


def test_an_altered_file_of_the_hub_is_refused(places, monkeypatch, tmp_path):
    with serving({"/owner/model/resolve/main/w.safetensors": b"altered"}) as (address, _):
        use_hub(monkeypatch, address, tmp_path)
        messages = []
        with pytest.raises(InputError, match=r"own: its weights are in no cache, and none of"):
            find("own", [ON_HUB], *places, messages.append)
    assert len(messages) == 1
    assert "sha256 is" in messages[0]


def test_weights_that_cannot_be_had_are_one_sentence(places, monkeypatch):
    monkeypatch.setattr(origins.constants, "HF_HUB_OFFLINE", True)
    origin = Origin("https://host/folder/RN50.pt", "RN50.pt", SHA256)
    with pytest.raises(InputError) as caught:
        find("RN50", [origin, ON_HUB], *places)
    manual = places[1]
    assert str(caught.value) == (
        "RN50: its weights are in no cache, and HF_HUB_OFFLINE forbids the network; get "
        f"https://host/folder/RN50.pt elsewhere and put it at {manual / 'RN50.pt'}"
    )
