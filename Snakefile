import json
from pathlib import Path

import yaml
from snakemake.exceptions import WorkflowError
from snakemake.utils import min_version

from ptnl.backbones.registry import BACKBONES, IMAGE_ENCODERS
from ptnl.config import check_config, with_defaults
from ptnl.data import DATASETS
from ptnl.errors import InputError
from ptnl import gpus, grid, layouts
from ptnl.methods import METHODS, PSEUDO_LABELS
from ptnl.noise import NOISES
from ptnl.protocols import apply_protocol, hyper_parameters, protocol_of
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


onstart:
    if config["device"] == "auto" and workflow.local_exec and not gpus.has_gpu():
        logger.info("No GPU on this machine: models run on the CPU.")


rule all:
    """Every table, figure and verdict of the study, and every run behind them."""
    default_target: True
    input:
        rules.collect_runs.output,
        lost_run_files,
        rules.all_tables.input,
        rules.all_figures.input,
        rules.check_claims.output,
        rules.report_data.output,
        rules.check_zeroshot.output if grid.zero_shot_runs(config) else [],
        rules.report_noise.output,
        rules.write_report.output,
    localrule: True
