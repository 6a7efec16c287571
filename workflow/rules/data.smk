# Raw data -> manifest -> few-shot draw -> noisy labels.


rule download_dataset:
    """Images of a data set, complete and checked, and a receipt that says from where."""
    input:
        **code("ptnl.cli.download_dataset"),
        assets=dataset_assets,
    output:
        "<data>/{dataset}/receipt.json",
    log:
        "<logs>/download_dataset/{dataset}.log",
    retries: 2
    conda:
        "../../envs/ptnl.yaml"
    shell:
        "python -m ptnl.cli.download_dataset --dataset {wildcards.dataset} --out {output} "
        "> {log} 2>&1"


rule index_dataset:
    """The manifest: every image with its label, class name and split."""
    input:
        **code("ptnl.cli.index_dataset"),
        receipt="<data>/{dataset}/receipt.json",
    output:
        "<results>/manifests/{dataset}.parquet",
    log:
        "<logs>/index_dataset/{dataset}.log",
    conda:
        "../../envs/ptnl.yaml"
    threads: 1
    params:
        on_bad_image=config["on_bad_image"],
    shell:
        "python -m ptnl.cli.index_dataset --dataset {wildcards.dataset} "
        "--receipt {input.receipt} --on-bad-image {params.on_bad_image} --threads {threads} "
        "--out {output} > {log} 2>&1"


rule sample_shots:
    """The few-shot draw of a seed."""
    input:
        **code("ptnl.cli.sample_shots", "ptnl.sampling"),
        manifest="<results>/manifests/{dataset}.parquet",
    output:
        "<results>/shots/{dataset}/seed-{seed}.parquet",
    log:
        "<logs>/sample_shots/{dataset}/seed-{seed}.log",
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
            **code("ptnl.cli.inject_noise", "ptnl.noise"),
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
        conda:
            "../../envs/ptnl.yaml"
        params:
            noise=noise,
            fps=options["fps"],
        shell:
            "python -m ptnl.cli.inject_noise --manifest {input.manifest} --shots {input.shots} "
            "--noise {params.noise} --fp {params.fps} --seed {wildcards.seed} "
            "--pseudolabels {input.pseudolabels} --out {output} > {log} 2>&1"
