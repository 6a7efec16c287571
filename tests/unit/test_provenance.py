"""What made an artefact."""

from ptnl import provenance


def test_an_edit_changes_the_checksum_of_its_modules_alone(tmp_path, monkeypatch):
    (tmp_path / "toy").mkdir()
    for name in ("first", "second"):
        (tmp_path / f"toy/{name}.py").write_text("x = 1\n")
    monkeypatch.setattr(provenance, "__file__", str(tmp_path / "toy/provenance.py"))

    def checksums() -> tuple[str, str]:
        provenance.checksum.cache_clear()
        return provenance.checksum("toy.first"), provenance.checksum("toy.first", "toy.second")

    before = checksums()
    assert checksums() == before
    assert len(set(before)) == 2
    (tmp_path / "toy/second.py").write_text("x = 2\n")
    after = checksums()
    assert after[0] == before[0]
    assert after[1] != before[1]
