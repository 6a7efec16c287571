# Functions that the rules share. What a study consists of is `ptnl.grid`'s to say.


def validate_config():
    """Fill in defaults, apply the protocol; stop with one sentence where the config is wrong."""
    folder = Path(workflow.basedir) / "workflow"
    schema_file = folder / "schemas/config.schema.yaml"
    schema = yaml.safe_load(schema_file.read_text())
    presets = {
        file.stem: yaml.safe_load(file.read_text()) for file in folder.glob("protocols/*.yaml")
    }
    explicit = workflow.config_settings.overwrite_config
    try:
        check_config(config, schema)
        validate(config, str(schema_file))
        preset = protocol_of(config, presets)
        config.update(apply_protocol(config, preset, explicit, hyper_parameters(schema)))
        check_config(config, schema)
    except InputError as error:
        raise WorkflowError(error) from None


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


def pseudolabels_for_noise(wildcards):
    """The primary backbone's zero-shot predictions, where a kind of noise follows them."""
    if not NOISES[wildcards.noise].needs_pseudolabels:
        return []
    return f"<results>/pseudolabels/{wildcards.dataset}/{config['primary_backbone']}.parquet"


def run_folders(wildcards, output):
    """The folders of a sweep's runs, in the order of its shots."""
    return [str(Path(metrics).parent) for metrics in output.metrics]


def run_files(runs):
    """Every file of some runs of the study: a lost one is missed even where its table is there."""
    return [
        f"<results>/runs/{run.path}/{file}"
        for run in runs
        for file in (RUN_FILES if METHODS[run.method].is_trained else ZERO_SHOT_FILES)
    ]


def metrics_of(runs):
    """The metrics files of some runs of the study."""
    return [f"<results>/runs/{run.path}/metrics.json" for run in runs]
