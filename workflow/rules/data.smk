# Raw data -> manifest -> few-shot draw -> noisy labels.


rule download_dataset:
    """The images of a data set, complete and checked, and a receipt that says where they are from."""
    output:
        "<data>/{place}/receipt.json",
    log:
        "<logs>/download_dataset/{place}.log",
    wildcard_constraints:
        place="|".join(map(re.escape, PLACES)),
    priority: FIRST
    localrule: True
    conda:
        "../../envs/ptnl.yaml"
    params:
        *code("download_dataset", by="place", reach=dataset_code("download", PLACES)),
        dataset=lambda wildcards: PLACES[wildcards.place],
        options=lambda wildcards: as_json(
            image_options(options_of(config, PLACES[wildcards.place]))
        ),
        state=dataset_state,
        assets=lambda wildcards: shipped_assets(DATASETS[PLACES[wildcards.place]].assets),
        # A function of `output`, so that Snakemake does not compare it with the last run: where files are
        # fetched from does not change them.
        sources=lambda wildcards, output: config["sources"],
        data=subpath(output[0], ancestor=2),
    shell:
        "python -m ptnl.cli.job download_dataset --dataset {params.dataset:q} "
        "--options {params.options:q} --sources {params.sources:q} "
        "--manual {params.data:q}/manual --archives {params.data:q}/{params.dataset:q}/archives "
        "--out {output:q} > {log:q} 2>&1"


rule index_dataset:
    """The manifest: every image with its label, class name and split."""
    input:
        table=own_manifest,
        receipt=dataset_receipt,
    output:
        "<results>/manifests/{dataset}.parquet",
    log:
        "<logs>/index_dataset/{dataset}.log",
    priority: FIRST
    localrule: True
    conda:
        "../../envs/ptnl.yaml"
    threads: 1
    params:
        *code(
            "index_dataset",
            by="dataset",
            reach=dataset_code("index", {name: name for name in DATASETS}),
        ),
        options=lambda wildcards: as_json(options_of(config, wildcards.dataset)),
        assets=lambda wildcards: shipped_assets(DATASETS[wildcards.dataset].assets),
        on_bad_image=config["on_bad_image"],
        transparent_on=config["transparent_on"],
    shell:
        "python -m ptnl.cli.job index_dataset --dataset {wildcards.dataset:q} "
        "--options {params.options:q} --receipt {input.receipt:q} "
        "--on-bad-image {params.on_bad_image:q} --transparent-on {params.transparent_on:q} "
        "--threads {threads} "
        "--out {output:q} > {log:q} 2>&1"


rule sample_shots:
    """The few-shot draw of a seed: some images of every class."""
    input:
        manifest="<results>/manifests/{dataset}.parquet",
    output:
        "<results>/shots/{dataset}/seed-{seed}.parquet",
    log:
        "<logs>/sample_shots/{dataset}/seed-{seed}.log",
    priority: FIRST
    localrule: True
    conda:
        "../../envs/ptnl.yaml"
    params:
        *code("sample_shots"),
        shots=config["shots"],
    shell:
        "python -m ptnl.cli.job sample_shots --manifest {input.manifest:q} --shots {params.shots:q} "
        "--seed {wildcards.seed:q} --out {output:q} > {log:q} 2>&1"


# One rule for each kind of noise, because each kind has its own rates.
for noise, options in config["noise"].items():

    rule:
        """A draw with wrong labels of one kind, at every rate of that kind."""
        name:
            f"inject_noise_{noise}"
        input:
            manifest="<results>/manifests/{dataset}.parquet",
            pseudolabels=pseudolabels_for_noise(noise),
            shots="<results>/shots/{dataset}/seed-{seed}.parquet",
        output:
            expand(
                "<results>/noise/{dataset}/{noise}/fp-{fp}/seed-{seed}.parquet",
                noise=noise,
                fp=options["fps"],
                allow_missing=True,
            ),
        log:
            f"<logs>/inject_noise/{{dataset}}/{noise}/seed-{{seed}}.log",
        priority: FIRST
        localrule: True
        conda:
            "../../envs/ptnl.yaml"
        params:
            *code("inject_noise", {"ptnl.labels.noise.NOISES": (noise,)}),
            noise=noise,
            fps=options["fps"],
            favoured_by=options.get("favoured_by", "image"),
        shell:
            "python -m ptnl.cli.job inject_noise --manifest {input.manifest:q} --shots {input.shots:q} "
            "--noise {params.noise:q} --fp {params.fps:q} --seed {wildcards.seed:q} "
            "--pseudolabels {input.pseudolabels:q} --favoured-by {params.favoured_by:q} "
            "--out {output:q} > {log:q} 2>&1"
