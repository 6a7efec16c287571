# Functions that the rules share. What a study consists of is `ptnl.grid`'s to say.


def validate_config():
    """Fill in defaults, apply the protocol; stop with one sentence where the config is wrong."""
    folder = Path(workflow.basedir) / "workflow"
    schema = yaml.safe_load((folder / "schemas/config.schema.yaml").read_text())
    presets = {
        file.stem: yaml.safe_load(file.read_text()) for file in folder.glob("protocols/*.yaml")
    }
    explicit = workflow.config_settings.overwrite_config
    try:
        check_config(config, schema)
        config.update(with_defaults(config, schema))
        preset = protocol_of(config, presets)
        config.update(apply_protocol(config, preset, explicit, hyper_parameters(schema)))
        check_config(config, schema)
    except InputError as error:
        raise WorkflowError(error) from None


def code(*modules):
    """The modules that decide a rule's numbers, as named inputs: an edit reruns the rule.

    Named one by one, so that `--consider-ancient RULE=ptnl_losses` can spare a cosmetic edit.
    """
    return {name.replace(".", "_"): f"{name.replace('.', '/')}.py" for name in modules}


# The modules of the fast text tower.
TEXT_TOWER = [
    f"ptnl.text.{name}" for name in ("encoder", "packing", "prompts", "tokenizer", "tower")
]


def doubled(amount):
    """An amount of a resource that doubles whenever a job is tried again, lest it ran out of it."""

    def of_attempt(wildcards, attempt):
        return amount * 2 ** (attempt - 1)

    return of_attempt


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


def image_encoder_assets(wildcards):
    """The shipped files of a backbone's image encoder; none where timm fetches it."""
    source = IMAGE_ENCODERS[BACKBONES[wildcards.backbone].image_encoder]
    return [f"ptnl/assets/{name}" for name in (source.config, source.weights) if name]


def template(wildcards):
    """The hand-crafted prompt of a data set."""
    return DATASETS[wildcards.dataset].template


def folders_of(metrics):
    """The folders of runs, in the order of their metrics files."""
    return [str(Path(path).parent) for path in metrics]


def pseudolabels_for_noise(noise):
    """The primary backbone's zero-shot predictions, where a kind of noise follows them."""
    if not NOISES[noise].needs_pseudolabels:
        return []
    return f"<results>/pseudolabels/{{dataset}}/{config['primary_backbone']}.parquet"


def labelled_shots(noise):
    """The draws that a kind of noise or of pseudo-labels gives to training."""
    if noise in PSEUDO_LABELS:
        return "<results>/pseudoshots/{dataset}/{backbone}/{noise}/seed-{seed}.parquet"
    return "<results>/noise/{dataset}/{noise}/fp-{fp}/seed-{seed}.parquet"


def draws_of_images(wildcards):
    """The draws of a seed that hold other images than its few-shot draw."""
    seed = f"seed-{wildcards.seed}.parquet"
    imported = [
        f"<results>/noise/{wildcards.dataset}/{noise}/fp-{fp}/{seed}"
        for noise, options in config["noise"].items()
        if NOISES[noise].draws_images
        for fp in options["fps"]
    ]
    pseudo = [
        f"<results>/pseudoshots/{wildcards.dataset}/{wildcards.backbone}/{noise}/{seed}"
        for noise in PSEUDO_LABELS
        if noise in grid.kinds_of_labels(config)
    ]
    return imported + pseudo


def views_of(extension):
    """Input function: a job's augmented views, for methods that are trained by epochs."""

    def files(wildcards):
        if not config["views"] or "epochs" not in config["methods"][wildcards.method]:
            return []
        folder = f"<results>/views/{wildcards.dataset}/{wildcards.backbone}"
        seeds = config["seeds"] if config["fuse"] else [wildcards.seed]
        return [f"{folder}/seed-{seed}.{extension}" for seed in seeds]

    return files


def runs_of_job(fps):
    """The rates and seeds of a job's runs: all of a sweep, or the one that its path names."""
    if config["fuse"]:
        return {"fp": fps, "seed": config["seeds"]}
    return {"fp": "{fp}", "seed": "{seed}"}


def job_name(noise):
    """What tells the jobs of a method apart, in the paths of their logs."""
    return noise if config["fuse"] else f"{noise}/fp-{{fp}}/seed-{{seed}}"


def run_outputs(method, noise, fps):
    """The files of a job's runs, by kind."""
    folder = f"<results>/runs/{{dataset}}/{{backbone}}/{method}/{noise}/fp-{{fp}}/seed-{{seed}}"
    return {
        Path(file).stem: expand(f"{folder}/{file}", **runs_of_job(fps), allow_missing=True)
        for file in reversed(RUN_FILES)  # Snakemake asks for metrics.json most often
    }


def run_folders(wildcards, output):
    """The folders of a sweep's runs, in the order of its shots."""
    return folders_of(output.metrics)


def run_file(file, runs):
    """One file of each of some runs of the study."""
    return [f"<results>/runs/{run.path}/{file}" for run in runs]


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


def random_prompt_files(file):
    """A file of every (data set, backbone) at which the study tries random prompts."""
    return [
        f"<results>/random_prompts/{dataset}/{backbone}/{file}"
        for dataset, backbone in grid.random_prompts(config)
    ]


def table_numbers(wildcards):
    """What a table shows beside the summary."""
    methods = layouts.TABLES[int(wildcards.number)].methods
    numbers = {"summary": "<results>/summary.parquet"}
    if any(METHODS[method].labels in PSEUDO_LABELS for method in methods):
        numbers["ensembles"] = "<results>/ensembles.parquet"
    if grid.RANDOM_PROMPT in methods:
        numbers["random_prompts"] = random_prompt_files("accuracy.parquet")
    return numbers


def table_options(wildcards, input):
    """The options of `make_table` for what `table_numbers` gives."""
    options = f"--summary {input.summary}"
    if "ensembles" in input.keys():
        options += f" --ensembles {input.ensembles}"
    if "random_prompts" in input.keys():
        options += f" --random-prompts {input.random_prompts}"
    return options


def figure_numbers(wildcards):
    """What a figure shows."""
    return {
        "accuracy": "<results>/summary.parquet",
        "gradients": "<results>/gradients.parquet",
        "confusion": random_prompt_files("confusion.parquet"),
    }[layouts.FIGURES[int(wildcards.number)].kind]


def figure_code(wildcards):
    """The module that draws a figure."""
    return f"ptnl/figures/{layouts.FIGURES[int(wildcards.number)].kind}.py"
