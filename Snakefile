import json
import os
import re
import shlex
from functools import cache
from pathlib import Path

from snakemake.exceptions import WorkflowError
from snakemake.utils import min_version

from ptnl.backbones.registry import IMAGE_ENCODERS, Shipped, backbones_of
from ptnl.study.config import Rules, study_config
from ptnl.data import datasets_of, options_of
from ptnl.data.changes import check_place, state_of
from ptnl.errors import InputError
from ptnl.study.strict_yaml import read_yaml
from ptnl.machine import gpus
from ptnl.study import grid
from ptnl.study import layouts
from ptnl.methods import METHODS
from ptnl.labels.noise import NOISES
from ptnl.provenance import checksum
from ptnl.labels.pseudo_labels import SELECTIONS
from ptnl.schemas import RUN_FILES, ZERO_SHOT_FILES

min_version("9.20")


configfile: "config.yaml"


include: "workflow/rules/common.smk"


validate_config()
DATASETS = datasets_of(config)
BACKBONES = backbones_of(config)


pathvars:
    results=f"results/{config['study']}",
    data=config["data_root"],
    logs="<results>/logs",


wildcard_constraints:
    dataset="|".join(DATASETS),
    backbone="|".join(map(re.escape, BACKBONES)),
    method="|".join(METHODS),
    noise="|".join([*config["noise"], *SELECTIONS]),
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
include: "workflow/rules/overview.smk"
include: "workflow/rules/report.smk"


onstart:
    for sentence in layouts.left_out(config):
        logger.info(sentence)
    if config["device"] == "auto" and workflow.local_exec and not gpus.has_gpu():
        logger.info("No GPU on this machine: models run on the CPU.")


rule all:
    """Every table, figure and verdict of the study, and every run behind them."""
    default_target: True
    input:
        rules.collect_runs.output,
        lost_run_files,
        rules.overview.input,
        rules.all_tables.input,
        rules.all_figures.input,
        rules.check_claims.output,
        rules.report_data.output,
        rules.check_zeroshot.output if grid.zero_shot_runs(config) else [],
        rules.report_noise.output,
        rules.report_cost.output,
        rules.write_report.output,
    localrule: True
