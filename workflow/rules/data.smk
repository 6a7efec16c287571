# Raw data -> manifest -> few-shot draw -> noisy labels.


rule download_dataset:
    """Images of a data set, complete and checked, and a receipt that says from where."""
    input:
        **code("ptnl.cli.download_dataset"),
        assets=dataset_assets,
        sources=config["sources"],
    output:
        "<data>/{dataset}/receipt.json",
    log:
        "<logs>/download_dataset/{dataset}.log",
    localrule: True
    conda:
        "../../envs/ptnl.yaml"
    params:
        data=subpath(output[0], ancestor=2),
        options=dataset_options,
        state=dataset_state,
    shell:
        "python -m ptnl.cli.download_dataset --dataset {wildcards.dataset} "
        "--options {params.options:q} --sources {input.sources} "
        "--manual {params.data}/manual "
        "--out {output} > {log} 2>&1"


rule index_dataset:
    """The manifest: every image with its label, class name and split."""
    input:
        **code(
            "ptnl.cli.index_dataset",
            "ptnl.data.class_names",
            "ptnl.data.equal_images",
            "ptnl.data.folder_tree",
            "ptnl.data.image_files",
            "ptnl.data.splits",
            "ptnl.data.table_files",
        ),
        module=dataset_code,
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
        options=dataset_options,
        on_bad_image=config["on_bad_image"],
        transparent_on=config["transparent_on"],
    shell:
        "python -m ptnl.cli.index_dataset --dataset {wildcards.dataset} "
        "--options {params.options:q} --receipt {input.receipt} "
        "--on-bad-image {params.on_bad_image} --transparent-on {params.transparent_on} "
        "--threads {threads} "
        "--out {output} > {log} 2>&1"


rule sample_shots:
    """The few-shot draw of a seed."""
    input:
        **code("ptnl.cli.sample_shots", "ptnl.labels.sampling"),
        manifest="<results>/manifests/{dataset}.parquet",
    output:
        "<results>/shots/{dataset}/seed-{seed}.parquet",
    log:
        "<logs>/sample_shots/{dataset}/seed-{seed}.log",
    localrule: True
    conda:
        "../../envs/ptnl.yaml"
    params:
        shots=config["shots"],
    shell:
        "python -m ptnl.cli.sample_shots --manifest {input.manifest} --shots {params.shots} "
        "--seed {wildcards.seed} --out {output} > {log} 2>&1"


# One rule a noise kind, because the rates of a kind are its own.
for noise, options in config["noise"].items():

    rule:
        """Wrong labels in a draw, at every rate of a noise kind."""
        name:
            f"inject_noise_{noise}"
        input:
            **code("ptnl.cli.inject_noise", "ptnl.labels.noise", "ptnl.machine.random_streams"),
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
            noise=noise,
            fps=options["fps"],
            favoured_by=options.get("favoured_by", "image"),
        shell:
            "python -m ptnl.cli.inject_noise --manifest {input.manifest} --shots {input.shots} "
            "--noise {params.noise} --fp {params.fps} --seed {wildcards.seed} "
            "--pseudolabels {input.pseudolabels} --favoured-by {params.favoured_by} --out {output} > {log} 2>&1"
