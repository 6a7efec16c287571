"""Print the protocols side by side: the paper's text, the released code, and your study."""

from collections.abc import Sequence
from pathlib import Path

from ptnl.cli.entry import parser, start
from ptnl.study.config import Rules, read_study
from ptnl.study.protocol_table import protocol_table


def main(argv: Sequence[str] | None = None) -> None:
    arguments = parser(__doc__)
    arguments.add_argument(
        "--configfile",
        type=Path,
        nargs="+",
        default=[],
        help="overlays of config.yaml, as for snakemake",
    )
    args = arguments.parse_args(argv)

    config = read_study(Path(), args.configfile, {})
    print("\n".join(protocol_table(Rules.shipped().protocols, config)))


if __name__ == "__main__":
    start(main)
