# Images -> features -> zero-shot predictions.


rule encode_images:
    """Image features of a data set, once per image and backbone, in the manifest's order."""
    input:
        **code("ptnl.cli.encode_images", "ptnl.features", "ptnl.backbones.loading"),
        backbone=backbone_assets,
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
        mem_mb=4000,
    params:
        device=config["device"],
    shell:
        "python -m ptnl.cli.encode_images --manifest {input.manifest} --receipt {input.receipt} "
        "--backbone {wildcards.backbone} --device {params.device} --threads {threads} "
        "--out {output} > {log} 2>&1"


rule pseudolabel_zeroshot:
    """Zero-shot predictions for every image, and the zero-shot run of the study."""
    input:
        **code(
            "ptnl.cli.pseudolabel_zeroshot",
            "ptnl.text.encoder",
            "ptnl.text.packing",
            "ptnl.text.prompts",
            "ptnl.text.tower",
            "ptnl.tuning",
            "ptnl.methods.zero_shot",
            "ptnl.backbones.loading",
        ),
        backbone=backbone_assets,
        manifest="<results>/manifests/{dataset}.parquet",
        features="<results>/features/{dataset}/{backbone}.npy",
    output:
        labels="<results>/pseudolabels/{dataset}/{backbone}.parquet",
        metrics="<results>/runs/{dataset}/{backbone}/zero_shot/none/fp-0/seed-0/metrics.json",
        logits="<results>/runs/{dataset}/{backbone}/zero_shot/none/fp-0/seed-0/logits.npy",
    log:
        "<logs>/pseudolabel_zeroshot/{dataset}/{backbone}.log",
    conda:
        "../../envs/ptnl.yaml"
    threads: 1
    resources:
        gpu=1,
        mem_mb=4000,
    params:
        device=config["device"],
        shots=config["shots"],
        template=template,
        run=subpath(output.metrics, parent=True),
    shell:
        "python -m ptnl.cli.pseudolabel_zeroshot --manifest {input.manifest} "
        "--features {input.features} --dataset {wildcards.dataset} "
        "--template {params.template:q} --backbone {wildcards.backbone} "
        "--shots {params.shots} --device {params.device} "
        "--threads {threads} --labels {output.labels} --run {params.run} > {log} 2>&1"
