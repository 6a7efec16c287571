# Labelled shots + features -> one folder a run. One rule a kind of noise or of pseudo-labels, because
# the rates of a kind, and so the runs of a sweep, are its own.


for noise, fps in grid.kinds_of_labels(config).items():

    # The runs of a job: all rates and seeds of a sweep, or the one that its path names.
    if config["fuse"]:
        runs = {"fp": fps, "seed": config["seeds"]}
        job = noise
    else:
        runs = {"fp": "{fp}", "seed": "{seed}"}
        job = f"{noise}/fp-{{fp}}/seed-{{seed}}"

    rule:
        """The runs of a job, trained side by side in one process."""
        name:
            f"tune_method_{noise}"
        input:
            **code(
                "ptnl.cli.tune_method",
                "ptnl.tuning",
                "ptnl.lbfgs",
                "ptnl.text.encoder",
                "ptnl.text.packing",
                "ptnl.text.prompts",
                "ptnl.text.tower",
                "ptnl.losses",
                "ptnl.optim",
                "ptnl.methods.zero_shot",
                "ptnl.methods.prompt",
            ),
            method=method_code,
            **BACKBONE,
            manifest="<results>/manifests/{dataset}.parquet",
            features="<results>/features/{dataset}/{backbone}.npy",
            views=views_of("npy"),
            view_images=views_of("parquet"),
            shots=expand(
                labelled_shots(noise),
                noise=noise,
                **runs,
                allow_missing=True,
            ),
        output:
            **{
                Path(file).stem: expand(
                    "<results>/runs/{dataset}/{backbone}/{method}/{noise}/fp-{fp}/seed-{seed}/{file}",
                    noise=noise,
                    **runs,
                    file=file,
                    allow_missing=True,
                )
                for file in reversed(RUN_FILES)  # Snakemake asks for metrics.json most often
            },
        log:
            f"<logs>/tune_method/{{dataset}}/{{backbone}}/{{method}}/{job}.log",
        benchmark:
            f"<results>/benchmarks/tune_method/{{dataset}}/{{backbone}}/{{method}}/{job}.tsv"
        wildcard_constraints:
            method="|".join(name for name in METHODS if METHODS[name].trains_on == "features"),
        conda:
            "../../envs/ptnl.yaml"
        threads: 1
        resources:
            gpu=1,
            mem_mb=4000,
        params:
            settings=settings,
            template=template,
            folders=run_folders,
            precision=config["precision"],
            device=config["device"],
        shell:
            "python -m ptnl.cli.tune_method --method {wildcards.method} "
            "--settings {params.settings:q} --dataset {wildcards.dataset} "
            "--template {params.template:q} --backbone {wildcards.backbone} "
            "--model-config {input.model_config} --weights {input.weights} "
            "--precision {params.precision} "
            "--manifest {input.manifest} "
            "--features {input.features} --device {params.device} --threads {threads} "
            "--views {input.views} --view-images {input.view_images} "
            "--shots {input.shots} --out {params.folders} > {log} 2>&1"
