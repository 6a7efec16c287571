# Functions that the rules share. What a study consists of is `ptnl.grid`'s to say.


def validate_config():
    """Stop with one sentence where the config is wrong; fill in defaults where it is silent."""
    schema = Path(workflow.basedir) / "workflow/schemas/config.schema.yaml"
    try:
        check_config(config, yaml.safe_load(schema.read_text()))
    except InputError as error:
        raise WorkflowError(error) from None
    validate(config, str(schema))


def code(*modules):
    """The modules that decide a rule's numbers, as named inputs: an edit reruns the rule.

    Named one by one, so that `--consider-ancient RULE=ptnl_text` can spare a cosmetic edit.
    """
    return {name.replace(".", "_"): f"{name.replace('.', '/')}.py" for name in modules}


def settings(wildcards):
    """A method's hyper-parameters as JSON: a change reruns that method and no other."""
    return json.dumps(config["methods"][wildcards.method], sort_keys=True)


def method_code(wildcards):
    """The module that implements a method."""
    return f"ptnl/methods/{METHODS[wildcards.method].module}.py"


def dataset_assets(wildcards):
    """The shipped files that a data set comes from."""
    return [f"ptnl/assets/{name}" for name in DATASETS[wildcards.dataset].assets]


def backbone_assets(wildcards):
    """The shipped files of a backbone: new weights redo what was computed with the old ones."""
    source = BACKBONES[wildcards.backbone]
    return [f"ptnl/assets/{source.config}", f"ptnl/assets/{source.weights}"]


def template(wildcards):
    """The hand-crafted prompt of a data set."""
    return DATASETS[wildcards.dataset].template


def draws_of_images(wildcards):
    """The draws of a seed that hold other images than its few-shot draw."""
    return [
        f"<results>/noise/{wildcards.dataset}/{noise}/fp-{fp}/seed-{wildcards.seed}.parquet"
        for noise, fps in config["noise"].items()
        if noise in DRAW_IMAGES
        for fp in fps
    ]


def views_of(extension):
    """Input function: a job's augmented views, for methods that are trained by epochs."""

    def files(wildcards):
        if not config["views"] or "epochs" not in config["methods"][wildcards.method]:
            return []
        folder = f"<results>/views/{wildcards.dataset}/{wildcards.backbone}"
        seeds = config["seeds"] if config["fuse"] else [wildcards.seed]
        return [f"{folder}/seed-{seed}.{extension}" for seed in seeds]

    return files


def run_folders(wildcards, output):
    """The folders of a sweep's runs, in the order of its shots."""
    return [str(Path(metrics).parent) for metrics in output.metrics]


def metrics_of(runs):
    """The metrics files of some runs of the study."""
    return [f"<results>/runs/{run.path}/metrics.json" for run in runs]


def lost_run_files(wildcards):
    """Files that runs of the study have left and that are gone: asked for, so that they are redone.

    A run writes its metrics last, so asking for them is asking for the run; to ask for all files
    of thousands of runs would double the time that planning takes.
    """
    lost = []
    for run in grid.runs(config):
        files = RUN_FILES if METHODS[run.method].is_trained else ZERO_SHOT_FILES
        paths = [f"<results>/runs/{run.path}/{file}" for file in files]
        there = [exists(workflow.pathvars.apply(path)) for path in paths]
        if any(there):
            lost += [path for path, found in zip(paths, there) if not found]
    return lost
