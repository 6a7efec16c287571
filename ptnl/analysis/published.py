"""The paper's Tables 1 to 9 as printed: every number, with its inconsistencies kept and noted.

Inconsistent are, and `note` says so at each of the cells:

- prompt tuning (RN50) on Flowers102 at 0, 12.5 and 25 %: Table 3 prints other means than Tables 6
  and 7;
- at 50 %, the same standard deviation twice in one column: OxfordPets and Caltech101, and both
  methods on DTD (Tables 4 and 9);
- sentences that the tables do not bear out: in Table 1 prompt tuning is not best on clean DTD and
  UCF101; in Table 2 it is best on clean DTD and UCF101 too; in Table 5 not every method improves
  on zero-shot; in Table 9 confusion noise is not the harder one on Caltech101, and under random
  noise the linear probe is above prompt tuning on FGVCAircraft.

`noise` and `rate` say which wrong labels were put in: none in Tables 5 and 8, whose methods make
labels of their own or use none. The paper's random noise is our `symmetric`.
"""

from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.csv

from ptnl.errors import InputError
from ptnl.io import arrow_schema
from ptnl.schemas import Schema

FILE = Path(__file__).parent / "paper" / "published.csv"

# One row per cell of a table, in the order of the paper.
PUBLISHED: Schema = {
    "table": "int64",
    "dataset": "string",
    "method": "string",
    "noise": "string",
    "rate": "double",  # percent of wrong labels put in
    "backbone": "string",
    "mean": "double",  # top-1 accuracy, percent
    "sd": "double",  # NaN where the table prints none
    "note": "string",  # empty, or in what the cell is inconsistent
}

# The same of later work, which ran under a protocol of its own.
LATER_FILE = FILE.with_name("later.csv")
PUBLISHED_LATER: Schema = {
    **PUBLISHED,
    "protocol": "string",  # name of a preset (`ptnl.study.protocols`)
    "source": "string",  # paper and table, with its address
}

CELL = ["dataset", "backbone", "method", "noise", "rate"]


def published_under(protocol: str) -> pd.DataFrame:
    """What later work printed under a protocol; see `PUBLISHED_LATER`."""
    numbers = published(LATER_FILE, PUBLISHED_LATER)
    return numbers[numbers.protocol == protocol]


def published(path: Path = FILE, schema: Schema = PUBLISHED) -> pd.DataFrame:
    """Every printed number (see `PUBLISHED`); `InputError` where the file breaks its schema."""
    types = pa.csv.ConvertOptions(column_types=arrow_schema(schema))
    try:
        table = pa.csv.read_csv(path, convert_options=types)
    except (OSError, pa.ArrowInvalid) as error:
        raise InputError(f"{path}: not the paper's numbers ({error})") from error
    if table.schema != arrow_schema(schema):
        raise InputError(f"{path}: columns {table.column_names} instead of {list(schema)}")
    empty = [name for name in schema if table[name].null_count and name != "sd"]
    if empty:
        raise InputError(f"{path}: empty values in {empty}")
    return table.to_pandas()


def beside(rows: pd.DataFrame, numbers: pd.DataFrame, table: int) -> pd.DataFrame:
    """`rows` with what the paper prints in `table` for the same cell.

    Parameters
    ----------
    rows : frame with the columns `dataset`, `backbone`, `method`, `noise`, `rate`
    numbers : the frame of `published`
    table : the paper's number of the table

    Returns
    -------
    The same rows in the same order, with `published_mean` and `published_sd` (percent): NaN where
    the table does not print the cell.
    """
    printed = numbers.loc[numbers.table == table, [*CELL, "mean", "sd"]]
    printed = printed.rename(columns={"mean": "published_mean", "sd": "published_sd"})
    return rows.merge(printed, on=CELL, how="left", validate="many_to_one")
