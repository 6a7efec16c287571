"""The registry of data sets: an entry each, and a module for each way to get one.

The Snakefile uses it, so importing it does not import the modules of data sets.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ptnl.errors import InputError, did_you_mean, unknown


@dataclass(frozen=True)
class Dataset:
    """What a study needs to know about a data set before it is fetched."""

    title: str  # in tables and figures
    template: str  # hand-crafted prompt; {} is the class name
    module: str  # below `ptnl.data`; offers `download` and `index` (see `ptnl.data.class_folders`)
    assets: tuple[str, ...] = ()  # shipped files that hold it
    flips: bool = True  # whether a mirrored image keeps its label
    classes: int | None = None  # None, here and for sizes, if not known
    sizes: tuple[int, int, int] | None = None  # images of train, val and test
    options: tuple[str, ...] = ()  # keys that `dataset_options` may have for it


@dataclass(frozen=True)
class Size:
    """How many classes and images a data set has."""

    classes: int
    images: Mapping[str, int]  # by split: train, val, test

    @property
    def whole(self) -> int:
        """Images of all splits together."""
        return sum(self.images.values())


SPLITS = ("splits", "source", "sizes")  # for data sets with a split that CoOp published

# The shipped ones, then the paper's in the order of its Tables 3 and 5. Their templates and the
# sizes of their splits are CoOp's.
DATASETS = {
    "icons": Dataset(
        "Icons",
        "an icon of a {}.",
        "embedded",
        ("icons.parquet",),
        classes=24,
        sizes=(676, 162, 894),
    ),
    "symbols": Dataset(
        "Symbols",
        "the symbol for {}.",
        "embedded",
        ("symbols.parquet",),
        flips=False,
        classes=20,
        sizes=(656, 152, 651),
    ),
    "imagenet": Dataset(
        "ImageNet",
        "a photo of a {}.",
        "imagenet",
        classes=1000,
        sizes=(1_281_167, 0, 50_000),
        options=("source", "sizes"),
    ),
    "caltech101": Dataset(
        "Caltech101",
        "a photo of a {}.",
        "class_folders",
        classes=100,
        sizes=(4128, 1649, 2465),
        options=SPLITS,
    ),
    "oxford_pets": Dataset(
        "OxfordPets",
        "a photo of a {}, a type of pet.",
        "oxford_pets",
        classes=37,
        sizes=(2944, 736, 3669),
        options=SPLITS,
    ),
    "flowers102": Dataset(
        "Flowers102",
        "a photo of a {}, a type of flower.",
        "flowers102",
        classes=102,
        sizes=(4093, 1633, 2463),
        options=SPLITS,
    ),
    "food101": Dataset(
        "Food101",
        "a photo of {}, a type of food.",
        "class_folders",
        classes=101,
        sizes=(50_500, 20_200, 30_300),
        options=SPLITS,
    ),
    "fgvc_aircraft": Dataset(
        "FGVCAircraft",
        "a photo of a {}, a type of aircraft.",
        "fgvc_aircraft",
        classes=100,
        sizes=(3334, 3333, 3333),
        options=("source", "sizes"),
    ),
    "dtd": Dataset(
        "DTD", "{} texture.", "class_folders", classes=47, sizes=(2820, 1128, 1692), options=SPLITS
    ),
    "ucf101": Dataset(
        "UCF101",
        "a photo of a person doing {}.",
        "ucf101",
        classes=101,
        sizes=(7639, 1898, 3783),
        options=(*SPLITS, "frames"),
    ),
}

# The user's own data sets: the option that names them -> module, and further options.
OWN = {
    "folder": ("own_folder", ("folder", "names", "template", "flips", "sizes")),
    "manifest": ("own_manifest", ("manifest", "images", "template", "flips", "sizes")),
}


def own_dataset(name: str, options: Mapping[str, Any]) -> Dataset:
    """A user's data set, from its `dataset_options`; `InputError` if these are wrong."""
    key = f"config: dataset_options.{name}"
    given = [kind for kind in OWN if kind in options]
    if len(given) > 1:
        raise InputError(f"{key}: has both a folder and a manifest; give only one")
    module, allowed = OWN[given[0]]
    _only(name, options, allowed)
    template = options.get("template")
    if template is None:
        raise InputError(
            f"{key}.template: missing; it is the hand-crafted prompt, with {{}} for the class "
            "name, such as 'a photo of a {}.'"
        )
    if template.count("{}") != 1 or set("{}") & set(template.replace("{}", "")):
        raise InputError(f"{key}.template: {template!r} has to hold {{}} once, and no other brace")
    return Dataset(
        title_of(name), template, module, flips=options.get("flips", True), options=allowed
    )


def dataset_of(name: str, options: Mapping[str, Any]) -> Dataset:
    """The data set of a name, from the registry or the user; `InputError` if there is none."""
    if name in DATASETS:
        _only(name, options, DATASETS[name].options)
        return DATASETS[name]
    if any(kind in options for kind in OWN):
        return own_dataset(name, options)
    raise InputError(
        f"config: datasets: {unknown(name, DATASETS)}, or give your own: "
        f"dataset_options.{name}.folder or .manifest"
    )


def datasets_of(config: Mapping[str, Any]) -> dict[str, Dataset]:
    """Name -> data set, for all that a study can name: the registry's and the user's own."""
    named = [*DATASETS, *config["datasets"], *config.get("dataset_options", {})]
    return {name: dataset_of(name, options_of(config, name)) for name in dict.fromkeys(named)}


def options_of(config: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """The `dataset_options` of a data set in the config."""
    options: Mapping[str, Any] = config.get("dataset_options", {}).get(name, {})
    return options


def title_of(name: str) -> str:
    """The title of a data set in tables and figures."""
    return DATASETS[name].title if name in DATASETS else name.replace("_", " ").capitalize()


def in_order(names: Iterable[str]) -> list[str]:
    """Data sets in the order of tables: as in the registry, then others by name."""
    names = set(names)
    return [name for name in DATASETS if name in names] + sorted(names - DATASETS.keys())


def user_folder(name: str, options: Mapping[str, Any]) -> str:
    """The user's folder in which the images of a data set stay; empty if ptnl unpacks them.

    ImageNet is an exception: its parts may be laid out in several ways, so its folder is not
    used as it is.
    """
    folders = ("folder", "images") if name == "imagenet" else ("folder", "images", "source")
    return next((options[key] for key in folders if key in options), "")


# Options that decide which images a data set has, and their defaults.
OF_IMAGES = {"splits": "coop", "frames": "published", "source": "", "folder": "", "images": ""}


def image_options(options: Mapping[str, Any]) -> dict[str, Any]:
    """The options that decide which images a data set has, without those that have defaults."""
    return {k: options[k] for k, usual in OF_IMAGES.items() if options.get(k, usual) != usual}


def expected_sizes(dataset: Dataset, options: Mapping[str, Any]) -> dict[str, int] | None:
    """Split -> number of images that indexing must find; None if that is not known."""
    official = dataset.sizes and dict(zip(("train", "val", "test"), dataset.sizes, strict=True))
    sizes: dict[str, int] | None = options.get("sizes", official)
    return sizes


def splits_of(dataset: Dataset, options: Mapping[str, Any]) -> str:
    """Which splits are used: coop (published), native (by CoOp's rule), or own (the data set's)."""
    return options.get("splits", "coop") if "splits" in dataset.options else "own"


def _only(name: str, options: Mapping[str, Any], allowed: tuple[str, ...]) -> None:
    for option in options:
        if option not in allowed:
            takes = f"it takes {', '.join(allowed)}" if allowed else "it takes none"
            raise InputError(
                f"config: dataset_options.{name}.{option}: not an option of {name}"
                f"{did_you_mean(option, allowed)}; {takes}"
            )
