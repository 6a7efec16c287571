"""Every kind of label noise: counts of wrong labels, nesting of rates, and what stays clean."""

import math
import random
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ptnl.errors import InputError
from ptnl.labels.noise import NOISES, Request
from ptnl.schemas import NOISY_SHOTS

few = settings(max_examples=40)
# These kinds keep the images of the draw.
FLIPS = [name for name in NOISES if not NOISES[name].draws_images]
# These give every class exactly fp wrong labels, independently of the other classes.
EXACT = ["symmetric", "pairflip", "confusion"]

# Images per class of the whole data sets (Fei-Fei et al. 2004; Nilsback & Zisserman 2008), without
# Caltech101's background and its second class of faces. CoOp trains on half of each class.
# fmt: off
CALTECH101 = [
    55, 800, 42, 42, 47, 54, 46, 33, 128, 98, 43, 85, 91, 50, 43, 123, 47, 59, 62, 107, 47, 69, 73,
    70, 50, 51, 57, 67, 52, 65, 68, 75, 64, 53, 64, 85, 435, 67, 67, 45, 34, 34, 51, 99, 100, 42,
    54, 88, 80, 31, 64, 86, 114, 61, 81, 200, 78, 41, 66, 43, 40, 87, 32, 76, 798, 55, 35, 39, 47,
    38, 45, 53, 34, 57, 82, 59, 49, 40, 63, 39, 84, 57, 35, 64, 45, 86, 59, 64, 35, 85, 49, 86, 75,
    239, 37, 59, 34, 56, 39, 60,
]
FLOWERS102 = [
    43, 105, 78, 96, 46, 49, 127, 54, 66, 85, 109, 54, 48, 49, 40, 128, 63, 71, 102, 91, 82, 40,
    108, 52, 50, 112, 87, 86, 92, 41, 154, 59, 63, 65, 40, 162, 166, 91, 45, 67, 78, 114, 56, 45,
    41, 41, 56, 60, 131, 76, 55, 49, 67, 137, 46, 63, 66, 67, 40, 82, 46, 40, 107, 67, 61, 49, 251,
    71, 82, 258, 59, 40, 109, 93, 93, 40, 85, 42, 171, 75, 41, 52, 87, 48, 42, 66, 61, 56, 85, 130,
    120, 45, 41, 58, 62, 58, 196, 194, 184, 85, 54, 49,
]
# fmt: on


def manifest_of(sizes: list[int]) -> pd.DataFrame:
    """Training images in split-file order, `sizes` per class, classes interleaved at random."""
    labels = np.random.default_rng(0).permutation(np.repeat(np.arange(len(sizes)), sizes))
    return pd.DataFrame(
        {
            "image": [f"{place}.png" for place in range(len(labels))],
            "label": labels,
            "class_name": [f"class {label}" for label in labels],
            "split": "train",
        }
    )


def request_for(classes: int, shots: int, fp: int, seed: int, spare: int = 0) -> Request:
    """A draw of `shots` images per class, from `4 * shots + spare`."""
    manifest = manifest_of([4 * shots + spare] * classes)
    shift = np.random.default_rng(seed).integers(1, classes, len(manifest))
    pseudolabels = manifest.assign(label_confused=(manifest.label + shift) % classes)
    draw = manifest.groupby("label").head(shots)
    return Request(manifest, draw, shots, fp, seed, pseudolabels)


@st.composite
def requests(draw: st.DrawFn) -> Request:
    classes, shots = draw(st.integers(2, 6)), draw(st.integers(1, 8))
    fp = draw(st.integers(0, shots))
    return request_for(classes, shots, fp, draw(st.integers(0, 2**31)), draw(st.integers(0, 9)))


@pytest.mark.parametrize("kind", NOISES)
@few
@given(request=requests())
def test_wrong_labels_are_never_the_true_class(kind, request):
    labelled = NOISES[kind].label(request)
    assert list(labelled.columns) == list(NOISY_SHOTS)
    assert labelled.label.between(0, request.classes - 1).all()
    assert (labelled.is_noisy == (labelled.label != labelled.label_clean)).all()
    truth = request.manifest.set_index("image").label
    assert (truth.loc[labelled.image].to_numpy() == labelled.label_clean).all()
    assert labelled.image.is_unique
    pd.testing.assert_frame_equal(labelled, NOISES[kind].label(request))


@pytest.mark.parametrize("kind", FLIPS)
@few
@given(request=requests())
def test_label_flips_keep_the_images_of_the_draw(kind, request):
    labelled = NOISES[kind].label(request)
    assert labelled.image.tolist() == request.train.image.tolist()
    assert labelled.is_noisy.sum() == request.classes * request.fp


@pytest.mark.parametrize("kind", EXACT)
@few
@given(request=requests())
def test_exactly_fp_wrong_labels_per_class(kind, request):
    labelled = NOISES[kind].label(request)
    assert (labelled.groupby("label_clean").is_noisy.sum() == request.fp).all()
    symmetric = NOISES["symmetric"].label(request)
    assert (labelled.is_noisy == symmetric.is_noisy).all()


@pytest.mark.parametrize("kind", EXACT)
@few
@given(request=requests())
def test_a_class_does_not_depend_on_the_others(kind, request):
    alone = replace(request, draw=request.draw[request.draw.label == 1])
    together = NOISES[kind].label(request)
    of_class = together[together.label_clean == 1].reset_index(drop=True)
    pd.testing.assert_frame_equal(NOISES[kind].label(alone), of_class)


@pytest.mark.parametrize("kind", FLIPS)
@few
@given(request=requests())
def test_rates_of_a_seed_are_nested(kind, request):
    low = NOISES[kind].label(request)
    high = NOISES[kind].label(replace(request, fp=request.shots))
    assert high.is_noisy.all()
    assert (low.label == high.label)[low.is_noisy].all()


@pytest.mark.parametrize("kind", NOISES)
def test_seeds_choose_different_wrong_labels(kind):
    one, two = (NOISES[kind].label(request_for(10, 16, 8, seed)) for seed in (1, 2))
    assert set(one.image[one.is_noisy]) != set(two.image[two.is_noisy])


# Positions of the images in the manifest, and labels: 3 classes of 4 shots, 2 of which are wrong.
IN_PLACE = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 16, 17]
OF_SEED_1 = {
    "symmetric": (IN_PLACE, [0, 1, 0, 1, 1, 2, 0, 2, 1, 0, 1, 2]),
    "symmetric_global": (IN_PLACE, [0, 1, 0, 0, 2, 0, 1, 0, 1, 1, 1, 1]),
    "pairflip": (IN_PLACE, [0, 1, 0, 0, 1, 2, 2, 1, 1, 2, 0, 2]),
    "confusion": (IN_PLACE, [0, 1, 0, 1, 1, 2, 0, 2, 1, 2, 1, 2]),
    "fp_swap": (
        [7, 23, 26, 44, 4, 11, 33, 41, 5, 25, 31, 36],
        [0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2],
    ),
    "fp_swap_2022": (
        [7, 23, 26, 44, 4, 11, 34, 42, 5, 25, 33],
        [0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2],
    ),
}


@pytest.mark.parametrize("kind", NOISES)
def test_a_seed_gives_the_same_labels_in_every_version(kind):
    labelled = NOISES[kind].label(request_for(3, 4, 2, seed=1))
    images, labels = OF_SEED_1[kind]
    assert labelled.image.tolist() == [f"{place}.png" for place in images]
    assert labelled.label.tolist() == labels


@pytest.mark.parametrize("kind", NOISES)
def test_more_wrong_labels_than_shots_are_refused(kind):
    with pytest.raises(InputError, match=r"5 wrong labels do not fit into (the )?4 shots"):
        NOISES[kind].label(request_for(3, 4, 5, seed=0))


@pytest.mark.parametrize("kind", ["symmetric", "symmetric_global"])
def test_symmetric_noise_is_uniform_over_the_other_classes(kind):
    labelled = NOISES[kind].label(request_for(5, 4000, 4000, seed=0))
    for label, seen in labelled.groupby("label_clean").label:
        counts = np.bincount(seen, minlength=5)
        assert counts[label] == 0
        assert abs(np.delete(counts, label) - 1000).max() < 5 * np.sqrt(1000)


def test_pairflip_gives_the_next_class():
    labelled = NOISES["pairflip"].label(request_for(5, 16, 8, seed=0))
    wrong = labelled[labelled.is_noisy]
    assert (wrong.label == (wrong.label_clean + 1) % 5).all()


def test_confusion_gives_the_class_that_zero_shot_favours_for_the_image():
    request = request_for(5, 16, 8, seed=0)
    labelled = NOISES["confusion"].label(request)
    wrong = labelled[labelled.is_noisy]
    favoured = request.pseudolabels.set_index("image").label_confused.loc[wrong.image]
    assert wrong.label.tolist() == favoured.tolist()


def test_confusion_may_give_the_class_that_zero_shot_favours_for_the_class():
    request = request_for(5, 16, 8, seed=0)
    favoured = request.pseudolabels.groupby("label").label_confused.agg(
        lambda labels: labels.value_counts().sort_index().idxmax()
    )
    # Images of other splits do not count.
    others = request.pseudolabels.assign(split="test", image="other", label_confused=4)
    pseudolabels = pd.concat([request.pseudolabels, others, others], ignore_index=True)
    asked = replace(request, pseudolabels=pseudolabels, favoured_by="class")
    labelled = NOISES["confusion"].label(asked)
    wrong = labelled[labelled.is_noisy]
    assert len(wrong) == 5 * 8
    assert wrong.label.tolist() == favoured.loc[wrong.label_clean].tolist()
    by_image = NOISES["confusion"].label(request)
    assert wrong.image.tolist() == by_image[by_image.is_noisy].image.tolist()


def test_a_global_count_spreads_unevenly_over_classes():
    labelled = NOISES["symmetric_global"].label(request_for(10, 16, 4, seed=0))
    assert labelled.groupby("label_clean").is_noisy.sum().nunique() > 1


def halves(request: Request) -> dict[int, tuple[set, set]]:
    """Class -> its images that `fp_swap` may draw with a right label, and with a wrong one."""
    split = {}
    for label, images in request.manifest.groupby("label").image:
        half = math.ceil(len(images) / 2)
        split[label] = (set(images[:half]), set(images[half:]))
    return split


@few
@given(request=requests())
def test_fp_swap_draws_right_and_wrong_images_from_their_halves(request):
    labelled = NOISES["fp_swap"].label(request)
    split = halves(request)
    for label, images in labelled.groupby("label"):
        right, wrong = images[~images.is_noisy], images[images.is_noisy]
        assert set(right.image) <= split[label][0]
        assert len(right) == request.shots - request.fp  # each half holds `shots` here
        assert (len(wrong) > 0) == (request.fp > 0)
        assert len(wrong) <= request.fp
    for image, truth in labelled.loc[labelled.is_noisy, ["image", "label_clean"]].to_numpy():
        assert image in split[truth][1]


@few
@given(request=requests())
def test_fp_swap_keeps_the_right_images_of_higher_rates(request):
    """As in PTNL's code, every rate draws the same 16 images and replaces the first fp."""
    stream = np.random.default_rng(request.seed)
    labelled = NOISES["fp_swap"].label(request)
    for label in range(request.classes):
        rows = request.manifest.image[request.manifest.label == label].tolist()
        order = stream.choice(math.ceil(len(rows) / 2), size=request.shots, replace=False)
        right = labelled[(labelled.label == label) & ~labelled.is_noisy]
        assert set(right.image) == {rows[place] for place in order[request.fp :]}


@few
@given(request=requests())
def test_fp_swap_takes_no_wrong_image_twice(request):
    """Against the plain way: what is free, less one's own class, looked through once a class."""
    stream = random.Random(request.seed)
    labels = request.manifest.label.to_numpy()
    by_class = [np.flatnonzero(labels == label) for label in range(request.classes)]
    free = {row for rows in by_class for row in rows[math.ceil(len(rows) / 2) :]}
    labelled = NOISES["fp_swap"].label(request)
    for label in range(request.classes):
        others = sorted(row for row in free if labels[row] != label)
        taken = set(stream.choices(others, k=request.fp))
        free -= taken
        wrong = labelled[(labelled.label == label) & labelled.is_noisy]
        assert wrong.image.tolist() == request.manifest.image.iloc[sorted(taken)].tolist()


@pytest.mark.parametrize(("kind", "size"), [("fp_swap", 32), ("fp_swap_2022", 16)])
def test_images_that_just_suffice_are_drawn_without_replacement(kind, size):
    manifest = manifest_of([size, size])
    labelled = NOISES[kind].label(Request(manifest, manifest, 16, 0, seed=1))
    assert labelled.groupby("label").size().tolist() == [16, 16]


@few
@given(request=requests())
@example(request=request_for(3, 8, 7, seed=1))  # 4 right images a class, of which 8 are drawn
def test_fp_swap_2022_splits_a_class_by_the_rate(request):
    """The reference follows PTNL's code before July 2023: it fills a dict from path to label."""
    labelled = NOISES["fp_swap_2022"].label(request)
    right_stream = np.random.default_rng(request.seed)
    wrong_stream = random.Random(request.seed)
    by_class = [
        request.manifest.index[request.manifest.label == label].tolist()
        for label in range(request.classes)
    ]
    split = [math.ceil(len(rows) * (1 - request.fp / request.shots)) for rows in by_class]
    seen = {}
    for label, rows in enumerate(by_class):
        right = np.array(rows[: split[label]])
        replace = len(right) < request.shots
        if request.fp == request.shots:  # no right image is left, and none is needed
            chosen = np.zeros(request.shots, int)
        else:
            chosen = right[right_stream.choice(len(right), size=request.shots, replace=replace)]
        others = sorted(
            row
            for other, of_other in enumerate(by_class)
            for row in of_other[split[other] :]
            if other != label
        )
        if request.fp:
            chosen[: request.fp] = wrong_stream.choices(others, k=request.fp)
        for row in chosen:
            seen[request.manifest.image[row]] = label
    assert dict(zip(labelled.image, labelled.label, strict=True)) == seen
    truth = dict(zip(request.manifest.image, request.manifest.label, strict=True))
    assert labelled.label_clean.tolist() == [truth[image] for image in labelled.image]


def test_fp_swap_2022_draws_from_all_images_if_no_label_is_wrong():
    manifest = manifest_of([16, 16])
    kinds = ("fp_swap", "fp_swap_2022")
    half, whole = (NOISES[kind].label(Request(manifest, manifest, 16, 0, 1)) for kind in kinds)
    assert len(whole) == 32
    assert len(half) < 32  # 16 from 8 images, with replacement


@pytest.mark.parametrize(("kind", "sizes"), [("fp_swap", [1, 2]), ("fp_swap_2022", [3])])
def test_imported_noise_needs_images_of_other_classes(kind, sizes):
    manifest = manifest_of(sizes)
    with pytest.raises(InputError, match="no image of another class is left"):
        NOISES[kind].label(Request(manifest, manifest, 1, 1, seed=0))


@pytest.mark.parametrize(
    ("sizes", "images_per_class", "rates"),
    [(CALTECH101, 12.0, (0, 15.6, 29.4, 53.7)), (FLOWERS102, 12.9, (0, 14.8, 28.2, 52.8))],
)
def test_fp_swap_gives_small_classes_more_noise_than_its_rate(sizes, images_per_class, rates):
    """Half of these classes have fewer than 16 images to draw with a right label.

    The rates and images per class are those of an independent simulation of the released code.
    """
    manifest = manifest_of([round(size / 2) for size in sizes])
    for fp, rate in zip((0, 2, 4, 8), rates, strict=True):
        draws = [
            NOISES["fp_swap"].label(Request(manifest, manifest, 16, fp, seed))
            for seed in (1, 2, 3, 4)
        ]
        assert 100 * np.mean([draw.is_noisy.mean() for draw in draws]) == pytest.approx(
            rate, abs=0.3
        )
        if fp == 0:
            images = np.mean([len(draw) for draw in draws]) / len(sizes)
            assert images == pytest.approx(images_per_class, abs=0.1)
