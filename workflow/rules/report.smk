# Runs -> runs.parquet -> tables, figures and verdicts on the paper's claims.


rule collect_runs:
    """The table of all runs, and statistics over seeds."""
    input:
        metrics=run_file("metrics.json", grid.runs(config)),
    output:
        runs="<results>/runs.parquet",
        summary="<results>/summary.parquet",
        csv=report(
            "<results>/runs.csv",
            caption="../report/runs.rst",
            category="Study",
            labels={"file": "runs.csv"},
        ),
        summary_csv="<results>/summary.csv",
    log:
        "<logs>/collect_runs.log",
    localrule: True
    conda:
        "../../envs/ptnl.yaml"
    params:
        *code("collect_runs", shows=True),
    shell:
        "printf '%s\\0' {input.metrics:q} | "
        "python -m ptnl.cli.job collect_runs --metrics - --runs {output.runs:q} "
        "--summary {output.summary:q} > {log:q} 2>&1"


rule make_table:
    """A table of the paper in its layout."""
    input:
        unpack(table_numbers),
    output:
        report(
            "<results>/tables/table{number}.csv",
            caption="../report/table.rst",
            category="The paper's tables",
            labels={"table": "{number}"},
        ),
        multiext("<results>/tables/table{number}", ".md", ".tex"),
    log:
        "<logs>/make_table/table{number}.log",
    localrule: True
    conda:
        "../../envs/ptnl.yaml"
    params:
        *code("make_table", by="number", reach=layout_code("TABLES", TABLES), shows=True),
        published=PUBLISHED,
        later=LATER,
        numbers=table_options,
        backbone=config["primary_backbone"],
        study=config["study"],
        protocol=config["protocol"],
        noise=config["random_noise"],
    shell:
        "python -m ptnl.cli.job make_table --table {wildcards.number:q} {params.numbers:q} "
        "--backbone {params.backbone:q} --study {params.study:q} --protocol {params.protocol:q} "
        "--random-noise {params.noise:q} --out {output:q} > {log:q} 2>&1"


rule plot_figure:
    """A figure of the paper in its layout."""
    input:
        numbers=figure_numbers,
    output:
        report(
            "<results>/figures/figure{number}.svg",
            caption="../report/figure.rst",
            category="The paper's figures",
            labels={"figure": "{number}"},
        ),
        multiext("<results>/figures/figure{number}", ".pdf", ".png"),
    log:
        "<logs>/plot_figure/figure{number}.log",
    localrule: True
    conda:
        "../../envs/ptnl.yaml"
    params:
        *code("plot_figure", by="number", reach=layout_code("FIGURES", FIGURES), shows=True),
        backbone=config["primary_backbone"],
        study=config["study"],
        protocol=config["protocol"],
        noise=config["random_noise"],
    shell:
        "python -m ptnl.cli.job plot_figure --figure {wildcards.number:q} --numbers {input.numbers:q} "
        "--backbone {params.backbone:q} --study {params.study:q} --protocol {params.protocol:q} "
        "--random-noise {params.noise:q} --out {output:q} > {log:q} 2>&1"


rule report_noise:
    """The noise that was asked for and that was found, and how many images a class has."""
    input:
        runs="<results>/runs.parquet",
    output:
        csv=report(
            "<results>/noise.csv",
            caption="../report/noise.rst",
            category="Study",
            labels={"file": "noise.csv"},
        ),
        markdown="<results>/noise.md",
    log:
        "<logs>/report_noise.log",
    localrule: True
    conda:
        "../../envs/ptnl.yaml"
    params:
        *code("report_noise", shows=True),
        study=config["study"],
        protocol=config["protocol"],
    shell:
        "python -m ptnl.cli.job report_noise --runs {input.runs:q} --study {params.study:q} "
        "--protocol {params.protocol:q} --csv {output.csv:q} --markdown {output.markdown:q} "
        "> {log:q} 2>&1"


rule report_data:
    """Classes, images of each split, unreadable images, and norms of features."""
    input:
        manifests=collect("<results>/manifests/{dataset}.parquet", dataset=config["datasets"]),
        features=[f"<results>/features/{d}/{b}.npy" for d, b in grid.encoded(config)],
    output:
        csv=report(
            "<results>/datasets.csv",
            caption="../report/data.rst",
            category="Study",
            labels={"file": "datasets.csv"},
        ),
        norms="<results>/feature_norms.csv",
        markdown="<results>/datasets.md",
    log:
        "<logs>/report_data.log",
    localrule: True
    conda:
        "../../envs/ptnl.yaml"
    params:
        *code("report_data", shows=True),
        encoded=[f"{dataset}/{backbone}" for dataset, backbone in grid.encoded(config)],
        c=probe_option(),
        study=config["study"],
    shell:
        "python -m ptnl.cli.job report_data --manifests {input.manifests:q} --study {params.study:q} "
        "--features {input.features:q} --encoded {params.encoded:q} {params.c:q} "
        "--norms {output.norms:q} --csv {output.csv:q} --markdown {output.markdown:q} > {log:q} 2>&1"


rule check_zeroshot:
    """Zero-shot accuracy and the published one; warn, in the terminal too, if they differ."""
    input:
        metrics=run_file("metrics.json", grid.zero_shot_runs(config)),
    output:
        csv=report(
            "<results>/zeroshot.csv",
            caption="../report/zero_shot.rst",
            category="Study",
            labels={"file": "zeroshot.csv"},
        ),
        markdown="<results>/zeroshot.md",
    log:
        "<logs>/check_zeroshot.log",
    priority: FIRST  # before hours are spent on wrong data
    localrule: True
    conda:
        "../../envs/ptnl.yaml"
    params:
        *code("check_zeroshot", shows=True),
        published=PUBLISHED,
        study=config["study"],
        protocol=config["protocol"],
    shell:
        "python -m ptnl.cli.job check_zeroshot --metrics {input.metrics:q} --study {params.study:q} "
        "--protocol {params.protocol:q} --csv {output.csv:q} --markdown {output.markdown:q} "
        "2>&1 | tee {log:q} >&2"


rule report_cost:
    """Jobs, hours, memory and devices by stage and method."""
    input:
        runs="<results>/runs.parquet",
        config="<results>/config.yaml",
    output:
        csv=report(
            "<results>/cost.csv",
            caption="../report/cost.rst",
            category="Study",
            labels={"file": "cost.csv"},
        ),
        markdown="<results>/cost.md",
    log:
        "<logs>/report_cost.log",
    localrule: True
    conda:
        "../../envs/ptnl.yaml"
    params:
        *code("report_cost", shows=True),
        records=record_folder,
        study=config["study"],
    shell:
        "python -m ptnl.cli.job report_cost --runs {input.runs:q} --records {params.records:q} "
        "--config {input.config:q} --study {params.study:q} --csv {output.csv:q} --markdown {output.markdown:q} > {log:q} 2>&1"


rule rank_methods:
    """Mean ranks of methods over data sets, and their gains over prompt tuning."""
    input:
        runs="<results>/runs.parquet",
    output:
        csv=report(
            "<results>/ranks.csv",
            caption="../report/ranks.rst",
            category="Study",
            labels={"file": "ranks.csv"},
        ),
        markdown="<results>/ranks.md",
    log:
        "<logs>/rank_methods.log",
    localrule: True
    conda:
        "../../envs/ptnl.yaml"
    params:
        *code("rank_methods", shows=True),
        backbone=config["primary_backbone"],
        study=config["study"],
        protocol=config["protocol"],
    shell:
        "python -m ptnl.cli.job rank_methods --runs {input.runs:q} --backbone {params.backbone:q} "
        "--study {params.study:q} --protocol {params.protocol:q} --csv {output.csv:q} "
        "--markdown {output.markdown:q} > {log:q} 2>&1"


rule report_tpt:
    """How much tuning the prompt on each test image (TPT) adds to the prompts that it starts with."""
    input:
        [f"<results>/tpt/{dataset}/{backbone}.parquet" for dataset, backbone in TUNED_AT_TEST],
    output:
        csv=report(
            "<results>/tpt.csv",
            caption="../report/tpt.rst",
            category="Study",
            labels={"file": "tpt.csv"},
        ),
        markdown="<results>/tpt.md",
    log:
        "<logs>/report_tpt.log",
    localrule: True
    conda:
        "../../envs/ptnl.yaml"
    params:
        *code("report_tpt", shows=True),
        backbone=config["primary_backbone"],
        study=config["study"],
        protocol=config["protocol"],
    shell:
        "python -m ptnl.cli.job report_tpt --evaluated {input:q} --backbone {params.backbone:q} "
        "--study {params.study:q} --protocol {params.protocol:q} --csv {output.csv:q} "
        "--markdown {output.markdown:q} > {log:q} 2>&1"


rule check_claims:
    """The paper's claims: a verdict and a confidence interval for each."""
    input:
        runs="<results>/runs.parquet",
        gradients="<results>/gradients.parquet" if grid.gradient_runs(config) else [],
    output:
        "<results>/claims.md",
        report(
            "<results>/claims.csv",
            caption="../report/claims.rst",
            category="The paper's claims",
            labels={"file": "claims.csv"},
        ),
    log:
        "<logs>/check_claims.log",
    localrule: True
    conda:
        "../../envs/ptnl.yaml"
    params:
        *code("check_claims", shows=True),
        published=PUBLISHED,
        backbone=config["primary_backbone"],
        noise=config["random_noise"],
        study=config["study"],
    shell:
        "python -m ptnl.cli.job check_claims --runs {input.runs:q} --gradients {input.gradients:q} "
        "--backbone {params.backbone:q} --random-noise {params.noise:q} "
        "--study {params.study:q} --out {output:q} > {log:q} 2>&1"


rule write_report:
    """One page: overview, single classes, claims, tables, figures, noise, settings and cost."""
    input:
        config=rules.write_config.output,
        runs="<results>/runs.parquet",
        overview="<results>/tables/overview.md",
        overview_figure="<results>/figures/overview.svg",
        classes=collect("<results>/figures/classes_{dataset}.svg", dataset=config["datasets"]),
        confusion=collect("<results>/figures/confusion_{dataset}.svg", dataset=config["datasets"]),
        learning=collect("<results>/figures/learning_{dataset}.svg", dataset=config["datasets"]),
        mistakes=collect("<results>/details/{dataset}/mistakes.md", dataset=config["datasets"]),
        by_class=collect("<results>/details/{dataset}/classes.parquet", dataset=config["datasets"]),
        hard_images="<results>/hard_images.parquet",
        tables=collect("<results>/tables/table{number}.md", number=TABLES),
        ranks="<results>/ranks.md" if layouts.RANKED in TABLES else [],
        tpt="<results>/tpt.md" if TUNED_AT_TEST else [],
        figures=collect("<results>/figures/figure{number}.svg", number=FIGURES),
        claims="<results>/claims.md",
        verdicts="<results>/claims.csv",
        data="<results>/datasets.md",
        zeroshot="<results>/zeroshot.md" if grid.zero_shot_runs(config) else [],
        noise="<results>/noise.md",
        cost="<results>/cost.md",
    output:
        report(
            "<results>/report.html",
            caption="../report/report.rst",
            category="Report",
            labels={"file": "report.html"},
        ),
    log:
        "<logs>/write_report.log",
    localrule: True
    conda:
        "../../envs/ptnl.yaml"
    params:
        *code("write_report", shows=True),
        template=shipped_file("analysis/templates/report.html.jinja"),
        script=shipped_file("analysis/templates/sortable-tablesort.min.js"),
    shell:
        "python -m ptnl.cli.job write_report --config {input.config:q} --runs {input.runs:q} "
        "--overview {input.overview:q} --overview-figure {input.overview_figure:q} "
        "--class-figures {input.classes:q} --confusion-figures {input.confusion:q} "
        "--learning-figures {input.learning:q} --mistakes {input.mistakes:q} "
        "--classes {input.by_class:q} --hard-images {input.hard_images:q} "
        "--tables {input.tables:q} --ranks {input.ranks:q} {input.tpt:q} --figures {input.figures:q} "
        "--claims {input.claims:q} --verdicts {input.verdicts:q} "
        "--data {input.data:q} {input.zeroshot:q} --noise {input.noise:q} --cost {input.cost:q} "
        "--out {output:q} > {log:q} 2>&1"


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
