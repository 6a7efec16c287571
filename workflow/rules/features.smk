# Backbones and images -> features -> zero-shot predictions.


rule fetch_backbone:
    """Configuration and weights of a backbone that is not shipped, from a file or the network."""
    input:
        **code(
            "ptnl.cli.fetch_backbone",
            "ptnl.backbones.configuration",
            "ptnl.backbones.origins",
            "ptnl.backbones.weights",
        ),
        own=own_backbone_files,
    output:
        config="<data>/backbones/{backbone}/open_clip_config.json",
        weights="<data>/backbones/{backbone}/open_clip_model.safetensors",
        receipt="<data>/backbones/{backbone}/receipt.json",
    log:
        "<logs>/fetch_backbone/{backbone}.log",
    localrule: True
    conda:
        "../../envs/ptnl.yaml"
    params:
        source=backbone_source,
        downloads=subpath(output.receipt, parent=True),
        manual=lambda wildcards: workflow.pathvars.apply("<data>/manual"),
    shell:
        "python -m ptnl.cli.fetch_backbone --backbone {wildcards.backbone} {params.source} "
        "--downloads {params.downloads} --manual {params.manual} --config {output.config} "
        "--weights {output.weights} --receipt {output.receipt} > {log} 2>&1"


rule encode_images:
    """Image features of a data set, once per image and backbone, in the manifest's order."""
    input:
        **code(
            "ptnl.cli.encode_images",
            "ptnl.features.encode",
            "ptnl.features.images",
            "ptnl.features.resumable",
            *IMAGE_ENCODER,
        ),
        **BACKBONE_FILES,
        receipt="<data>/{dataset}/receipt.json",
        manifest="<results>/manifests/{dataset}.parquet",
    output:
        "<results>/features/{dataset}/{backbone}.npy",
    log:
        "<logs>/encode_images/{dataset}/{backbone}.log",
    benchmark:
        "<results>/benchmarks/encode_images/{dataset}/{backbone}.tsv"
    conda:
        "../../envs/ptnl.yaml"
    threads: 1
    resources:
        gpu=1,
        gpu_share=config["gpu_share"],
        mem_mb=doubled(4000),
        runtime=doubled(60),
    params:
        precision=config["precision"],
        device=config["device"],
    shell:
        "python -m ptnl.cli.encode_images --manifest {input.manifest} --receipt {input.receipt} "
        "--backbone {wildcards.backbone} "
        "--model-config {input.model_config} --weights {input.weights} "
        "--precision {params.precision} "
        "--device {params.device} --gpu-share {resources.gpu_share} --threads {threads} "
        "--out {output} > {log} 2>&1"


rule encode_views:
    """Augmented views of a seed's training images, as many as the config says, encoded once."""
    input:
        **code(
            "ptnl.cli.encode_views",
            "ptnl.features.views",
            "ptnl.machine.random_streams",
            "ptnl.features.encode",
            "ptnl.features.images",
            "ptnl.features.resumable",
            *IMAGE_ENCODER,
        ),
        **BACKBONE_FILES,
        receipt="<data>/{dataset}/receipt.json",
        shots="<results>/shots/{dataset}/seed-{seed}.parquet",
        draws=draws_of_images,
    output:
        features="<results>/views/{dataset}/{backbone}/seed-{seed}.npy",
        images="<results>/views/{dataset}/{backbone}/seed-{seed}.parquet",
    log:
        "<logs>/encode_views/{dataset}/{backbone}/seed-{seed}.log",
    benchmark:
        "<results>/benchmarks/encode_views/{dataset}/{backbone}/seed-{seed}.tsv"
    conda:
        "../../envs/ptnl.yaml"
    threads: 1
    resources:
        gpu=1,
        gpu_share=config["gpu_share"],
        mem_mb=doubled(4000),
        runtime=doubled(60),
    params:
        views=config["views"],
        transform=config["train_transform"],
        flips=lambda wildcards: "--flips" if DATASETS[wildcards.dataset].flips else "--no-flips",
        precision=config["precision"],
        device=config["device"],
    shell:
        "python -m ptnl.cli.encode_views --shots {input.shots} --draws {input.draws} "
        "--receipt {input.receipt} --backbone {wildcards.backbone} "
        "--model-config {input.model_config} --weights {input.weights} "
        "--precision {params.precision} --seed {wildcards.seed} "
        "--views {params.views} --transform {params.transform} {params.flips} "
        "--device {params.device} --gpu-share {resources.gpu_share} --threads {threads} "
        "--out {output.features} --images {output.images} > {log} 2>&1"


rule pseudolabel_zeroshot:
    """Zero-shot predictions for every image, and the zero-shot run of the study."""
    input:
        **code(
            "ptnl.cli.pseudolabel_zeroshot",
            *TEXT_TOWER,
            "ptnl.training.tuning",
            "ptnl.methods.zero_shot",
            "ptnl.backbones.text",
        ),
        **BACKBONE_FILES,
        manifest="<results>/manifests/{dataset}.parquet",
        features="<results>/features/{dataset}/{backbone}.npy",
    output:
        labels="<results>/pseudolabels/{dataset}/{backbone}.parquet",
        metrics="<results>/runs/{dataset}/{backbone}/zero_shot/none/fp-0/seed-0/metrics.json",
        logits="<results>/runs/{dataset}/{backbone}/zero_shot/none/fp-0/seed-0/logits.npy",
    log:
        "<logs>/pseudolabel_zeroshot/{dataset}/{backbone}.log",
    benchmark:
        "<results>/benchmarks/pseudolabel_zeroshot/{dataset}/{backbone}.tsv"
    conda:
        "../../envs/ptnl.yaml"
    threads: 1
    resources:
        gpu=1,
        gpu_share=config["gpu_share"],
        mem_mb=doubled(4000),
        runtime=doubled(60),
    params:
        device=config["device"],
        shots=config["shots"],
        template=template,
        run=subpath(output.metrics, parent=True),
    shell:
        "python -m ptnl.cli.pseudolabel_zeroshot --manifest {input.manifest} "
        "--features {input.features} --dataset {wildcards.dataset} "
        "--template {params.template:q} --backbone {wildcards.backbone} "
        "--model-config {input.model_config} --weights {input.weights} "
        "--shots {params.shots} --device {params.device} --gpu-share {resources.gpu_share} "
        "--threads {threads} --labels {output.labels} --run {params.run} > {log} 2>&1"
