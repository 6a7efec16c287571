import json
from pathlib import Path

import yaml
from snakemake.exceptions import WorkflowError
from snakemake.utils import min_version, validate

from ptnl.backbones.registry import BACKBONES, IMAGE_ENCODERS
from ptnl.config import check_config
from ptnl.data import DATASETS
from ptnl.errors import InputError
from ptnl import grid, layouts
from ptnl.methods import METHODS, PSEUDO_LABELS
from ptnl.schemas import RUN_FILES, ZERO_SHOT_FILES

min_version("9.20")


configfile: "config.yaml"


include: "workflow/rules/common.smk"


validate_config()


pathvars:
    results=f"results/{config['study']}",
    data=config["data_root"],
    logs="<results>/logs",


wildcard_constraints:
    dataset="|".join(DATASETS),
    backbone="|".join(BACKBONES),
    method="|".join(METHODS),
    noise="|".join([*config["noise"], *PSEUDO_LABELS]),
    fp=r"\d+",
    seed=r"\d+",
    number=r"\d+",


TABLES = layouts.fillable(layouts.TABLES, config)
FIGURES = layouts.fillable(layouts.FIGURES, config)


include: "workflow/rules/data.smk"
include: "workflow/rules/features.smk"
include: "workflow/rules/tune.smk"
include: "workflow/rules/finetune.smk"
include: "workflow/rules/analysis.smk"
include: "workflow/rules/report.smk"


rule all:
    """Every table and figure of the study, and every run behind them."""
    default_target: True
    input:
        run_files(grid.runs(config)),
        rules.all_tables.input,
        rules.all_figures.input,
    localrule: True
