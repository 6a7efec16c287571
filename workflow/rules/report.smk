# Runs -> runs.parquet -> tables and figures.


rule collect_runs:
    """One row a run, and the statistics over seeds."""
    input:
        **code("ptnl.cli.collect_runs", "ptnl.aggregate"),
        metrics=metrics_of(grid.runs(config)),
    output:
        runs="<results>/runs.parquet",
        summary="<results>/summary.parquet",
    log:
        "<logs>/collect_runs.log",
    conda:
        "../../envs/ptnl.yaml"
    shell:
        "python -m ptnl.cli.collect_runs --metrics {input.metrics} --runs {output.runs} "
        "--summary {output.summary} > {log} 2>&1"


rule make_table:
    """A table of the paper in its layout."""
    input:
        **code("ptnl.cli.make_table", "ptnl.tables"),
        summary="<results>/summary.parquet",
    output:
        multiext("<results>/tables/table{number}", ".csv", ".md", ".tex"),
    log:
        "<logs>/make_table/table{number}.log",
    conda:
        "../../envs/ptnl.yaml"
    params:
        backbone=config["primary_backbone"],
        study=config["study"],
        protocol=config["protocol"],
        noise=config["random_noise"],
    shell:
        "python -m ptnl.cli.make_table --table {wildcards.number} --summary {input.summary} "
        "--backbone {params.backbone} --study {params.study} --protocol {params.protocol} "
        "--random-noise {params.noise} --out {output} > {log} 2>&1"


rule plot_figure:
    """A figure of the paper in its layout."""
    input:
        **code("ptnl.cli.plot_figure", "ptnl.figures"),
        summary="<results>/summary.parquet",
    output:
        multiext("<results>/figures/figure{number}", ".svg", ".pdf", ".png"),
    log:
        "<logs>/plot_figure/figure{number}.log",
    conda:
        "../../envs/ptnl.yaml"
    params:
        backbone=config["primary_backbone"],
        study=config["study"],
        protocol=config["protocol"],
        noise=config["random_noise"],
    shell:
        "python -m ptnl.cli.plot_figure --figure {wildcards.number} --summary {input.summary} "
        "--backbone {params.backbone} --study {params.study} --protocol {params.protocol} "
        "--random-noise {params.noise} --out {output} > {log} 2>&1"


rule report_noise:
    """Wrong labels asked for and found, and different images per class."""
    input:
        **code("ptnl.cli.report_noise", "ptnl.noise_report"),
        runs="<results>/runs.parquet",
    output:
        csv="<results>/noise.csv",
        markdown="<results>/noise.md",
    log:
        "<logs>/report_noise.log",
    conda:
        "../../envs/ptnl.yaml"
    params:
        study=config["study"],
        protocol=config["protocol"],
    shell:
        "python -m ptnl.cli.report_noise --runs {input.runs} --study {params.study} "
        "--protocol {params.protocol} --csv {output.csv} --markdown {output.markdown} "
        "> {log} 2>&1"


rule all_tables:
    """Every table of the study."""
    input:
        collect("<results>/tables/table{number}.{ext}", number=TABLES, ext=("csv", "md", "tex")),
    localrule: True


rule all_figures:
    """Every figure of the study."""
    input:
        collect("<results>/figures/figure{number}.{ext}", number=FIGURES, ext=("svg", "pdf", "png")),
    localrule: True


for number in TABLES:

    rule:
        """One table by its number, as in the paper."""
        name:
            f"table{number}"
        input:
            collect("<results>/tables/table{number}.{ext}", number=number, ext=("csv", "md", "tex")),
        localrule: True


for number in FIGURES:

    rule:
        """One figure by its number, as in the paper."""
        name:
            f"figure{number}"
        input:
            collect(
                "<results>/figures/figure{number}.{ext}", number=number, ext=("svg", "pdf", "png")
            ),
        localrule: True
