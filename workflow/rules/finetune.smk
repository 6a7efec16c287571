# Noisy shots + images -> one folder for each run, for methods that train an image encoder. There is
# one rule for each kind of noise, because each kind has its own rates.


rule fetch_image_encoder:
    """Configuration and weights of an image encoder of timm that is not shipped."""
    output:
        config="<data>/image_encoders/{encoder}/config.json",
        weights="<data>/image_encoders/{encoder}/model.safetensors",
        receipt="<data>/image_encoders/{encoder}/receipt.json",
    log:
        "<logs>/fetch_image_encoder/{encoder}.log",
    wildcard_constraints:
        encoder="|".join(map(re.escape, IMAGE_ENCODERS)),
    priority: FIRST
    localrule: True
    conda:
        "../../envs/ptnl.yaml"
    params:
        *code("fetch_image_encoder"),
        downloads=subpath(output.receipt, parent=True),
        manual=subpath(output.receipt, ancestor=3),
    shell:
        "python -m ptnl.cli.job fetch_image_encoder --encoder {wildcards.encoder:q} "
        "--downloads {params.downloads:q} --manual {params.manual:q}/manual "
        "--config {output.config:q} --weights {output.weights:q} --receipt {output.receipt:q} > {log:q} 2>&1"


for noise, options in config["noise"].items():
    for part in rules_of_sweep(noise, options["fps"]):

        rule:
            """The runs of a job, fine-tuned one after the other in one process."""
            name:
                f"finetune_backbone_{noise}{part.rule}"
            input:
                config=image_encoder_file("config"),
                weights=image_encoder_file("weights"),
                manifest="<results>/manifests/{dataset}.parquet",
                receipt=dataset_receipt,
                shots=expand(
                    labelled_shots(noise),
                    noise=noise,
                    **runs_of_job(options["fps"], part),
                    allow_missing=True,
                ),
            output:
                **run_outputs("finetune", noise, options["fps"], part),
            log:
                f"<logs>/finetune_backbone/{{dataset}}/{{backbone}}/{part.place}.log",
            priority: longest_first(noise, options["fps"], part)
            conda:
                "../../envs/ptnl.yaml"
            threads: 1
            resources:
                gpu=1,
                gpu_share=config["gpu_share"],
                mem_mb=doubled(8000),
                runtime=doubled(60),
            params:
                *code("finetune_backbone", {LOSSES: (METHODS["finetune"].loss,)}),
                model=image_encoder_options,
                assets=image_encoder_assets,
                settings=lambda wildcards: as_json(config["methods"]["finetune"]),
                folders=run_folders,
                views=view_options,
                transparent_on=config["transparent_on"],
                device=config["device"],
            shell:
                "python -m ptnl.cli.job --record {log:q} finetune_backbone --settings {params.settings:q} "
                "--dataset {wildcards.dataset:q} --backbone {wildcards.backbone:q} "
                "{params.model:q} {params.views:q} --transparent-on {params.transparent_on:q} "
                "--manifest {input.manifest:q} --receipt {input.receipt:q} "
                "--device {params.device:q} --gpu-share {resources.gpu_share:q} --threads {threads} "
                "--shots {input.shots:q} --out {params.folders:q} > {log:q} 2>&1"
