"""`make` builds the environment, here of stub packages: with which torch, and when anew."""

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pip
import pytest

LOCK = """\
# Every package of the environment, exactly.
nvidia-cublas==13.4 ; sys_platform == "linux"
torch==2.15.0
torchvision==0.29.2
triton==3.9.0 ; sys_platform == "linux"
tqdm==4.70.1
"""
CUDA = {"nvidia_cublas-13.4", "torch-2.15.0", "torchvision-0.29.2", "triton-3.9.0", "tqdm-4.70.1"}
CPU = {"torch-2.15.0+cpu", "torchvision-0.29.2+cpu", "tqdm-4.70.1"}
# Stands for setuptools, which gives the wheel of an editable installation.
BACKEND = """
import shutil

def build_editable(folder, settings=None, metadata=None):
    return shutil.copy("stubs/ptnl_study-1-py3-none-any.whl", folder).rpartition("/")[2]
"""
# Does what `python` does, but links pip into a virtual environment: to install it takes seconds.
PYTHON = f"""\
#!/bin/sh
[ "$1 $2" = "-m venv" ] || exec {sys.executable} "$@"
{sys.executable} "$@" --without-pip || exit
for folder; do :; done
ln -s {Path(pip.__file__).parent} "$folder"/lib/python*/site-packages
"""
PYPROJECT = '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'


def stub_wheel(folder: Path, package: str) -> None:
    """Write a wheel without code for a package, given as `name-version`."""
    name, version = package.split("-")
    info = f"{package}.dist-info"
    with zipfile.ZipFile(folder / f"{package}-py3-none-any.whl", "w") as wheel:
        about = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
        wheel.writestr(f"{info}/METADATA", about)
        tags = "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        wheel.writestr(f"{info}/WHEEL", tags)
        wheel.writestr(f"{info}/RECORD", "")


@pytest.fixture
def checkout(root, tmp_path) -> Path:
    """A checkout whose lock is short, with stub wheels in `stubs` of all that PyPI would have."""
    (tmp_path / "envs").mkdir()
    shutil.copy(root / "Makefile", tmp_path)
    (tmp_path / "envs/requirements.lock").write_text(LOCK)
    (tmp_path / "pyproject.toml").write_text(PYPROJECT)
    (tmp_path / "backend.py").write_text(BACKEND)
    (tmp_path / "stubs").mkdir()
    for package in (*CUDA, "ptnl_study-1"):
        stub_wheel(tmp_path / "stubs", package)
    machine(tmp_path, "x86_64")
    write_tool(tmp_path / "tools/python", PYTHON)
    return tmp_path


def write_tool(path: Path, script: str) -> None:
    """Write an executable script."""
    path.parent.mkdir(exist_ok=True)
    path.write_text(script)
    path.chmod(0o755)


def machine(checkout: Path, name: str) -> None:
    """Let `uname` say that this is Linux on another machine."""
    script = f'#!/bin/sh\n[ "$1" = -m ] && echo {name} || echo Linux\n'
    write_tool(checkout / "tools/uname", script)


def make_environment(
    checkout: Path, *options: str, python: str = "tools/python"
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        # Two pips share the short lock as well as eight share the whole.
        ["make", ".venv/.ready", f"PYTHON={python}", "PARTS=1 0", *options],
        cwd=checkout,
        env={
            **{k: v for k, v in os.environ.items() if k not in ("MAKEFLAGS", "TORCH")},
            "PATH": f"{checkout / 'tools'}:{os.environ['PATH']}",
            "PIP_NO_INDEX": "1",
            "PIP_FIND_LINKS": "stubs",
        },
        capture_output=True,
        text=True,
        check=False,
    )


def packages(checkout: Path) -> set[str]:
    """What is in the environment, as `name-version`, beside ptnl and what Python puts there."""
    found = {path.stem for path in checkout.glob(".venv/lib/python*/site-packages/*.dist-info")}
    return {name for name in found if not name.startswith(("pip-", "setuptools-", "ptnl"))}


def test_another_torch_makes_the_environment_anew_and_no_word_keeps_it(checkout):
    for package in CPU:
        stub_wheel(checkout / "stubs", package)
    made = make_environment(checkout, "TORCH=cpu")
    assert made.returncode == 0, made.stderr
    assert "installing 3 pinned packages (2 GB)" in made.stdout
    assert packages(checkout) == CPU

    kept = make_environment(checkout)
    assert "is up to date" in kept.stdout
    assert "is up to date" in make_environment(checkout, "TORCH=cpu").stdout

    anew = make_environment(checkout, "TORCH=cuda")
    assert anew.returncode == 0, anew.stderr
    assert "installing 5 pinned packages (6 GB with CUDA)" in anew.stdout
    assert packages(checkout) == CUDA
    assert "is up to date" in make_environment(checkout).stdout


def test_where_pip_finds_no_build_for_the_cpu_one_sentence_says_what_to_tell_it(checkout):
    made = make_environment(checkout, "TORCH=cpu")
    assert made.returncode != 0
    assert "No matching distribution found for torch==2.15.0+cpu" in made.stderr
    assert "PIP_EXTRA_INDEX_URL=ADDRESS make .venv/.ready TORCH=cpu" in made.stderr
    assert not {name for name in packages(checkout) if name.startswith("torch")}
    assert not (checkout / ".venv/.ready").exists()


def test_pypi_itself_has_builds_for_the_cpu_of_other_processors(checkout):
    """And Python's own virtual environments, which have pip installed, do."""
    machine(checkout, "aarch64")
    made = make_environment(checkout, "TORCH=cpu", python=sys.executable)
    assert made.returncode == 0, made.stderr
    assert packages(checkout) == {"torch-2.15.0", "torchvision-0.29.2", "tqdm-4.70.1"}


def test_torch_is_cpu_or_cuda(checkout):
    made = make_environment(checkout, "TORCH=2.15")
    assert made.returncode != 0
    assert "TORCH=2.15: it is cpu or cuda" in made.stderr
    assert not (checkout / ".venv").exists()
