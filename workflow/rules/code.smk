# The code and the shipped files on which the numbers of a rule depend, beside inputs and settings. They
# are parameters of the rule, so that it runs again when they change.


# Published numbers, which tables and verdicts show beside the study's.
PUBLISHED = shipped_file("analysis/paper/published.csv")
LATER = shipped_file("analysis/paper/later.csv")
LOSSES = "ptnl.training.losses.LOSSES"
# A job uses only the entries of these registries that its other parameters name.
TOLD = {
    "ptnl.backbones.registry.BACKBONES": (),
    "ptnl.backbones.registry.IMAGE_ENCODERS": (),
    "ptnl.data.DATASETS": (),
    "ptnl.methods.METHODS": (),
}


def shown():
    """Registry -> the entries that the study has, for commands that show results."""
    return {
        "ptnl.backbones.registry.BACKBONES": known(REGISTERED_BACKBONES, config["backbones"]),
        "ptnl.backbones.registry.IMAGE_ENCODERS": (),
        "ptnl.data.DATASETS": known(REGISTERED_DATASETS, config["datasets"]),
        "ptnl.labels.noise.NOISES": known(NOISES, config["noise"]),
        "ptnl.methods.METHODS": known(METHODS, config["methods"]),
    }


def known(registry, names):
    """The names that are in a registry."""
    return tuple(name for name in names if name in registry)


def code(command, entries=None, by="", reach=None, shows=False):
    """The code on which a rule's numbers depend, as one parameter for each module.

    An edit of this code reruns the rule, and Snakemake names what changed:
    `training.losses: LOSSES[gce] 9933a2f9, ...`.

    command : module of `ptnl.cli`
    entries : registry -> keys of the entries that the jobs of the rule use
    by, reach : a wildcard, and for each of its values what else a job uses: functions that the
        command finds by name, and entries of registries
    shows : whether the command shows results, and so uses titles
    """
    told = (shown() if shows else TOLD) | (entries or {})

    def found(roots=(), more=None):
        return decisive_code(f"ptnl.cli.{command}.main", *roots, entries=told | (more or {}))

    if reach is None:
        return [as_line(module, parts) for module, parts in found().items()]

    def line(module):
        lines = {
            value: as_line(module, found(*used).get(module, {})) for value, used in reach.items()
        }
        # Snakemake calls a function for every job, and most lines are those of all jobs.
        same = len(set(lines.values())) == 1
        return next(iter(lines.values())) if same else lambda wildcards: lines[wildcards[by]]

    return [line(module) for module in sorted({m for used in reach.values() for m in found(*used)})]


def method_code():
    """For `code`: what a job of a method uses."""
    return {
        name: (
            [f"ptnl.methods.{method.module}.tune"],
            {LOSSES: (method.loss,)},
        )
        for name, method in METHODS.items()
        if method.is_trained and method.trains_on == "features"
    }


def selection_code():
    """For `code`: what a job uses that chooses a kind of pseudo-labels."""
    return {kind: ([], {"ptnl.labels.pseudo_labels.SELECTIONS": (kind,)}) for kind in SELECTIONS}


def dataset_code(function, names):
    """For `code`: the function `download` or `index` that a job of a data set uses.

    names : value of the rule's wildcard -> data set
    """
    roots = {
        value: f"ptnl.data.{DATASETS[name].module}.{function}" for value, name in names.items()
    }
    return {value: ([root] if is_defined(root) else [], {}) for value, root in roots.items()}


def layout_code(layout, numbers):
    """For `code`: the layout of a table or figure."""
    return {str(number): ([], {f"ptnl.study.layouts.{layout}": (number,)}) for number in numbers}


def described(wildcards):
    """What a method's entry in the registry says of its training.

    That is all but its title, and which hyper-parameters the config may say: those that it says are
    parameters of their own.
    """
    method = METHODS[wildcards.method]
    return {
        field.name: getattr(method, field.name)
        for field in fields(method)
        if field.name not in ("title", "settings_of", "settings")
        and getattr(method, field.name) != field.default
    }


def shipped_assets(names):
    """Shipped files with their checksums.

    They are parameters and not inputs: otherwise every job would run again in another checkout, where
    their paths and times differ.
    """
    return [shipped_asset(name) for name in names]
