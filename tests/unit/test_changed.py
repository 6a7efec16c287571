"""`make check` runs the tests that an edit concerns, and no others."""

from tests.changed import concerned

TESTS = {
    "tests/unit/test_a.py": "from ptnl.labels.noise import NOISES",
    "tests/unit/test_b.py": "def test():\n    import ptnl.data",
    "tests/unit/test_c.py": "from ptnl.labels import sampling",
}


def test_a_module_concerns_the_tests_that_import_it():
    assert concerned(TESTS, ["ptnl/labels/noise.py"]) == ["tests/unit/test_a.py"]
    assert concerned(TESTS, ["ptnl/data/__init__.py"]) == ["tests/unit/test_b.py"]
    assert concerned(TESTS, ["ptnl/labels/sampling.py"]) == ["tests/unit/test_c.py"]


def test_a_changed_test_concerns_itself_and_a_file_that_no_test_imports_none():
    assert concerned(TESTS, ["tests/unit/test_c.py"]) == ["tests/unit/test_c.py"]
    assert concerned(TESTS, ["README.md", "ptnl/fetch/disk.py"]) == []
