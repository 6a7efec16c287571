# What the paper measures beside accuracy over noise: random prompts, pseudo-labels, ensembles of
# seeds, gradients of wrong labels.


rule evaluate_random_prompts:
    """Test images classified with prompts of random context tokens."""
    input:
        **code(
            "ptnl.cli.evaluate_random_prompts",
            "ptnl.methods.random_prompt",
            "ptnl.methods.prompt",
            "ptnl.machine.random_streams",
            *TEXT_TOWER,
            "ptnl.backbones.text",
        ),
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
        settings=lambda wildcards: config["methods"]["random_prompt"],
        device=config["device"],
    shell:
        "python -m ptnl.cli.evaluate_random_prompts --dataset {wildcards.dataset} "
        "--backbone {wildcards.backbone} "
        "--model-config {input.model_config} --weights {input.weights} "
        "--manifest {input.manifest} --features {input.features} "
        "--context-length {params.settings[context_length]} --draws {params.settings[draws]} "
        "--device {params.device} --gpu-share {resources.gpu_share} --threads {threads} "
        "--accuracy {output.accuracy} --confusion {output.confusion} > {log} 2>&1"


rule sample_pseudolabels:
    """Training images with their zero-shot labels, some of every predicted class, for every seed."""
    input:
        **code(
            "ptnl.cli.sample_pseudolabels",
            "ptnl.labels.pseudo_labels",
            "ptnl.machine.random_streams",
        ),
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
        shots=config["shots"],
        seeds=config["seeds"],
    shell:
        "python -m ptnl.cli.sample_pseudolabels --labels {input.labels} "
        "--selection {wildcards.noise} --shots {params.shots} --seed {params.seeds} "
        "--out {output} > {log} 2>&1"


rule ensemble_runs:
    """Predictions of all seeds of an unsupervised sweep together."""
    input:
        **code("ptnl.cli.ensemble_runs", "ptnl.analysis.aggregate"),
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
        folders=lambda wildcards, input: folders_of(input.metrics),
    shell:
        "python -m ptnl.cli.ensemble_runs --runs {params.folders} --manifests {input.manifests} "
        "--out {output} > {log} 2>&1"


rule collect_gradients:
    """What wrong and right labels pulled at the parameters, epoch by epoch."""
    input:
        **code("ptnl.cli.collect_gradients", "ptnl.analysis.aggregate"),
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
        folders=lambda wildcards, input: folders_of(input.metrics),
    shell:
        "python -m ptnl.cli.collect_gradients --runs {params.folders} --out {output} "
        "> {log} 2>&1"
