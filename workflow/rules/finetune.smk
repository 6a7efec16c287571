# Noisy shots + images -> one folder a run: the methods that train an image encoder itself. One rule
# a noise kind, because the rates of a kind, and so the runs of a sweep, are its own.


for noise, options in config["noise"].items():

    rule:
        """The runs of a job, fine-tuned one after the other in one process."""
        name:
            f"finetune_backbone_{noise}"
        input:
            encoder=image_encoder_assets,
            manifest="<results>/manifests/{dataset}.parquet",
            receipt="<data>/{dataset}/receipt.json",
            shots=expand(
                labelled_shots(noise),
                noise=noise,
                **runs_of_job(options["fps"]),
                allow_missing=True,
            ),
        output:
            **run_outputs("finetune", noise, options["fps"]),
        log:
            f"<logs>/finetune_backbone/{{dataset}}/{{backbone}}/{job_name(noise)}.log",
        benchmark:
            f"<results>/benchmarks/finetune_backbone/{{dataset}}/{{backbone}}/{job_name(noise)}.tsv"
        conda:
            "../../envs/ptnl.yaml"
        threads: 1
        resources:
            gpu=1,
            gpu_share=config["gpu_share"],
            mem_mb=doubled(8000),
            runtime=doubled(60),
        params:
            code=checksum(
                "ptnl.cli.finetune_backbone",
                "ptnl.methods.finetune",
                "ptnl.features",
                "ptnl.images",
                "ptnl.losses",
                "ptnl.optim",
                "ptnl.backbones.image_encoders",
            ),
            settings=lambda wildcards: json.dumps(config["methods"]["finetune"], sort_keys=True),
            folders=run_folders,
            image_encoder=lambda wildcards: BACKBONES[wildcards.backbone].image_encoder,
            device=config["device"],
        shell:
            "python -m ptnl.cli.finetune_backbone --settings {params.settings:q} "
            "--dataset {wildcards.dataset} --backbone {wildcards.backbone} "
            "--image-encoder {params.image_encoder} "
            "--manifest {input.manifest} --receipt {input.receipt} "
            "--device {params.device} --gpu-share {resources.gpu_share} --threads {threads} "
            "--shots {input.shots} --out {params.folders} > {log} 2>&1"
