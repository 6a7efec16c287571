# What every study shows, whatever it runs: its config, all methods, single classes, learning curves.


rule write_config:
    """The study's whole config, with defaults and protocol, as its jobs used it."""
    output:
        "<results>/config.yaml",
    log:
        "<logs>/write_config.log",
    localrule: True
    conda:
        "../../envs/ptnl.yaml"
    params:
        *code("write_config", shows=True),
        config=json.dumps(config),
    shell:
        "python -m ptnl.cli.job write_config --config {params.config:q} --out {output:q} > {log:q} 2>&1"


rule make_overview:
    """The overview: every method at every rate, and its difference to a baseline."""
    input:
        runs="<results>/runs.parquet",
        random_prompts=random_prompt_files("accuracy.parquet"),
    output:
        tables=[
            report(
                "<results>/tables/overview.csv",
                caption="../report/overview_table.rst",
                category="Overview",
                labels={"file": "overview.csv"},
            ),
            *multiext("<results>/tables/overview", ".md", ".tex"),
        ],
        figures=[
            report(
                "<results>/figures/overview.svg",
                caption="../report/overview_figure.rst",
                category="Overview",
                labels={"file": "overview.svg"},
            ),
            *multiext("<results>/figures/overview", ".pdf", ".png"),
        ],
    log:
        "<logs>/make_overview.log",
    localrule: True
    conda:
        "../../envs/ptnl.yaml"
    params:
        *code("make_overview", shows=True),
        baseline=grid.baseline(config),
        backbone=config["primary_backbone"],
        study=config["study"],
        protocol=config["protocol"],
    shell:
        "python -m ptnl.cli.job make_overview --runs {input.runs:q} "
        "--random-prompts {input.random_prompts:q} --baseline {params.baseline:q} "
        "--backbone {params.backbone:q} --study {params.study:q} --protocol {params.protocol:q} "
        "--out {output:q} > {log:q} 2>&1"


rule collect_details:
    """Accuracy of single classes, mistakes and learning curves of all runs on a data set."""
    input:
        metrics=run_files_of_dataset("metrics.json"),
        logits=run_files_of_dataset("logits.npy"),
        manifest="<results>/manifests/{dataset}.parquet",
    output:
        classes="<results>/details/{dataset}/classes.parquet",
        mistakes="<results>/details/{dataset}/mistakes.parquet",
        curves="<results>/details/{dataset}/curves.parquet",
    log:
        "<logs>/collect_details/{dataset}.log",
    localrule: True
    conda:
        "../../envs/ptnl.yaml"
    params:
        *code("collect_details", shows=True),
        folders=lambda wildcards, input: folders_of(input.metrics),
    shell:
        "printf '%s\\0' {params.folders:q} | "
        "python -m ptnl.cli.job collect_details --runs - --manifest {input.manifest:q} "
        "--classes {output.classes:q} --mistakes {output.mistakes:q} --curves {output.curves:q} "
        "> {log:q} 2>&1"


rule collect_predictions:
    """Each method's prediction for each test image, with the study's first seed."""
    input:
        metrics=run_file("metrics.json", grid.predicted_runs(config)),
        logits=run_file("logits.npy", grid.predicted_runs(config)),
        manifests=collect("<results>/manifests/{dataset}.parquet", dataset=config["datasets"]),
    output:
        "<results>/predictions.parquet",
    log:
        "<logs>/collect_predictions.log",
    localrule: True
    conda:
        "../../envs/ptnl.yaml"
    params:
        *code("collect_predictions"),
        folders=lambda wildcards, input: folders_of(input.metrics),
    shell:
        "printf '%s\\0' {params.folders:q} | "
        "python -m ptnl.cli.job collect_predictions --runs - "
        "--manifests {input.manifests:q} --out {output:q} > {log:q} 2>&1"


rule select_hard_images:
    """The test images that every method gets wrong, as thumbnails."""
    input:
        predictions="<results>/predictions.parquet",
        receipts=[
            f"<data>/{dataset_place(config, name)}/receipt.json" for name in config["datasets"]
        ],
    output:
        "<results>/hard_images.parquet",
    log:
        "<logs>/select_hard_images.log",
    localrule: True
    conda:
        "../../envs/ptnl.yaml"
    params:
        *code("select_hard_images"),
        datasets=config["datasets"],
        backbone=config["primary_backbone"],
        transparent_on=config["transparent_on"],
    shell:
        "python -m ptnl.cli.job select_hard_images --predictions {input.predictions:q} "
        "--datasets {params.datasets:q} --receipts {input.receipts:q} --backbone {params.backbone:q} "
        "--transparent-on {params.transparent_on:q} --out {output:q} > {log:q} 2>&1"


rule plot_details:
    """Figures of single classes, confusion matrices and learning curves on a data set."""
    input:
        classes="<results>/details/{dataset}/classes.parquet",
        mistakes="<results>/details/{dataset}/mistakes.parquet",
        curves="<results>/details/{dataset}/curves.parquet",
    output:
        classes=[
            report(
                "<results>/figures/classes_{dataset}.svg",
                caption="../report/classes.rst",
                category="Classes and training",
                labels={"data set": "{dataset}", "figure": "classes"},
            ),
            *multiext("<results>/figures/classes_{dataset}", ".pdf", ".png"),
        ],
        confusion=[
            report(
                "<results>/figures/confusion_{dataset}.svg",
                caption="../report/confusion.rst",
                category="Classes and training",
                labels={"data set": "{dataset}", "figure": "confusion"},
            ),
            *multiext("<results>/figures/confusion_{dataset}", ".pdf", ".png"),
        ],
        learning=[
            report(
                "<results>/figures/learning_{dataset}.svg",
                caption="../report/learning.rst",
                category="Classes and training",
                labels={"data set": "{dataset}", "figure": "learning"},
            ),
            *multiext("<results>/figures/learning_{dataset}", ".pdf", ".png"),
        ],
        mistakes="<results>/details/{dataset}/mistakes.md",
    log:
        "<logs>/plot_details/{dataset}.log",
    localrule: True
    conda:
        "../../envs/ptnl.yaml"
    params:
        *code("plot_details", shows=True),
        backbone=config["primary_backbone"],
        noise=config["random_noise"],
        study=config["study"],
        protocol=config["protocol"],
    shell:
        "python -m ptnl.cli.job plot_details --classes {input.classes:q} --mistakes {input.mistakes:q} "
        "--curves {input.curves:q} --backbone {params.backbone:q} --noise {params.noise:q} "
        "--study {params.study:q} --protocol {params.protocol:q} "
        "--class-figure {output.classes:q} --confusion-figure {output.confusion:q} "
        "--learning-figure {output.learning:q} --markdown {output.mistakes:q} > {log:q} 2>&1"


rule overview:
    """The study's own tables and figures."""
    input:
        rules.write_config.output,
        rules.make_overview.output,
        collect(rules.plot_details.output, dataset=config["datasets"]),
    localrule: True
