"""Tables of images and classes, as pandas, Excel, Spark and others write them."""

import gzip
import json
from collections.abc import Callable, Sequence
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from tests.inputs.folders import TEMPLATE, has
from tests.inputs.indexing import Indexed
from tests.inputs.rows import Row, classes, png, read, refused, write

CLASSES = ("cat", "dog")
NAMES = [f"{name}/{i}.png" for name in CLASSES for i in range(4)]
OF = [name.split("/")[0] for name in NAMES]
FRAME = pd.DataFrame({"image": NAMES, "class_name": OF})
SIZES = {"train": 4, "val": 2, "test": 2}
RIGHT = has(names=["cat", "dog"], sizes=SIZES)


def table(name: str, fill: Callable[[Path], object], images: bool = True) -> Callable[[Path], dict]:
    """The options of a data set: a table that `fill` writes, and its images."""

    def made(place: Path) -> dict:
        classes(place / "own", *CLASSES)
        fill(place / name)
        options = {"manifest": str(place / name), "template": TEMPLATE}
        return options | ({"images": str(place / "own")} if images else {})

    return made


def text(content: str | bytes, name: str = "table.csv") -> Callable[[Path], dict]:
    return table(name, lambda path: write(path, content))


def lines(header: str, row: Callable[[str, str], str], end: str = "\n") -> str:
    """A CSV with one row for each image, made of its name and its class."""
    return header + end + "".join(row(n, c) + end for n, c in zip(NAMES, OF, strict=True))


PLAIN = lines("image,class_name", lambda n, c: f"{n},{c}")


def frame(write_frame: Callable[[pd.DataFrame, Path], object], name: str = "table.csv", **columns):
    """A table that `write_frame` writes with pandas."""
    return table(name, lambda path: write_frame(FRAME.assign(**columns), path))


def parquet(data: dict, metadata: dict | None = None, images: bool = True):
    """A Parquet file that Arrow writes."""

    def fill(path: Path) -> None:
        pq.write_table(pa.table(data).replace_schema_metadata(metadata), path)

    return table("table.parquet", fill, images)


BYTES = [png(number) for number in range(8)]
STRUCTS = pa.array([{"bytes": data, "path": f"{i}.jpg"} for i, data in enumerate(BYTES)])
HUGGING_FACE = {
    "huggingface": json.dumps(
        {"info": {"features": {"label": {"names": ["dog", "cat"], "_type": "ClassLabel"}}}}
    )
}


def unpacked(found: Indexed) -> None:
    """The images of the manifest hold the bytes of the table, row by row."""
    RIGHT(found)
    by_name = found.manifest.sort_values("image").image
    assert [(found.images / name).read_bytes() for name in by_name] == BYTES


def spark(suffix: str, write_part: Callable[[pd.DataFrame, Path], object]) -> Callable:
    def fill(folder: Path) -> None:
        folder.mkdir()
        for number, part in enumerate((FRAME[:5], FRAME[5:])):
            write_part(part, folder / f"part-{number:05d}-c000{suffix}")
            write(folder / f".part-{number:05d}-c000{suffix}.crc", b"crc")
        write(folder / "_SUCCESS", b"")

    return table("table", fill)


def with_labels(labels: Sequence, **options) -> Callable[[Path], dict]:
    return parquet({"image": NAMES, "label": labels}, **options)


def absolute(place: Path) -> dict:
    options = table("table.csv", lambda path: None)(place)
    rows = [f"{place}/own/{n},{c}" for n, c in zip(NAMES, OF, strict=True)]
    write(place / "table.csv", "image,class_name\n" + "\n".join(rows))
    return options


def split_words(words: Sequence[str]) -> str:
    rows = [f"{n},{c},{words[i % 4]}" for i, (n, c) in enumerate(zip(NAMES, OF, strict=True))]
    return "image,class_name,split\n" + "\n".join(rows) + "\n"


NUMBERS = [0] * 4 + [1] * 4

ROWS: list[Row] = [
    read("a plain CSV", text(PLAIN), "read", RIGHT),
    *(
        read(
            f"cells separated by {what}",
            text(lines(f"image{sign}class_name", lambda n, c, sign=sign: f"{n}{sign}{c}")),
            "read",
            RIGHT,
        )
        for what, sign in (("semicolons", ";"), ("tabs", "\t"), ("bars", "|"))
    ),
    read("Excel's line `sep=;`", text("sep=;\r\n" + PLAIN.replace(",", ";")), "read", RIGHT),
    read("a byte order mark", text(b"\xef\xbb\xbf" + PLAIN.encode()), "read", RIGHT),
    read(
        "UTF-16, as Excel's Unicode text",
        text(PLAIN.replace(",", "\t").encode("utf-16")),
        "read",
        RIGHT,
    ),
    read("lines that end as on Windows", text(PLAIN.replace("\n", "\r\n")), "read", RIGHT),
    read("lines that end as on old Macs", text(PLAIN.replace("\n", "\r")), "read", RIGHT),
    read("no line end after the last row", text(PLAIN.rstrip()), "read", RIGHT),
    read(
        "empty lines, and rows that were emptied",
        text(PLAIN.replace("dog/0", "\n,\ndog/0")),
        "skipped",
        RIGHT,
    ),
    read(
        "a column of row numbers, as pandas writes it",
        frame(lambda f, p: f.to_csv(p)),
        "skipped",
        RIGHT,
    ),
    read(
        "row names without a header, as R writes them",
        text(
            "image,class_name\n"
            + "".join(f"{i},{n},{c}\n" for i, (n, c) in enumerate(zip(NAMES, OF, strict=True)))
        ),
        "skipped",
        RIGHT,
    ),
    read("an index of images", frame(lambda f, p: f.set_index("image").to_csv(p)), "read", RIGHT),
    read(
        "a separator at the end of every row",
        text(lines("image,class_name", lambda n, c: f"{n},{c},")),
        "skipped",
        RIGHT,
    ),
    read(
        "other columns",
        frame(lambda f, p: f.to_csv(p, index=False), width=4, note='a "b", c'),
        "skipped",
        RIGHT,
    ),
    read(
        "quotes around every cell",
        text(lines('"image","class_name"', lambda n, c: f'"{n}","{c}"')),
        "read",
        RIGHT,
    ),
    read(
        "blanks around names and cells",
        text(lines(" image , class_name ", lambda n, c: f" {n} ,  {c} ")),
        "read without the blanks",
        RIGHT,
    ),
    read(
        "blanks before quotes",
        text(lines("image, class_name", lambda n, c: f'{n}, "{c}"')),
        "read without the blanks",
        RIGHT,
    ),
    read(
        "a header in capitals",
        text(PLAIN.replace("image,class_name", "Image,CLASS_NAME")),
        "read",
        RIGHT,
    ),
    read(
        "a line break inside quotes",
        text(lines("image,note,class_name", lambda n, c: f'{n},"a\nb",{c}')),
        "read",
        RIGHT,
    ),
    read(
        "names with separators and quotes",
        text(lines("image,class_name", lambda n, c: f'{n},"big, ""{c}"""')),
        "read",
        has(names=['big, "cat"', 'big, "dog"']),
    ),
    read(
        "a column file_name, as Hugging Face's folders have",
        text(PLAIN.replace("image,", "file_name,")),
        "read as image",
        RIGHT,
    ),
    read(
        "a CSV packed by gzip", text(gzip.compress(PLAIN.encode()), "table.csv.gz"), "read", RIGHT
    ),
    read(
        "names such as None, NA and 007",
        text(lines("image,label", lambda n, c: f"{n},{'None' if c == 'cat' else '007'}")),
        "read as names, not as gaps",
        has(names=["007", "None"]),
    ),
    read(
        "labels 0 and 1 without names",
        text(lines("image,label", lambda n, c: f"{n},{CLASSES.index(c)}")),
        "read as names, with a note that these carry no words",
        has(names=["0", "1"], said="class names such as 0, 1 carry no words"),
    ),
    read(
        "labels 0.0 and 1.0, as pandas writes them after a gap",
        text(lines("image,label", lambda n, c: f"{n},{CLASSES.index(c)}.0")),
        "read as 0 and 1",
        has(names=["0", "1"]),
    ),
    read(
        "labels 2 and 10",
        text(lines("image,label", lambda n, c: f"{n},{2 if c == 'cat' else 10}")),
        "read in numeric order",
        has(names=["2", "10"]),
    ),
    read(
        "labels beside class names",
        text(lines("image,label,class_name", lambda n, c: f"{n},{1 - CLASSES.index(c)},{c}")),
        "read with these labels",
        has(names=["dog", "cat"]),
    ),
    read(
        "paths that begin with `./` or take detours",
        text(PLAIN.replace("cat/", "./cat/").replace("dog/", "cat/../dog//")),
        "read as the same images",
        RIGHT,
    ),
    read("paths with Windows' backslashes", text(PLAIN.replace("/", "\\")), "read", RIGHT),
    read("absolute paths below the folder", absolute, "read", RIGHT),
    *(
        read(
            f"splits called {', '.join(words)}",
            text(split_words(words)),
            "the given splits",
            has(sizes={"train": 4, "val": 2, "test": 2}),
        )
        for words in (
            ("train", "train", "val", "test"),
            ("Train", "TRAIN", "valid", "Test"),
            ("training", "training", "validation", "testing"),
        )
    ),
    read("Parquet by pandas", frame(lambda f, p: f.to_parquet(p), "table.parquet"), "read", RIGHT),
    read(
        "Parquet with an index of images",
        frame(lambda f, p: f.set_index("image").to_parquet(p), "table.parquet"),
        "read",
        RIGHT,
    ),
    read(
        "categorical columns",
        frame(lambda f, p: f.astype("category").to_parquet(p), "table.parquet"),
        "read",
        RIGHT,
    ),
    read("whole numbers as labels", with_labels(NUMBERS), "read", has(names=["0", "1"])),
    read(
        "fractions 0.0 and 1.0 as labels",
        with_labels([float(n) for n in NUMBERS]),
        "read as 0 and 1",
        has(names=["0", "1"]),
    ),
    read(
        "true and false as labels",
        with_labels([bool(n) for n in NUMBERS]),
        "read as names",
        has(names=["False", "True"]),
    ),
    read(
        "Hugging Face's labels, whose names the file knows",
        with_labels(NUMBERS, metadata=HUGGING_FACE),
        "read with those names",
        has(names=["cat", "dog"]),
    ),
    read(
        "Hugging Face's image column, bytes and path",
        parquet({"image": STRUCTS, "class_name": OF}, images=False),
        "unpacked to files",
        unpacked,
    ),
    read(
        "a column of image bytes",
        parquet({"image": pa.array(BYTES, pa.binary()), "class_name": OF}, images=False),
        "unpacked to files",
        unpacked,
    ),
    read(
        "classes stored as bytes, as Spark may do",
        parquet({"image": NAMES, "class_name": pa.array([c.encode() for c in OF])}),
        "read as text",
        RIGHT,
    ),
    refused(
        "paths stored as bytes",
        parquet({"image": pa.array([n.encode() for n in NAMES]), "class_name": OF}, images=False),
        "row 1: image is neither a path nor the bytes of an image",
    ),
    read(
        "a folder of Parquet parts, as Spark writes",
        spark(".snappy.parquet", lambda f, p: f.to_parquet(p, index=False)),
        "one table",
        RIGHT,
    ),
    read(
        "a folder of CSV parts, as Spark writes",
        spark(".csv", lambda f, p: f.to_csv(p, index=False)),
        "one table",
        RIGHT,
    ),
    read(
        "a Parquet file that is called .csv",
        table("table.csv", lambda p: FRAME.to_parquet(p)),
        "read by its content",
        RIGHT,
    ),
    refused(
        "image bytes and a folder for paths",
        parquet({"image": STRUCTS, "class_name": OF}),
        "holds the images themselves; leave out dataset_options.mine.images",
    ),
    refused(
        "an image column without bytes",
        parquet(
            {
                "image": pa.array(
                    [{"bytes": None, "path": n} for n in NAMES],
                    pa.struct({"bytes": pa.binary(), "path": pa.string()}),
                ),
                "class_name": OF,
            },
            images=False,
        ),
        "row 1: image is neither a path nor the bytes of an image",
    ),
    refused(
        "paths without a folder",
        table("table.csv", lambda p: write(p, PLAIN), images=False),
        "dataset_options.mine.images: missing; give the folder that contains the images",
    ),
    refused(
        "image bytes in a CSV",
        text(lines("image,class_name", lambda n, c: f"\"{{'bytes': b'x'}}\",{c}")),
        "row 1: image holds an image's bytes as text",
    ),
    refused(
        "a label outside Hugging Face's names",
        with_labels([0] * 7 + [5], metadata=HUGGING_FACE),
        "row 8: label 5 is none of the 2 classes that the file names",
    ),
    refused(
        "lists as labels", with_labels([[n] for n in NUMBERS]), "label is neither text nor a number"
    ),
    refused(
        "a gap in Parquet", with_labels([*NUMBERS[:7], None]), "row 8 has an empty cell in label"
    ),
    refused(
        "an empty cell",
        text(PLAIN.replace("cat/3.png,cat", "cat/3.png,")),
        "row 4 has an empty cell in class_name",
    ),
    refused(
        "a row with too many cells",
        text(PLAIN.replace("cat/3.png,cat", "cat/3.png,cat,dog")),
        "row 4 has 3 cells, but the header 2",
    ),
    refused(
        "a row with too few cells",
        text(PLAIN.replace("cat/3.png,cat", "cat/3.png")),
        "row 4 has 1 cells, but the header 2",
    ),
    refused(
        "a quote that is not closed",
        text(PLAIN.replace("cat/3.png", '"cat/3.png')),
        "not readable as CSV (unexpected end of data)",
    ),
    refused(
        "no column of images",
        text(PLAIN.replace("image,", "picture,")),
        "needs the columns image and label or class_name",
    ),
    refused(
        "no column of classes",
        text(PLAIN.replace("class_name", "kind")),
        "needs the columns image and label or class_name",
    ),
    refused(
        "two columns of images",
        text(lines("image,Image,class_name", lambda n, c: f"{n},{n},{c}")),
        "the columns 'image' and 'Image' are both read as image",
    ),
    refused("a header alone", text("image,class_name\n"), "has no rows"),
    refused("an empty table", text(""), "needs the columns image"),
    refused(
        "no such table",
        table("table.csv", lambda p: None),
        "table.csv: not readable as CSV or Parquet",
    ),
    refused(
        "an empty folder as a table",
        table("table", lambda p: p.mkdir()),
        "holds no parts of a table",
    ),
    refused(
        "an Excel workbook",
        text(b"PK\x03\x04rest", "table.xlsx"),
        "is an Excel workbook or another zip; save it as CSV (UTF-8)",
    ),
    refused(
        "Excel's CSV in an old encoding",
        text(PLAIN.replace("dog,", "d\xf6g,").replace("dog\n", "d\xf6g\n").encode("latin-1")),
        "is not UTF-8; save it as UTF-8 (in Excel, 'CSV UTF-8')",
    ),
    refused("NUL characters", text(PLAIN.replace("cat/3", "cat/\0")), "holds NUL characters"),
    refused(
        "Parquet that was cut",
        table(
            "table.parquet", lambda p: FRAME.to_parquet(p) or p.write_bytes(p.read_bytes()[:-50])
        ),
        "not readable as Parquet",
    ),
    refused(
        "gzip that was cut",
        text(gzip.compress(PLAIN.encode())[:-20], "table.csv.gz"),
        "not readable as CSV or Parquet",
    ),
    refused(
        "one image in two rows",
        text(PLAIN + "./cat/3.png,cat\n"),
        "rows 4 and 9 are the same image, cat/3.png",
    ),
    refused(
        "a path that climbs out of the folder",
        text(PLAIN.replace("cat/3.png", "../cat/3.png")),
        "row 4: ../cat/3.png lies outside the folder",
    ),
    refused(
        "an absolute path elsewhere",
        text(PLAIN.replace("cat/3.png", "/etc/passwd")),
        "row 4: /etc/passwd lies outside the folder",
    ),
    refused(
        "a URL",
        text(PLAIN.replace("cat/3.png", "https://a.b/3.png")),
        "row 4: https://a.b/3.png is a URL; download the image",
    ),
    refused(
        "an image that is not there",
        text(PLAIN.replace("cat/3.png", "cat/33.png")),
        "cat/33.png: missing",
    ),
    refused(
        "a split with another name",
        text(split_words(["train", "dev", "val", "test"])),
        "row 2: split is 'dev', not one of train, val, test",
    ),
    refused(
        "no image in train",
        text(split_words(["test", "val", "val", "test"])),
        "there are no train images",
    ),
    refused(
        "a class with several labels",
        text(
            PLAIN.replace("image,class_name", "image,label,class_name")
            .replace(".png,", ".png,0,")
            .replace("cat/3.png,0", "cat/3.png,1")
        ),
        "row 4: class 'cat' has several labels, 0 and 1",
    ),
    refused(
        "a label that is a word, beside class names",
        text(lines("image,label,class_name", lambda n, c: f"{n},{c},{c}")),
        "row 1: label 'cat' is no number; beside a class name",
    ),
    refused(
        "labels that do not count from 0",
        text(lines("image,label,class_name", lambda n, c: f"{n},{1 + CLASSES.index(c)},{c}")),
        "labels are 1, 2 instead of 0 to 1",
    ),
    refused(
        "class names that differ only in case",
        text(PLAIN.replace(",dog", ",Cat")),
        "classes 'Cat' and 'cat' have the same name in a prompt",
    ),
]
