# Further measurements: random prompts, pseudo-labels, ensembles of seeds, gradients of wrong labels,
# prompts tuned at test time.


rule evaluate_random_prompts:
    """Accuracy of prompts of random context tokens on the test images."""
    input:
        **BACKBONE_FILES,
        manifest="<results>/manifests/{dataset}.parquet",
        features="<results>/features/{dataset}/{backbone}.npy",
    output:
        accuracy="<results>/random_prompts/{dataset}/{backbone}/accuracy.parquet",
        confusion="<results>/random_prompts/{dataset}/{backbone}/confusion.parquet",
    log:
        "<logs>/evaluate_random_prompts/{dataset}/{backbone}.log",
    conda:
        "../../envs/ptnl.yaml"
    threads: 1
    resources:
        gpu=1,
        gpu_share=config["gpu_share"],
        mem_mb=doubled(4000),
        runtime=doubled(60),
    params:
        *code("evaluate_random_prompts"),
        model=backbone_options,
        assets=backbone_assets,
        settings=lambda wildcards: config["methods"]["random_prompt"],
        device=config["device"],
    shell:
        "python -m ptnl.cli.job --record {log:q} evaluate_random_prompts --dataset {wildcards.dataset:q} "
        "{params.model:q} "
        "--manifest {input.manifest:q} --features {input.features:q} "
        "--context-length {params.settings[context_length]:q} --draws {params.settings[draws]:q} "
        "--device {params.device:q} --gpu-share {resources.gpu_share:q} --threads {threads} "
        "--accuracy {output.accuracy:q} --confusion {output.confusion:q} > {log:q} 2>&1"


rule encode_test_views:
    """The features of augmented views of the test images."""
    input:
        **BACKBONE_FILES,
        receipt=dataset_receipt,
        manifest="<results>/manifests/{dataset}.parquet",
    output:
        "<results>/test_views/{dataset}/{backbone}.npy",
    log:
        "<logs>/encode_test_views/{dataset}/{backbone}.log",
    conda:
        "../../envs/ptnl.yaml"
    threads: 1
    resources:
        gpu=1,
        gpu_share=config["gpu_share"],
        mem_mb=doubled(4000),
        runtime=doubled(60),
    params:
        *code("encode_test_views"),
        model=backbone_options,
        assets=backbone_assets,
        views=test_view_options,
        precision=config["precision"],
        transparent_on=config["transparent_on"],
        device=config["device"],
    shell:
        "python -m ptnl.cli.job --record {log:q} encode_test_views --manifest {input.manifest:q} "
        "--receipt {input.receipt:q} {params.model:q} "
        "--precision {params.precision:q} --transparent-on {params.transparent_on:q} "
        "{params.views:q} "
        "--device {params.device:q} --gpu-share {resources.gpu_share:q} --threads {threads} "
        "--out {output:q} > {log:q} 2>&1"


rule evaluate_tpt:
    """Accuracy of prompts that are tuned for one step on each test image (TPT)."""
    input:
        **BACKBONE_FILES,
        manifest="<results>/manifests/{dataset}.parquet",
        views="<results>/test_views/{dataset}/{backbone}.npy",
        starts=tpt_start_files,
    output:
        "<results>/tpt/{dataset}/{backbone}.parquet",
    log:
        "<logs>/evaluate_tpt/{dataset}/{backbone}.log",
    conda:
        "../../envs/ptnl.yaml"
    threads: 1
    resources:
        gpu=1,
        gpu_share=config["gpu_share"],
        mem_mb=doubled(4000),
        runtime=doubled(60),
    params:
        *code("evaluate_tpt"),
        model=backbone_options,
        assets=backbone_assets,
        settings=lambda wildcards: as_json(config["methods"]["tpt"]),
        folders=lambda wildcards, input: folders_of(input.starts),
        device=config["device"],
    shell:
        "python -m ptnl.cli.job --record {log:q} evaluate_tpt --dataset {wildcards.dataset:q} {params.model:q} "
        "--manifest {input.manifest:q} --views {input.views:q} --runs {params.folders:q} "
        "--settings {params.settings:q} "
        "--device {params.device:q} --gpu-share {resources.gpu_share:q} --threads {threads} "
        "--out {output:q} > {log:q} 2>&1"


rule sample_pseudolabels:
    """For every seed, training images with zero-shot pseudo-labels, some of each predicted class."""
    input:
        labels="<results>/pseudolabels/{dataset}/{backbone}.parquet",
    output:
        expand(
            "<results>/pseudoshots/{dataset}/{backbone}/{noise}/seed-{seed}.parquet",
            seed=config["seeds"],
            allow_missing=True,
        ),
    log:
        "<logs>/sample_pseudolabels/{dataset}/{backbone}/{noise}.log",
    priority: FIRST
    localrule: True
    conda:
        "../../envs/ptnl.yaml"
    params:
        *code("sample_pseudolabels", by="noise", reach=selection_code()),
        shots=config["shots"],
        seeds=config["seeds"],
    shell:
        "python -m ptnl.cli.job sample_pseudolabels --labels {input.labels:q} "
        "--selection {wildcards.noise:q} --shots {params.shots:q} --seed {params.seeds:q} "
        "--out {output:q} > {log:q} 2>&1"


rule ensemble_runs:
    """Accuracy of the seeds of an unsupervised sweep together, as an ensemble."""
    input:
        metrics=run_file("metrics.json", grid.pseudo_label_runs(config)),
        logits=run_file("logits.npy", grid.pseudo_label_runs(config)),
        manifests=collect("<results>/manifests/{dataset}.parquet", dataset=config["datasets"]),
    output:
        "<results>/ensembles.parquet",
    log:
        "<logs>/ensemble_runs.log",
    localrule: True
    conda:
        "../../envs/ptnl.yaml"
    params:
        *code("ensemble_runs"),
        folders=lambda wildcards, input: folders_of(input.metrics),
    shell:
        "printf '%s\\0' {params.folders:q} | "
        "python -m ptnl.cli.job ensemble_runs --runs - --manifests {input.manifests:q} "
        "--out {output:q} > {log:q} 2>&1"


rule collect_gradients:
    """Gradient norms of wrong and right labels, epoch by epoch."""
    input:
        metrics=run_file("metrics.json", grid.gradient_runs(config)),
        histories=run_file("history.parquet", grid.gradient_runs(config)),
    output:
        "<results>/gradients.parquet",
    log:
        "<logs>/collect_gradients.log",
    localrule: True
    conda:
        "../../envs/ptnl.yaml"
    params:
        *code("collect_gradients"),
        folders=lambda wildcards, input: folders_of(input.metrics),
    shell:
        "printf '%s\\0' {params.folders:q} | "
        "python -m ptnl.cli.job collect_gradients --runs - --out {output:q} "
        "> {log:q} 2>&1"


rule collect_splits:
    """Which labels methods took to be right, epoch by epoch."""
    input:
        metrics=run_file("metrics.json", grid.split_runs(config)),
        histories=run_file("history.parquet", grid.split_runs(config)),
    output:
        "<results>/splits.parquet",
    log:
        "<logs>/collect_splits.log",
    localrule: True
    conda:
        "../../envs/ptnl.yaml"
    params:
        *code("collect_splits"),
        folders=lambda wildcards, input: folders_of(input.metrics),
    shell:
        "printf '%s\\0' {params.folders:q} | "
        "python -m ptnl.cli.job collect_splits --runs - --out {output:q} "
        "> {log:q} 2>&1"
