# Runs -> runs.parquet -> tables, figures and verdicts on the paper's claims.


rule collect_runs:
    """One row a run, and the statistics over seeds."""
    input:
        **code("ptnl.cli.collect_runs", "ptnl.analysis.aggregate"),
        metrics=run_file("metrics.json", grid.runs(config)),
    output:
        runs="<results>/runs.parquet",
        summary="<results>/summary.parquet",
        csv=multiext("<results>/", "runs.csv", "summary.csv"),
    log:
        "<logs>/collect_runs.log",
    localrule: True
    conda:
        "../../envs/ptnl.yaml"
    shell:
        "python -m ptnl.cli.collect_runs --metrics {input.metrics} --runs {output.runs} "
        "--summary {output.summary} > {log} 2>&1"


rule make_table:
    """A table of the paper in its layout."""
    input:
        unpack(table_numbers),
        **code(
            "ptnl.cli.make_table",
            "ptnl.analysis.tables",
            "ptnl.study.layouts",
            "ptnl.analysis.published",
        ),
        published="ptnl/analysis/paper/published.csv",
    output:
        multiext("<results>/tables/table{number}", ".csv", ".md", ".tex"),
    log:
        "<logs>/make_table/table{number}.log",
    localrule: True
    conda:
        "../../envs/ptnl.yaml"
    params:
        numbers=table_options,
        backbone=config["primary_backbone"],
        study=config["study"],
        protocol=config["protocol"],
        noise=config["random_noise"],
    shell:
        "python -m ptnl.cli.make_table --table {wildcards.number} {params.numbers} "
        "--backbone {params.backbone} --study {params.study} --protocol {params.protocol} "
        "--random-noise {params.noise} --out {output} > {log} 2>&1"


rule plot_figure:
    """A figure of the paper in its layout."""
    input:
        **code("ptnl.cli.plot_figure", "ptnl.analysis.figures.style", "ptnl.study.layouts"),
        draws=figure_code,
        numbers=figure_numbers,
    output:
        multiext("<results>/figures/figure{number}", ".svg", ".pdf", ".png"),
    log:
        "<logs>/plot_figure/figure{number}.log",
    localrule: True
    conda:
        "../../envs/ptnl.yaml"
    params:
        backbone=config["primary_backbone"],
        study=config["study"],
        protocol=config["protocol"],
        noise=config["random_noise"],
    shell:
        "python -m ptnl.cli.plot_figure --figure {wildcards.number} --numbers {input.numbers} "
        "--backbone {params.backbone} --study {params.study} --protocol {params.protocol} "
        "--random-noise {params.noise} --out {output} > {log} 2>&1"


rule report_noise:
    """Wrong labels asked for and found, and different images per class."""
    input:
        **code("ptnl.cli.report_noise", "ptnl.analysis.noise_report"),
        runs="<results>/runs.parquet",
    output:
        csv="<results>/noise.csv",
        markdown="<results>/noise.md",
    log:
        "<logs>/report_noise.log",
    localrule: True
    conda:
        "../../envs/ptnl.yaml"
    params:
        study=config["study"],
        protocol=config["protocol"],
    shell:
        "python -m ptnl.cli.report_noise --runs {input.runs} --study {params.study} "
        "--protocol {params.protocol} --csv {output.csv} --markdown {output.markdown} "
        "> {log} 2>&1"


rule report_data:
    """Classes, images of each split, and images that could not be read."""
    input:
        **code("ptnl.cli.report_data", "ptnl.analysis.data_report"),
        manifests=collect("<results>/manifests/{dataset}.parquet", dataset=config["datasets"]),
    output:
        csv="<results>/datasets.csv",
        markdown="<results>/datasets.md",
    log:
        "<logs>/report_data.log",
    localrule: True
    conda:
        "../../envs/ptnl.yaml"
    params:
        study=config["study"],
    shell:
        "python -m ptnl.cli.report_data --manifests {input.manifests} --study {params.study} "
        "--csv {output.csv} --markdown {output.markdown} > {log} 2>&1"


rule check_zeroshot:
    """Zero-shot accuracy beside the published one; a warning, in the terminal too, where it is off."""
    input:
        **code(
            "ptnl.cli.check_zeroshot", "ptnl.analysis.zero_shot_check", "ptnl.analysis.published"
        ),
        published="ptnl/analysis/paper/published.csv",
        metrics=run_file("metrics.json", grid.zero_shot_runs(config)),
    output:
        csv="<results>/zeroshot.csv",
        markdown="<results>/zeroshot.md",
    log:
        "<logs>/check_zeroshot.log",
    priority: 1  # before hours are spent on wrong data
    localrule: True
    conda:
        "../../envs/ptnl.yaml"
    params:
        study=config["study"],
        protocol=config["protocol"],
    shell:
        "python -m ptnl.cli.check_zeroshot --metrics {input.metrics} --study {params.study} "
        "--protocol {params.protocol} --csv {output.csv} --markdown {output.markdown} "
        "2>&1 | tee {log} >&2"


rule report_cost:
    """Jobs, hours, memory and devices by stage and method."""
    input:
        **code("ptnl.cli.report_cost", "ptnl.analysis.cost", "ptnl.study.job_records"),
        runs="<results>/runs.parquet",
    output:
        csv="<results>/cost.csv",
        markdown="<results>/cost.md",
    log:
        "<logs>/report_cost.log",
    localrule: True
    conda:
        "../../envs/ptnl.yaml"
    params:
        benchmarks=benchmark_folder,
        study=config["study"],
    shell:
        "python -m ptnl.cli.report_cost --runs {input.runs} --benchmarks {params.benchmarks} "
        "--study {params.study} --csv {output.csv} --markdown {output.markdown} > {log} 2>&1"


rule check_claims:
    """The paper's claims: a verdict and a confidence interval for each."""
    input:
        **code(
            "ptnl.cli.check_claims",
            "ptnl.analysis.claims",
            "ptnl.analysis.claims_text",
            "ptnl.analysis.comparisons",
            "ptnl.analysis.intervals",
            "ptnl.analysis.published",
            "ptnl.analysis.verdicts",
        ),
        published="ptnl/analysis/paper/published.csv",
        runs="<results>/runs.parquet",
        gradients="<results>/gradients.parquet" if grid.gradient_runs(config) else [],
    output:
        multiext("<results>/claims", ".md", ".csv"),
    log:
        "<logs>/check_claims.log",
    localrule: True
    conda:
        "../../envs/ptnl.yaml"
    params:
        gradients=lambda wildcards, input: f"--gradients {input.gradients}" * bool(input.gradients),
        backbone=config["primary_backbone"],
        noise=config["random_noise"],
        study=config["study"],
    shell:
        "python -m ptnl.cli.check_claims --runs {input.runs} {params.gradients} "
        "--backbone {params.backbone} --random-noise {params.noise} "
        "--study {params.study} --out {output} > {log} 2>&1"


rule write_report:
    """One page: overview, single classes, claims, tables, figures, noise, settings and cost."""
    input:
        **code("ptnl.cli.write_report", "ptnl.analysis.report", "ptnl.study.layouts"),
        template="ptnl/analysis/templates/report.html.jinja",
        config=rules.write_config.output,
        runs="<results>/runs.parquet",
        overview="<results>/tables/overview.md",
        overview_figure="<results>/figures/overview.svg",
        classes=collect("<results>/figures/classes_{dataset}.svg", dataset=config["datasets"]),
        confusion=collect("<results>/figures/confusion_{dataset}.svg", dataset=config["datasets"]),
        learning=collect("<results>/figures/learning_{dataset}.svg", dataset=config["datasets"]),
        mistakes=collect("<results>/details/{dataset}/mistakes.md", dataset=config["datasets"]),
        tables=collect("<results>/tables/table{number}.md", number=TABLES),
        figures=collect("<results>/figures/figure{number}.svg", number=FIGURES),
        claims="<results>/claims.md",
        data="<results>/datasets.md",
        zeroshot="<results>/zeroshot.md" if grid.zero_shot_runs(config) else [],
        noise="<results>/noise.md",
        cost="<results>/cost.md",
    output:
        "<results>/report.html",
    log:
        "<logs>/write_report.log",
    localrule: True
    conda:
        "../../envs/ptnl.yaml"
    shell:
        "python -m ptnl.cli.write_report --config {input.config} --runs {input.runs} "
        "--overview {input.overview} --overview-figure {input.overview_figure} "
        "--class-figures {input.classes} --confusion-figures {input.confusion} "
        "--learning-figures {input.learning} --mistakes {input.mistakes} "
        "--tables {input.tables} --figures {input.figures} --claims {input.claims} "
        "--data {input.data} {input.zeroshot} --noise {input.noise} --cost {input.cost} "
        "--out {output} > {log} 2>&1"


rule report:
    """The study's report."""
    input:
        rules.write_report.output,
    localrule: True


rule all_tables:
    """Every table of the study."""
    input:
        rules.make_overview.output.tables,
        collect("<results>/tables/table{number}.{ext}", number=TABLES, ext=("csv", "md", "tex")),
    localrule: True


rule all_figures:
    """Every figure of the study."""
    input:
        rules.make_overview.output.figures,
        collect(rules.plot_details.output, dataset=config["datasets"]),
        collect("<results>/figures/figure{number}.{ext}", number=FIGURES, ext=("svg", "pdf", "png")),
    localrule: True


for number in layouts.TABLES:

    rule:
        """One table by its number, as in the paper."""
        name:
            f"table{number}"
        input:
            collect("<results>/tables/table{number}.{ext}", number=number, ext=("csv", "md", "tex")),
        localrule: True


for number in layouts.FIGURES:

    rule:
        """One figure by its number, as in the paper."""
        name:
            f"figure{number}"
        input:
            collect(
                "<results>/figures/figure{number}.{ext}", number=number, ext=("svg", "pdf", "png")
            ),
        localrule: True
