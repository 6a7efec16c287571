"""Collect synonyms and tags of the drawings' names from the npm packages into one Parquet file."""

import argparse
import json
import tarfile
from pathlib import Path

import pandas as pd
from render_corpus import read_icon_sets
from words import aliases, categories, emoji_keywords, icon_tags

from ptnl.io import write_parquet

COLUMNS = {"name": "string", "kind": "string", "word": "string"}
READERS = {
    "package/tags.json": icon_tags,  # in lucide-static
    "package/dist/emoji-en-US.json": emoji_keywords,  # in emojilib
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--archive", type=Path, required=True, help="the packed @iconify/json")
    parser.add_argument("--lists", type=Path, nargs="+", required=True, help="packed word lists")
    parser.add_argument("--out", type=Path, required=True, help="words.parquet")
    args = parser.parse_args()

    rows = []
    for icon_set in read_icon_sets(args.archive):
        rows += [(name, "synonym", word) for name, word in aliases(icon_set)]
        rows += [(name, "tag", word) for name, word in categories(icon_set)]
    for path in args.lists:
        with tarfile.open(path) as tar:
            for member in sorted(READERS.keys() & set(tar.getnames())):
                pairs = READERS[member](json.load(tar.extractfile(member)))
                rows += [(name, "tag", word) for name, word in pairs]
    table = pd.DataFrame(rows, columns=list(COLUMNS)).drop_duplicates().sort_values(list(COLUMNS))
    table = table[table.name != table.word]
    print(table.groupby("kind").agg(pairs=("word", "size"), names=("name", "nunique")).to_string())
    write_parquet(table, args.out, COLUMNS)


if __name__ == "__main__":
    main()
