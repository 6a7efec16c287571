"""What a study will take: jobs left and why, downloads, disk and hours. Pure, without torch."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, TypeVar

from ptnl.data import Size
from ptnl.fetch.sources import Source
from ptnl.study.job_files import Job
from ptnl.study.job_records import Measured
from ptnl.study.operation_counts import Config, Work, unsized, work_of

# Assumed, not measured.
STARTUP_SECONDS = 10  # before a command computes: importing torch, reading weights
SHARE_OF_PEAK = 0.3  # of a machine's peak rate that real layers reach
# Time that one core takes to decode and resize a photograph (500 x 375 pixels), measured on an AMD
# EPYC (Zen 5; workflow/docs/features.md). The encoder computes meanwhile.
DECODE_SECONDS = 0.0016
# What only one thread of a job can do at a time bounds it, however many decode: of an image.
UNSHARED_SECONDS = 0.0004


# Rules that are shown by themselves; those of one kind of labels each are shown together.
STAGES = (
    "fetch_backbone",
    "fetch_image_encoder",
    "download_dataset",
    "index_dataset",
    "sample_shots",
    "inject_noise",
    "encode_images",
    "encode_views",
    "encode_test_views",
    "pseudolabel_zeroshot",
    "sample_pseudolabels",
    "evaluate_random_prompts",
    "evaluate_tpt",
    "tune_method",
    "finetune_backbone",
)
SUMMARIES = "tables, figures, report"
REASONS_SHOWN = 2  # of a stage


@dataclass(frozen=True)
class Machine:
    """A machine whose rate is known."""

    name: str
    gflops: float  # 1e9 floating point operations a second that real layers reach
    basis: str  # what its estimates rest on
    decoders: int = 1  # threads that decode images for a job
    decode_seconds: float = DECODE_SECONDS  # of an image, by one of them

    def seconds(self, work: Work) -> float:
        """An estimate for a job in a process of its own."""
        an_image = max(self.decode_seconds / self.decoders, UNSHARED_SECONDS)
        decoding = work.images * an_image
        return STARTUP_SECONDS + max(work.gflops / self.gflops, decoding)


def of_peak(name: str, gflops_peak: float, decode_seconds: float) -> Machine:
    """A machine of which two rates are known: its largest product's, and of decoding an image."""
    return Machine(
        name,
        SHARE_OF_PEAK * gflops_peak,
        f"an estimate from operations at an assumed {SHARE_OF_PEAK:.0%} of "
        f"{gflops_peak / 1000:.3g} TFLOP/s ({name}), {STARTUP_SECONDS} s to start "
        f"a job, {1000 * decode_seconds:.3g} ms to decode an image",
        decode_seconds=decode_seconds,
    )


# Of the rates measured on an H200 (workflow/docs/gpu.md), the smallest: the image encoder of RN50.
# That of ViT-B/32 computes at 120 TFLOP/s, and 16 fused runs of prompt tuning, whose step is 411
# GFLOP with 37 classes, at 119; with 101 classes they compute at 173.
H200 = Machine(
    "H200",
    91_000,
    "an estimate from operations at 91 TFLOP/s, as measured for the image encoder of RN50, the "
    f"slowest part (workflow/docs/gpu.md), {STARTUP_SECONDS} s to start a job, "
    f"{1000 * DECODE_SECONDS:g} ms to decode an image on each of 8 cores (measured without a GPU: "
    "workflow/docs/features.md)",
    decoders=8,  # as in profiles/gpu
)


Number = TypeVar("Number", int, float)


@dataclass(frozen=True)
class Step:
    """The jobs of a rule or of a stage, or their sum."""

    rule: str
    jobs: int
    cached: int
    missing: int
    runs: int
    runs_missing: int
    bytes: int | None  # that the missing jobs leave; like the hours, None where not known
    hours_here: float | None  # of the missing jobs, one after the other
    hours_h200: float | None
    reasons: Mapping[str, int]  # why, in short -> how many of the missing jobs; frequent ones first


@dataclass(frozen=True)
class Plan:
    """What a study consists of, and what is left of it."""

    study: str
    protocol: str
    steps: list[Step]  # by rule; the last one is their sum
    stages: list[Step]  # the same by stage, for people
    download_bytes: int  # of files whose size is published
    download_unsized: list[str]  # files whose size is not
    by_hand: list[str]  # files that only their owner can put in place
    unsized: list[str]  # data sets and backbones whose work is not known
    here: str  # what the hours rest on
    h200: str


def make_plan(
    config: Config,
    jobs: Sequence[Job],
    left: Mapping[Job, str],
    sizes: Mapping[str, Size],
    measured: Mapping[str, Measured],
    sources: Iterable[Source],
    here: Machine | None = None,
) -> Plan:
    """The plan of a study.

    Parameters
    ----------
    jobs : all of the study (see `ptnl.study.jobs.study_jobs`)
    left : job of these that is to run -> why, in short (see `ptnl.study.reasons`)
    sizes : data set -> its size (see `ptnl.data.counting.sizes_of`)
    measured : see `ptnl.study.job_records.read_records`
    here : this machine where its rates were measured, for jobs of which no like has run
    """
    works = {job: work_of(config, job, sizes) for job in jobs}
    rates = _measured_rates(jobs, works, measured)

    def here_seconds(job: Job) -> float | None:
        work = works[job]
        if work is None or not job.record:
            return None if work is None else 0.0
        if job.kind in rates:
            return rates[job.kind] * work.gflops
        return here.seconds(work) if here else None

    def h200_seconds(job: Job) -> float | None:
        work = works[job]
        if work is None:
            return None
        return H200.seconds(work) if job.record else 0.0

    def step(rule: str, of: Sequence[Job]) -> Step:
        missing = [job for job in of if job in left]
        return Step(
            rule,
            len(of),
            len(of) - len(missing),
            len(missing),
            sum(job.runs for job in of),
            sum(job.runs for job in missing),
            _sum(None if work is None else work.bytes for work in (works[job] for job in missing)),
            _hours(map(here_seconds, missing)),
            _hours(map(h200_seconds, missing)),
            dict(Counter(left[job] for job in missing).most_common()),
        )

    def steps(key: Callable[[Job], str]) -> list[Step]:
        parts: dict[str, list[Job]] = {}
        for job in jobs:
            parts.setdefault(key(job), []).append(job)
        return [*(step(name, of) for name, of in parts.items()), step("total", jobs)]

    downloads = {job.dataset for job in left if job.rule == "download_dataset"}
    files = [source for source in sources if source.dataset in downloads and not source.optional]
    return Plan(
        config["study"],
        config["protocol"],
        steps(lambda job: job.rule),
        steps(stage_of),
        sum(source.bytes or 0 for source in files if source.urls),
        [source.name for source in files if source.urls and source.bytes is None],
        [source.name for source in files if not source.urls],
        unsized(config, sizes),
        _basis(left, rates, here),
        H200.basis,
    )


def stage_of(job: Job) -> str:
    """The stage that a job belongs to: its rule without the kind of labels, or all summaries."""
    return next((stage for stage in STAGES if job.rule.startswith(stage)), SUMMARIES)


def _measured_rates(
    jobs: Iterable[Job], works: Mapping[Job, Work | None], measured: Mapping[str, Measured]
) -> dict[tuple[str, str, str], float]:
    """Kind of jobs -> seconds a GFLOP, where some of the kind have run."""
    seconds: dict[tuple[str, str, str], float] = {}
    gflops: dict[tuple[str, str, str], float] = {}
    for job in jobs:
        work = works[job]
        if job.record in measured and work is not None and work.gflops:
            seconds[job.kind] = seconds.get(job.kind, 0.0) + measured[job.record].seconds
            gflops[job.kind] = gflops.get(job.kind, 0.0) + work.gflops
    return {kind: seconds[kind] / gflops[kind] for kind in seconds}


def _basis(
    missing: Iterable[Job], rates: Mapping[tuple[str, str, str], float], here: Machine | None
) -> str:
    """What the hours of this machine rest on."""
    computing = [job for job in missing if job.record]
    known = sum(job.kind in rates for job in computing)
    if not computing:
        return "nothing is left to compute"
    past = f"{known} of {len(computing)} jobs by what like ones took in this study"
    if known == len(computing):
        return past
    if here is None:
        return f"{past}; for the others no rate is known: --calibrate measures one"
    return f"{past}; the others: {here.basis}"


def _sum(amounts: Iterable[Number | None]) -> Number | None:
    """The sum; None where a part is not known."""
    known = []
    for amount in amounts:
        if amount is None:
            return None
        known.append(amount)
    return sum(known)


def _hours(seconds: Iterable[float | None]) -> float | None:
    whole = _sum(seconds)
    return None if whole is None else whole / 3600


def as_json(plan: Plan) -> dict[str, Any]:
    """The plan for machines."""
    return asdict(plan)


def as_text(plan: Plan) -> str:
    """The plan for people, in about 20 lines."""
    head = ("", "jobs", "of", "runs", "of", "disk", "h here", "h H200", "why")
    rows = [
        (
            stage.rule,
            f"{stage.missing:,}",
            f"{stage.jobs:,}",
            f"{stage.runs_missing:,}" if stage.runs else "",
            f"{stage.runs:,}" if stage.runs else "",
            _size(stage.bytes),
            _duration(stage.hours_here),
            _duration(stage.hours_h200),
            "" if stage.rule == "total" else _why(stage),
        )
        for stage in plan.stages
    ]
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
    lines = [f"Study {plan.study!r}, protocol {plan.protocol!r}: what is left to do"]
    for row in (head, *rows):
        numbers = [f"{cell:>{width}}" for cell, width in zip(row[1:-1], widths[1:-1], strict=True)]
        lines.append(f"{row[0]:<{widths[0]}}  {'  '.join(numbers)}  {row[-1]}".rstrip())
    lines.append(f"To download: {_size(plan.download_bytes) or 'nothing'}")
    if plan.download_unsized:
        lines[-1] += f", and files of unpublished size: {', '.join(plan.download_unsized)}"
    if plan.by_hand:
        lines[-1] += f"; to be put in place by hand: {', '.join(plan.by_hand)}"
    lines += [
        "Disk: of the results alone. Hours: of the jobs that are left, one after the other.",
        f"Here: {plan.here}.",
        f"H200: {plan.h200}.",
    ]
    if plan.unsized:
        lines.append(f"Not known (?): the work of {', '.join(plan.unsized)}.")
    return "\n".join(lines)


def _why(stage: Step) -> str:
    """The most frequent reasons of a stage, with their numbers of jobs where there are several."""
    if not stage.missing:
        return "up to date"
    if len(stage.reasons) == 1:
        return next(iter(stage.reasons))
    shown = list(stage.reasons.items())[:REASONS_SHOWN]
    more = ", ..." if len(stage.reasons) > REASONS_SHOWN else ""
    return ", ".join(f"{count} {reason}" for reason, count in shown) + more


def _size(count: int | None) -> str:
    """Bytes in the largest unit that fits; empty for none."""
    if count is None:
        return "?"
    for unit, size in (("TB", 1e12), ("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= size:
            return f"{count / size:.1f} {unit}"
    return f"{count:.0f} B" if count else ""


def _duration(hours: float | None) -> str:
    if hours is None:
        return "?"
    return f"{hours:.1f}" if hours >= 0.05 else ("<0.1" if hours else "")
