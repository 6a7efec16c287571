"""The two files that describe the environment, one for pip and one for conda."""

import re

import yaml


def test_conda_and_pip_install_the_same_packages(root):
    locked = (root / "envs/requirements.lock").read_text().splitlines()
    pins = [line for line in locked if not line.startswith("#")]
    environment = yaml.safe_load((root / "envs/ptnl.yaml").read_text())
    python, pip, listed = environment["dependencies"]
    assert (python, pip) == ("python=3.11", "pip")
    assert listed == {"pip": pins}
    for pin in pins:
        assert re.fullmatch(r'[\w.-]+==[\w.+!-]+( ; sys_platform == "linux")?', pin), pin
