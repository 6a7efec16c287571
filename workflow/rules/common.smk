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


def run_folders(wildcards, output):
    """The folders of a sweep's runs, in the order of its shots."""
    return folders_of(output.metrics)


def run_file(file, runs):
    """One file of each of some runs of the study."""
    return [f"<results>/runs/{run.path}/{file}" for run in runs]


def run_files(runs):
    """Every file of some runs of the study: a lost one is missed even where its table is there."""
    return [
        f"<results>/runs/{run.path}/{file}"
        for run in runs
        for file in (RUN_FILES if METHODS[run.method].is_trained else ZERO_SHOT_FILES)
    ]


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
