# Noisy shots + images -> one folder a run: the methods that train an image encoder itself. One rule
# a noise kind, because the rates of a kind, and so the runs of a sweep, are its own.


for noise, options in config["noise"].items():

    rule:
        """All runs of a fine-tuning sweep, one after the other in one process."""
        name:
            f"finetune_backbone_{noise}"
        input:
            **code(
                "ptnl.cli.finetune_backbone",
                "ptnl.methods.finetune",
                "ptnl.features",
                "ptnl.losses",
                "ptnl.optim",
                "ptnl.backbones.image_encoders",
            ),
            encoder=image_encoder_assets,
            manifest="<results>/manifests/{dataset}.parquet",
            receipt="<data>/{dataset}/receipt.json",
            shots=expand(
                "<results>/noise/{dataset}/{noise}/fp-{fp}/seed-{seed}.parquet",
                noise=noise,
                fp=options["fps"],
                seed=config["seeds"],
                allow_missing=True,
            ),
        output:
            **{
                Path(file).stem: expand(
                    "<results>/runs/{dataset}/{backbone}/finetune/{noise}/fp-{fp}/seed-{seed}/{file}",
                    noise=noise,
                    fp=options["fps"],
                    seed=config["seeds"],
                    file=file,
                    allow_missing=True,
                )
                for file in RUN_FILES
            },
        log:
            expand(
                "<logs>/finetune_backbone/{dataset}/{backbone}/{noise}.log",
                noise=noise,
                allow_missing=True,
            ),
        benchmark:
            expand(
                "<results>/benchmarks/finetune_backbone/{dataset}/{backbone}/{noise}.tsv",
                noise=noise,
                allow_missing=True,
            )[0]
        conda:
            "../../envs/ptnl.yaml"
        threads: 1
        resources:
            gpu=1,
            mem_mb=8000,
        params:
            settings=lambda wildcards: json.dumps(config["methods"]["finetune"], sort_keys=True),
            folders=run_folders,
            image_encoder=lambda wildcards: BACKBONES[wildcards.backbone].image_encoder,
            device=config["device"],
        shell:
            "python -m ptnl.cli.finetune_backbone --settings {params.settings:q} "
            "--dataset {wildcards.dataset} --backbone {wildcards.backbone} "
            "--image-encoder {params.image_encoder} "
            "--manifest {input.manifest} --receipt {input.receipt} "
            "--device {params.device} --threads {threads} "
            "--shots {input.shots} --out {params.folders} > {log} 2>&1"
