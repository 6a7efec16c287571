import json
import re
from dataclasses import fields
from functools import cache
from pathlib import Path

from snakemake.exceptions import WorkflowError
from snakemake.utils import min_version

from ptnl.machine import garbage

garbage.search_rarely()

from ptnl.backbones.registry import BACKBONES as REGISTERED_BACKBONES
from ptnl.backbones.registry import IMAGE_ENCODERS, Shipped, backbones_of
from ptnl.data import DATASETS as REGISTERED_DATASETS
from ptnl.data import datasets_of, image_options, options_of
from ptnl.data.changes import check_place, state_of
from ptnl.errors import InputError
from ptnl.labels.noise import NOISES
from ptnl.labels.pseudo_labels import SELECTIONS
from ptnl.machine import gpus, interpreter, job_server
from ptnl.methods import METHODS
from ptnl.schemas import RUN_FILES
from ptnl.study import grid, layouts
from ptnl.study.config import REPOSITORY, study_of
from ptnl.study.disk import existence
from ptnl.study.jobs import study_jobs
from ptnl.study.operation_counts import training_gflops
from ptnl.study.places import backbone_place, dataset_place
from ptnl.study.planning import missing_files
from ptnl.study.source_code import (
    ASSETS,
    as_line,
    decisive_code,
    is_defined,
    shipped_asset,
    shipped_file,
)
from ptnl.study.strict_yaml import read_yaml

min_version("9.20")

interpreter.put_first(REPOSITORY)


report: "workflow/report/workflow.rst"


include: "workflow/rules/common.smk"


# The user's settings (--configfile, --config, or the config of an importing workflow) override
# config.yaml.
config = checked(config)
DATASETS = datasets_of(config)
BACKBONES = backbones_of(config)
# Folder below the data root -> the data set in it.
PLACES = {dataset_place(config, name): name for name in DATASETS}
BACKBONE_PLACES = {backbone_place(config, name): name for name in BACKBONES}


pathvars:
    results=f"results/{config['study']}",
    data=config["data_root"],
    logs="<results>/logs",


PATHVARS = workflow.pathvars


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
TUNED_AT_TEST = grid.tpt_evaluations(config)


include: "workflow/rules/code.smk"
include: "workflow/rules/data.smk"
include: "workflow/rules/features.smk"
include: "workflow/rules/tune.smk"
include: "workflow/rules/finetune.smk"
include: "workflow/rules/analysis.smk"
include: "workflow/rules/overview.smk"
include: "workflow/rules/report.smk"


onstart:
    for sentence in layouts.unfilled(config):
        logger.info(sentence)
    if config["device"] == "auto" and workflow.local_exec and not gpus.has_gpu():
        logger.info("No GPU on this machine: models run on the CPU.")
    # Jobs on another machine, or in a conda environment of their own, run without the server. A study
    # that another program calls may find a server running.
    is_here = workflow.local_exec and not workflow.deployment_settings.deployment_method
    if is_here and job_server.ADDRESS not in os.environ:
        address = job_server.start(["python", "-m", "ptnl.cli.job", "--serve"])
        os.environ[job_server.ADDRESS] = str(address)


rule all:
    """Every table, figure and verdict of the study, and every run behind them."""
    default_target: True
    input:
        rules.collect_runs.output,
        lost_files,
        rules.overview.input,
        rules.all_tables.input,
        rules.all_figures.input,
        rules.report_tpt.output if TUNED_AT_TEST else [],
        rules.rank_methods.output if layouts.RANKED in TABLES else [],
        rules.check_claims.output,
        rules.report_data.output,
        rules.check_zeroshot.output if grid.zero_shot_runs(config) else [],
        rules.report_noise.output,
        rules.report_cost.output,
        rules.write_report.output,
    localrule: True
