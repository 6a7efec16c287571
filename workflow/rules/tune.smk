# Noisy shots + features -> one folder a run. One rule a noise kind, because the rates of a kind,
# and so the runs of a sweep, are its own.


for noise, fps in config["noise"].items():

    rule:
        """All runs of a sweep, every rate and seed, trained side by side in one process."""
        name:
            f"tune_method_{noise}"
        input:
            **code(
                "ptnl.cli.tune_method",
                "ptnl.tuning",
                "ptnl.text.encoder",
                "ptnl.text.packing",
                "ptnl.text.prompts",
                "ptnl.text.tower",
                "ptnl.losses",
                "ptnl.optim",
                "ptnl.methods.zero_shot",
                "ptnl.methods.prompt",
                "ptnl.backbones.loading",
            ),
            method=method_code,
            backbone=backbone_assets,
            manifest="<results>/manifests/{dataset}.parquet",
            features="<results>/features/{dataset}/{backbone}.npy",
            shots=expand(
                "<results>/noise/{dataset}/{noise}/fp-{fp}/seed-{seed}.parquet",
                noise=noise,
                fp=fps,
                seed=config["seeds"],
                allow_missing=True,
            ),
        output:
            **{
                Path(file).stem: expand(
                    "<results>/runs/{dataset}/{backbone}/{method}/{noise}/fp-{fp}/seed-{seed}/{file}",
                    noise=noise,
                    fp=fps,
                    seed=config["seeds"],
                    file=file,
                    allow_missing=True,
                )
                for file in RUN_FILES
            },
        log:
            expand(
                "<logs>/tune_method/{dataset}/{backbone}/{method}/{noise}.log",
                noise=noise,
                allow_missing=True,
            ),
        benchmark:
            expand(
                "<results>/benchmarks/tune_method/{dataset}/{backbone}/{method}/{noise}.tsv",
                noise=noise,
                allow_missing=True,
            )[0]
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
            device=config["device"],
        shell:
            "python -m ptnl.cli.tune_method --method {wildcards.method} "
            "--settings {params.settings:q} --dataset {wildcards.dataset} "
            "--template {params.template:q} --backbone {wildcards.backbone} "
            "--manifest {input.manifest} "
            "--features {input.features} --device {params.device} --threads {threads} "
            "--shots {input.shots} --out {params.folders} > {log} 2>&1"
