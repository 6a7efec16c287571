# Noisy shots + images -> one folder a run: the methods that train an image encoder itself. One rule
# a noise kind, because the rates of a kind, and so the runs of a sweep, are its own.


rule fetch_image_encoder:
    """Configuration and weights of an image encoder that is not shipped, from timm's publisher."""
    input:
        **code(
            "ptnl.cli.fetch_image_encoder",
            "ptnl.backbones.image_encoders",
            "ptnl.backbones.origins",
            "ptnl.backbones.weights",
        ),
    output:
        config="<data>/image_encoders/{encoder}/config.json",
        weights="<data>/image_encoders/{encoder}/model.safetensors",
        receipt="<data>/image_encoders/{encoder}/receipt.json",
    log:
        "<logs>/fetch_image_encoder/{encoder}.log",
    wildcard_constraints:
        encoder="|".join(map(re.escape, IMAGE_ENCODERS)),
    localrule: True
    conda:
        "../../envs/ptnl.yaml"
    params:
        downloads=subpath(output.receipt, parent=True),
        manual=lambda wildcards: workflow.pathvars.apply("<data>/manual"),
    shell:
        "python -m ptnl.cli.fetch_image_encoder --encoder {wildcards.encoder} "
        "--downloads {params.downloads} --manual {params.manual} --config {output.config} "
        "--weights {output.weights} --receipt {output.receipt} > {log} 2>&1"


for noise, options in config["noise"].items():

    rule:
        """The runs of a job, fine-tuned one after the other in one process."""
        name:
            f"finetune_backbone_{noise}"
        input:
            config=image_encoder_file("config"),
            weights=image_encoder_file("weights"),
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
                "ptnl.features.encode",
                "ptnl.features.images",
                "ptnl.training.losses",
                "ptnl.training.optim",
                "ptnl.machine.random_streams",
                "ptnl.backbones.image_encoders",
            ),
            settings=lambda wildcards: json.dumps(config["methods"]["finetune"], sort_keys=True),
            folders=run_folders,
            device=config["device"],
        shell:
            "python -m ptnl.cli.finetune_backbone --settings {params.settings:q} "
            "--dataset {wildcards.dataset} --backbone {wildcards.backbone} "
            "--encoder-config {input.config} --encoder-weights {input.weights} "
            "--manifest {input.manifest} --receipt {input.receipt} "
            "--device {params.device} --gpu-share {resources.gpu_share} --threads {threads} "
            "--shots {input.shots} --out {params.folders} > {log} 2>&1"
