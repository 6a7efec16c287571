# Backbones and images -> features -> zero-shot predictions.


rule fetch_backbone:
    """Configuration and weights of a backbone that is not shipped, from a file or the network."""
    input:
        own=own_backbone_files,
    output:
        config="<data>/backbones/{place}/open_clip_config.json",
        weights="<data>/backbones/{place}/open_clip_model.safetensors",
        receipt="<data>/backbones/{place}/receipt.json",
    log:
        "<logs>/fetch_backbone/{place}.log",
    wildcard_constraints:
        place="|".join(map(re.escape, BACKBONE_PLACES)),
    priority: FIRST
    localrule: True
    conda:
        "../../envs/ptnl.yaml"
    params:
        *code("fetch_backbone"),
        source=backbone_source,
        downloads=subpath(output.receipt, parent=True),
        manual=subpath(output.receipt, ancestor=3),
    shell:
        "python -m ptnl.cli.job fetch_backbone {params.source:q} "
        "--downloads {params.downloads:q} --manual {params.manual:q}/manual --config {output.config:q} "
        "--weights {output.weights:q} --receipt {output.receipt:q} > {log:q} 2>&1"


rule encode_images:
    """The features of a data set's images with a backbone, in the order of the manifest."""
    input:
        **BACKBONE_FILES,
        receipt=dataset_receipt,
        manifest="<results>/manifests/{dataset}.parquet",
    output:
        "<results>/features/{dataset}/{backbone}.npy",
    log:
        "<logs>/encode_images/{dataset}/{backbone}.log",
    priority: FIRST
    conda:
        "../../envs/ptnl.yaml"
    threads: 1
    resources:
        gpu=1,
        gpu_share=config["gpu_share"],
        mem_mb=doubled(4000),
        runtime=doubled(60),
    params:
        *code("encode_images"),
        model=backbone_options,
        assets=backbone_assets,
        precision=config["precision"],
        transparent_on=config["transparent_on"],
        device=config["device"],
    shell:
        "python -m ptnl.cli.job --record {log:q} encode_images --manifest {input.manifest:q} --receipt {input.receipt:q} "
        "{params.model:q} "
        "--precision {params.precision:q} --transparent-on {params.transparent_on:q} "
        "--device {params.device:q} --gpu-share {resources.gpu_share:q} --threads {threads} "
        "--out {output:q} > {log:q} 2>&1"


rule encode_views:
    """The features of augmented views of a seed's training images."""
    input:
        **BACKBONE_FILES,
        receipt=dataset_receipt,
        shots="<results>/shots/{dataset}/seed-{seed}.parquet",
        draws=draws_of_images,
    output:
        features="<results>/views/{dataset}/{backbone}/seed-{seed}.npy",
        images="<results>/views/{dataset}/{backbone}/seed-{seed}.parquet",
    log:
        "<logs>/encode_views/{dataset}/{backbone}/seed-{seed}.log",
    priority: FIRST
    conda:
        "../../envs/ptnl.yaml"
    threads: 1
    resources:
        gpu=1,
        gpu_share=config["gpu_share"],
        mem_mb=doubled(4000),
        runtime=doubled(60),
    params:
        *code("encode_views"),
        model=backbone_options,
        assets=backbone_assets,
        views=view_options,
        precision=config["precision"],
        transparent_on=config["transparent_on"],
        device=config["device"],
    shell:
        "python -m ptnl.cli.job --record {log:q} encode_views --shots {input.shots:q} --draws {input.draws:q} "
        "--receipt {input.receipt:q} {params.model:q} "
        "--precision {params.precision:q} --seed {wildcards.seed:q} "
        "--transparent-on {params.transparent_on:q} "
        "{params.views:q} "
        "--device {params.device:q} --gpu-share {resources.gpu_share:q} --threads {threads} "
        "--out {output.features:q} --images {output.images:q} > {log:q} 2>&1"


rule pseudolabel_zeroshot:
    """Zero-shot predictions for every image, and the zero-shot run of the study."""
    input:
        **BACKBONE_FILES,
        manifest="<results>/manifests/{dataset}.parquet",
        features="<results>/features/{dataset}/{backbone}.npy",
    output:
        labels="<results>/pseudolabels/{dataset}/{backbone}.parquet",
        metrics="<results>/runs/{dataset}/{backbone}/zero_shot/none/fp-0/seed-0/metrics.json",
        logits="<results>/runs/{dataset}/{backbone}/zero_shot/none/fp-0/seed-0/logits.npy",
    log:
        "<logs>/pseudolabel_zeroshot/{dataset}/{backbone}.log",
    priority: FIRST
    conda:
        "../../envs/ptnl.yaml"
    threads: 1
    resources:
        gpu=1,
        gpu_share=config["gpu_share"],
        mem_mb=doubled(4000),
        runtime=doubled(60),
    params:
        *code("pseudolabel_zeroshot"),
        model=backbone_options,
        assets=backbone_assets,
        device=config["device"],
        shots=config["shots"],
        template=template,
        run=subpath(output.metrics, parent=True),
    shell:
        "python -m ptnl.cli.job --record {log:q} pseudolabel_zeroshot --manifest {input.manifest:q} "
        "--features {input.features:q} --dataset {wildcards.dataset:q} "
        "--template {params.template:q} {params.model:q} "
        "--shots {params.shots:q} --device {params.device:q} --gpu-share {resources.gpu_share:q} "
        "--threads {threads} --labels {output.labels:q} --run {params.run:q} > {log:q} 2>&1"
