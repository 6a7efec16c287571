"""Write the whole config of a study, with defaults and protocol, as its jobs used it."""

import json
from collections.abc import Sequence
from pathlib import Path

import yaml

from ptnl.cli.entry import parser, start
from ptnl.io import write_text


def main(argv: Sequence[str] | None = None) -> None:
    arguments = parser(__doc__)
    arguments.add_argument("--config", type=json.loads, required=True, help="JSON")
    arguments.add_argument("--out", type=Path, required=True, help="YAML")
    args = arguments.parse_args(argv)

    write_text(yaml.safe_dump(args.config, sort_keys=False, allow_unicode=True), args.out)


if __name__ == "__main__":
    start(main)
