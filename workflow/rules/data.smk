# Raw data -> manifest -> few-shot draw -> noisy labels.


rule download_dataset:
    """Images of a data set, complete and checked, and a receipt that says from where."""
    output:
        "<data>/{dataset}/receipt.json",
    log:
        "<logs>/download_dataset/{dataset}.log",
    localrule: True
    conda:
        "../../envs/ptnl.yaml"
    params:
        *code("download_dataset", by="dataset", reach=dataset_code("download")),
        options=dataset_options,
        state=dataset_state,
        assets=dataset_assets,
        # Where files are fetched from does not decide what they are: no reason to fetch them again.
        sources=lambda wildcards, output: config["sources"],
        manual=subpath(output[0], ancestor=2),
    shell:
        "python -m ptnl.cli.download_dataset --dataset {wildcards.dataset:q} "
        "--options {params.options:q} --sources {params.sources:q} "
        "--manual {params.manual:q}/manual "
        "--out {output:q} > {log:q} 2>&1"


rule index_dataset:
    """The manifest: every image with its label, class name and split."""
    input:
        table=own_manifest,
        receipt="<data>/{dataset}/receipt.json",
    output:
        "<results>/manifests/{dataset}.parquet",
    log:
        "<logs>/index_dataset/{dataset}.log",
    localrule: True
    conda:
        "../../envs/ptnl.yaml"
    threads: 1
    params:
        *code("index_dataset", by="dataset", reach=dataset_code("index")),
        options=dataset_options,
        assets=dataset_assets,
        on_bad_image=config["on_bad_image"],
        transparent_on=config["transparent_on"],
    shell:
        "python -m ptnl.cli.index_dataset --dataset {wildcards.dataset:q} "
        "--options {params.options:q} --receipt {input.receipt:q} "
        "--on-bad-image {params.on_bad_image:q} --transparent-on {params.transparent_on:q} "
        "--threads {threads} "
        "--out {output:q} > {log:q} 2>&1"


rule sample_shots:
    """The few-shot draw of a seed."""
    input:
        manifest="<results>/manifests/{dataset}.parquet",
    output:
        "<results>/shots/{dataset}/seed-{seed}.parquet",
    log:
        "<logs>/sample_shots/{dataset}/seed-{seed}.log",
    localrule: True
    conda:
        "../../envs/ptnl.yaml"
    params:
        *code("sample_shots"),
        shots=config["shots"],
    shell:
        "python -m ptnl.cli.sample_shots --manifest {input.manifest:q} --shots {params.shots:q} "
        "--seed {wildcards.seed:q} --out {output:q} > {log:q} 2>&1"


# One rule a noise kind, because the rates of a kind are its own.
for noise, options in config["noise"].items():

    rule:
        """Wrong labels in a draw, at every rate of a noise kind."""
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
        localrule: True
        conda:
            "../../envs/ptnl.yaml"
        params:
            *code("inject_noise", {"ptnl.labels.noise.NOISES": (noise,)}),
            noise=noise,
            fps=options["fps"],
            favoured_by=options.get("favoured_by", "image"),
        shell:
            "python -m ptnl.cli.inject_noise --manifest {input.manifest:q} --shots {input.shots:q} "
            "--noise {params.noise:q} --fp {params.fps:q} --seed {wildcards.seed:q} "
            "--pseudolabels {input.pseudolabels:q} --favoured-by {params.favoured_by:q} "
            "--out {output:q} > {log:q} 2>&1"
