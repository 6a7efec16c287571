"""Tabulate what a study has cost: jobs, hours, memory and devices by stage and method."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import yaml

from ptnl.analysis.cost import cost_table, markdown
from ptnl.cli.entry import add_statement, parser, start
from ptnl.io import read_parquet, write_text
from ptnl.schemas import RUNS
from ptnl.study.job_records import read_records
from ptnl.study.operation_counts import encodings_a_step


def main(argv: Sequence[str] | None = None) -> None:
    arguments = parser(__doc__)
    arguments.add_argument("--runs", type=Path, required=True, help="run table (Parquet)")
    arguments.add_argument(
        "--records",
        type=Path,
        required=True,
        help="folder of logs and job records, with one folder per stage",
    )
    arguments.add_argument(
        "--config", type=Path, required=True, help="the study's whole config (YAML)"
    )
    add_statement(arguments)
    args = arguments.parse_args(argv)

    recorded = pd.DataFrame(
        [
            (Path(name).parts[0], job.seconds, job.memory_gib)
            for name, job in read_records(args.records).items()
        ],
        columns=["stage", "seconds", "memory_gib"],
    )
    methods = yaml.safe_load(args.config.read_text())["methods"]
    encodings = {name: encodings_a_step(name, settings) for name, settings in methods.items()}
    table = cost_table(read_parquet(args.runs, RUNS), recorded, encodings)
    write_text(table.to_csv(index=False), args.csv)
    write_text(markdown(table, args.study), args.markdown)


if __name__ == "__main__":
    start(main)
