# Functions that the rules share. `ptnl.study.grid` decides what a study consists of.


def checked(said):
    """The study's whole config, made from the user's settings; stop with a sentence if they are wrong."""
    try:
        for file in workflow.overwrite_configfiles:
            if not str(file).endswith(".json"):
                read_yaml(file)  # refuses a key that is there twice
        return study_of(REPOSITORY, said)
    except InputError as error:
        raise WorkflowError(error) from None


def doubled(amount):
    """An amount of a resource that doubles with every attempt, in case the last one was too small."""

    def of_attempt(wildcards, attempt):
        return amount * 2 ** (attempt - 1)

    return of_attempt


# Priority of the jobs that trainings wait for; that of trainings is below.
FIRST = 1


def longest_first(labels, fps, part):
    """The priority of a training, between 0 and 1: the longer it takes, the earlier it starts.

    If a long one started last, it would compute on one core while the others have nothing to do.
    Those on images are first, because convolutions take longer than their operations say.
    """
    runs = len(fps) * (len(part.seeds) if config["fuse"] else 1)

    def of_job(wildcards):
        method = getattr(wildcards, "method", "finetune")
        gflops = training_gflops(config, wildcards.backbone, method, labels, runs)
        on_images = METHODS[method].trains_on == "images"
        return (on_images + gflops / (1 + gflops)) / 2

    return of_job


def method_options(wildcards):
    """The hyper-parameters and prompt of a method; a change reruns only this method."""
    settings = as_json(config["methods"][wildcards.method])
    return ["--settings", settings, "--template", template(wildcards)]


def gradients_at(noise):
    """Input function: the `fp` at which a job measures gradients; empty if it measures none."""

    def of_job(wildcards):
        fp = grid.gradients_at(config, wildcards.backbone, wildcards.method, noise)
        return [] if fp is None else [fp]

    return of_job


def as_json(options):
    """Options of the config as an argument of a command; a change reruns the command."""
    return json.dumps(options, sort_keys=True)


@cache
def checked_state(name):
    """The state of a data set's images (see `ptnl.data.changes`); stop if its place is not ptnl's."""
    receipt = Path(PATHVARS.apply(f"<data>/{dataset_place(config, name)}/receipt.json"))
    try:
        check_place(receipt, name)
        return state_of(receipt, name, options_of(config, name))
    except InputError as error:
        raise WorkflowError(error) from None


def dataset_state(wildcards):
    """A parameter that changes when a user's folder does, so that it is indexed and encoded again."""
    return checked_state(PLACES[wildcards.place])


def dataset_receipt(wildcards):
    """The receipt of a data set's images."""
    return f"<data>/{dataset_place(config, wildcards.dataset)}/receipt.json"


def own_manifest(wildcards):
    """The user's tables of images and class names for a data set, if there are any."""
    options = options_of(config, wildcards.dataset)
    return [options[key] for key in ("manifest", "names") if key in options]


def fetched_file(kind):
    """Input function: the file `config` or `weights` of a backbone, if it is fetched.

    New weights rerun what was computed with the old ones.
    """

    def file(wildcards):
        if isinstance(BACKBONES[wildcards.backbone].source, Shipped):
            return []
        place = backbone_place(config, wildcards.backbone)
        return getattr(rules.fetch_backbone.output, kind).format(place=place)

    return file


# The inputs of every job that loads a backbone.
BACKBONE_FILES = {
    "model_config": fetched_file("config"),
    "weights": fetched_file("weights"),
}


def backbone_assets(wildcards):
    """The checksums of a backbone's files, if it is shipped."""
    source = BACKBONES[wildcards.backbone].source
    return shipped_assets([source.config, source.weights] if isinstance(source, Shipped) else [])


def backbone_options(wildcards, input):
    """The options that name the files of a backbone, fetched or shipped.

    Because it takes `input`, Snakemake does not compare the result with that of the last run. So the
    package may move.
    """
    source = BACKBONES[wildcards.backbone].source
    if isinstance(source, Shipped):
        paths = ASSETS / source.config, ASSETS / source.weights
    else:
        paths = input.model_config, input.weights
    return ["--backbone", wildcards.backbone, "--model-config", paths[0], "--weights", paths[1]]


def own_backbone_files(wildcards):
    """The user's own files of a backbone."""
    source = BACKBONES[BACKBONE_PLACES[wildcards.place]].source
    model = [source.model] if source.model.endswith(".json") else []
    return model + ([source.weights] if source.weights else [])


def backbone_source(wildcards):
    """The options of `fetch_backbone` that say where a backbone comes from."""
    name = BACKBONE_PLACES[wildcards.place]
    source = BACKBONES[name].source
    options = {
        "--backbone": name,
        "--model": source.model,
        "--pretrained": source.pretrained,
        "--file": source.weights,
        "--sha256": source.sha256,
    }
    return [word for option in options.items() if option[1] for word in option]


def image_encoder_file(kind):
    """Input function: the file `config` or `weights` of an image encoder, if it is fetched."""

    def file(wildcards):
        name = BACKBONES[wildcards.backbone].image_encoder
        if isinstance(IMAGE_ENCODERS[name], Shipped):
            return []
        return getattr(rules.fetch_image_encoder.output, kind).format(encoder=name)

    return file


def image_encoder_assets(wildcards):
    """The checksums of the files of a backbone's image encoder, if it is shipped."""
    source = IMAGE_ENCODERS[BACKBONES[wildcards.backbone].image_encoder]
    return shipped_assets([source.config, source.weights] if isinstance(source, Shipped) else [])


def image_encoder_options(wildcards, input):
    """The options that name the files of an image encoder (see `backbone_options`)."""
    source = IMAGE_ENCODERS[BACKBONES[wildcards.backbone].image_encoder]
    if isinstance(source, Shipped):
        paths = ASSETS / source.config, ASSETS / source.weights
    else:
        paths = input.config, input.weights
    return ["--encoder-config", paths[0], "--encoder-weights", paths[1]]


def template(wildcards):
    """The hand-crafted prompt of a data set."""
    return DATASETS[wildcards.dataset].template


def folders_of(metrics):
    """The folders of runs, in the order of their metrics files."""
    return [str(Path(path).parent) for path in metrics]


def pseudolabels_for_noise(noise):
    """The primary backbone's zero-shot predictions, if a kind of noise depends on them."""
    if not NOISES[noise].needs_pseudolabels:
        return []
    return f"<results>/pseudolabels/{{dataset}}/{config['primary_backbone']}.parquet"


def labelled_shots(noise):
    """The path of draws with a kind of noise or of pseudo-labels."""
    if noise in SELECTIONS:
        return "<results>/pseudoshots/{dataset}/{backbone}/{noise}/seed-{seed}.parquet"
    return "<results>/noise/{dataset}/{noise}/fp-{fp}/seed-{seed}.parquet"


def draws_of_images(wildcards):
    """The draws of a seed that hold images which its few-shot draw does not."""
    seed = f"seed-{wildcards.seed}.parquet"
    imported = [
        f"<results>/noise/{wildcards.dataset}/{noise}/fp-{fp}/{seed}"
        for noise, options in config["noise"].items()
        if NOISES[noise].draws_images
        for fp in options["fps"]
    ]
    pseudo_labelled = [
        f"<results>/pseudoshots/{wildcards.dataset}/{wildcards.backbone}/{noise}/{seed}"
        for noise in grid.pseudo_labels_of(config, wildcards.dataset, wildcards.backbone)
    ]
    return imported + pseudo_labelled


def views_of_job(part):
    """Input function: the augmented views of a job and their images, for methods that train in epochs."""

    def files(wildcards):
        if not config["views"] or "epochs" not in config["methods"][wildcards.method]:
            return {"views": [], "view_images": []}
        folder = f"<results>/views/{wildcards.dataset}/{wildcards.backbone}"
        seeds = part.seeds if config["fuse"] else [wildcards.seed]
        return {
            "views": [f"{folder}/seed-{seed}.npy" for seed in seeds],
            "view_images": [f"{folder}/seed-{seed}.parquet" for seed in seeds],
        }

    return files


def view_options(wildcards):
    """The options that say how the augmented views of a data set's images are made."""
    flips = "--flips" if DATASETS[wildcards.dataset].flips else "--no-flips"
    views, transform = str(config["views"]), config["train_transform"]
    return ["--views", views, "--transform", transform, flips]


def probe_option():
    """The option with the penalty of the study's linear probe, if it has one."""
    probe = config["methods"].get("linear_probe")
    return ["--c", str(probe["c"])] if probe else []


def rules_of_sweep(labels, fps):
    """The parts of a sweep that have a rule each; where no runs are fused, one rule has all seeds."""
    if config["fuse"]:
        return grid.parts(config, labels, fps)
    return [grid.Part("{seed}", "", f"{labels}/seed-{{seed}}")]


def runs_of_job(fps, part):
    """The rates and seeds of a job's runs."""
    return {"fp": fps, "seed": part.seeds}


def run_outputs(method, noise, fps, part):
    """The output files of a job's runs, by kind of file."""
    folder = f"<results>/runs/{{dataset}}/{{backbone}}/{method}/{noise}/fp-{{fp}}/seed-{{seed}}"
    return {
        Path(file).stem: expand(f"{folder}/{file}", **runs_of_job(fps, part), allow_missing=True)
        for file in reversed(RUN_FILES)  # metrics.json first, for which Snakemake asks most often
    }


def run_folders(wildcards, output):
    """The folders of a job's runs, in the order of its draws."""
    return folders_of(output.metrics)


def run_file(file, runs):
    """The file of this name in the folder of each run."""
    return [f"<results>/runs/{run.path}/{file}" for run in runs]


def run_files_of_dataset(file):
    """Input function: the file of this name for each run on a data set."""

    def files(wildcards):
        return run_file(file, [r for r in grid.runs(config) if r.dataset == wildcards.dataset])

    return files


def lacking(kind, layouts_of_kind):
    """A function that stops with a sentence if the study cannot fill a table or figure."""

    def nothing(number):
        if number not in layouts_of_kind:
            known = ", ".join(map(str, layouts_of_kind))
            raise WorkflowError(f"There is no {kind} {number}; there are {known}.")
        if lacks := layouts.lacking(layouts_of_kind, number, config):
            raise WorkflowError(f"{kind} {number} needs {lacks}.")

    return nothing


check_table = lacking("Table", layouts.TABLES)
check_figure = lacking("Figure", layouts.FIGURES)


def lost_files(wildcards):
    """Files of the study that are missing. As inputs of `all` they are made, or made again.

    Snakemake alone would not notice that a file is missing which no job needs any more. One file
    stands for all outputs of a job: asking for every file of thousands of runs would double the time
    that planning takes.
    """
    exists = existence(*(Path(PATHVARS.apply(place)) for place in ("<results>", "<data>")))
    return missing_files(study_jobs(config), exists)


def record_folder(wildcards, output):
    """The folder of job records. It is not an input, so that a missing record reruns no job."""
    return Path(output.csv).with_name("logs")


def tpt_start_files(wildcards):
    """The runs with whose prompts TPT starts."""
    return run_file("metrics.json", grid.tpt_starts(config, wildcards.dataset, wildcards.backbone))


def test_view_options(wildcards):
    """The options of `encode_test_views` that say how views are made."""
    flips = "--flips" if DATASETS[wildcards.dataset].flips else "--no-flips"
    return ["--views", str(config["methods"]["tpt"]["views"]), flips]


def random_prompt_files(file):
    """The file of this name for every (data set, backbone) with random prompts."""
    return [
        f"<results>/random_prompts/{dataset}/{backbone}/{file}"
        for dataset, backbone in grid.random_prompts(config)
    ]


def table_numbers(wildcards):
    """Input function: the files that hold the numbers of a table."""
    check_table(int(wildcards.number))
    methods = layouts.TABLES[int(wildcards.number)].methods
    numbers = {"summary": "<results>/summary.parquet"}
    if any(METHODS[method].labels in SELECTIONS for method in methods):
        numbers["ensembles"] = "<results>/ensembles.parquet"
    if grid.RANDOM_PROMPT in methods:
        numbers["random_prompts"] = random_prompt_files("accuracy.parquet")
    return numbers


def table_options(wildcards, input):
    """The options of `make_table` that name these files."""
    options = ["--summary", input.summary]
    if "ensembles" in input.keys():
        options += ["--ensembles", input.ensembles]
    if "random_prompts" in input.keys():
        options += ["--random-prompts", *input.random_prompts]
    return options


def figure_numbers(wildcards):
    """Input function: the files that hold the numbers of a figure."""
    check_figure(int(wildcards.number))
    return {
        "accuracy": "<results>/summary.parquet",
        "gradients": "<results>/gradients.parquet",
        "splits": "<results>/splits.parquet",
        "confusion": random_prompt_files("confusion.parquet"),
    }[layouts.FIGURES[int(wildcards.number)].kind]
