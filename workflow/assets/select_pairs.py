"""Choose the (drawing, name) pairs of pre-training from the icon sets that are not held out."""

import argparse
from pathlib import Path

import pandas as pd
import yaml
from render_corpus import COLUMNS
from selection import held_out_sets

from ptnl.io import write_parquet


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--corpus", type=Path, required=True, help="corpus.parquet")
    parser.add_argument("--config", type=Path, required=True, help="config.yaml of the build")
    parser.add_argument("--out", type=Path, required=True, help="pairs.parquet")
    args = parser.parse_args()
    config = yaml.safe_load(args.config.read_text())

    corpus = pd.read_parquet(args.corpus)
    held_out = held_out_sets(
        corpus, config["families"], config["held_out_names"], config["themed_categories"]
    )
    pairs = corpus[~corpus.icon_set.isin(held_out) & (corpus.variant == 0)]
    print(f"{len(pairs)} pairs of {pairs.name.nunique()} names, {pairs.icon_set.nunique()} sets")
    write_parquet(pairs, args.out, COLUMNS)


if __name__ == "__main__":
    main()
