# What the paper measures beside accuracy over noise: random prompts, pseudo-labels, ensembles of
# seeds, gradients of wrong labels.


rule evaluate_random_prompts:
    """Test images classified with prompts of random context tokens."""
    input:
        **BACKBONE_FILES,
        manifest="<results>/manifests/{dataset}.parquet",
        features="<results>/features/{dataset}/{backbone}.npy",
    output:
        accuracy="<results>/random_prompts/{dataset}/{backbone}/accuracy.parquet",
        confusion="<results>/random_prompts/{dataset}/{backbone}/confusion.parquet",
    log:
        "<logs>/evaluate_random_prompts/{dataset}/{backbone}.log",
    benchmark:
        "<results>/benchmarks/evaluate_random_prompts/{dataset}/{backbone}.tsv"
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
        "python -m ptnl.cli.evaluate_random_prompts --dataset {wildcards.dataset:q} "
        "{params.model:q} "
        "--manifest {input.manifest:q} --features {input.features:q} "
        "--context-length {params.settings[context_length]:q} --draws {params.settings[draws]:q} "
        "--device {params.device:q} --gpu-share {resources.gpu_share:q} --threads {threads} "
        "--accuracy {output.accuracy:q} --confusion {output.confusion:q} > {log:q} 2>&1"


rule sample_pseudolabels:
    """Training images with their zero-shot labels, some of every predicted class, for every seed."""
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
    localrule: True
    conda:
        "../../envs/ptnl.yaml"
    params:
        *code("sample_pseudolabels", by="noise", reach=selection_code()),
        shots=config["shots"],
        seeds=config["seeds"],
    shell:
        "python -m ptnl.cli.sample_pseudolabels --labels {input.labels:q} "
        "--selection {wildcards.noise:q} --shots {params.shots:q} --seed {params.seeds:q} "
        "--out {output:q} > {log:q} 2>&1"


rule ensemble_runs:
    """Predictions of all seeds of an unsupervised sweep together."""
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
        "python -m ptnl.cli.ensemble_runs --runs {params.folders:q} --manifests {input.manifests:q} "
        "--out {output:q} > {log:q} 2>&1"


rule collect_gradients:
    """What wrong and right labels pulled at the parameters, epoch by epoch."""
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
        "python -m ptnl.cli.collect_gradients --runs {params.folders:q} --out {output:q} "
        "> {log:q} 2>&1"


rule collect_splits:
    """What methods took as rightly labelled, epoch by epoch."""
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
        "python -m ptnl.cli.collect_splits --runs {params.folders:q} --out {output:q} "
        "> {log:q} 2>&1"
