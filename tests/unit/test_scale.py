"""The benchmark of scale measures every curve, and its slopes are exponents of a power law."""

from dataclasses import replace

import pandas as pd
import pytest

from tests.measurements import scale, scale_work
from tests.measurements.scale import drawn, measured, slopes
from tests.measurements.scale_work import curves, planned_runs

SMALL = {"classes": (3, 5), "runs": (1, 2), "images": (1000, 2000), "planning": (0, 1)}
WITHOUT_SNAKEMAKE = [curve for curve in curves() if not curve.name.startswith("snakemake")]


@pytest.mark.parametrize("curve", WITHOUT_SNAKEMAKE, ids=lambda curve: curve.name)
def test_a_curve_is_measured(curve, monkeypatch):
    monkeypatch.setattr(scale, "REPEATS", 1)
    rows = list(measured(replace(curve, sizes=SMALL[curve.axis])))
    assert [row["size"] for row in rows] == [
        planned_runs(size) if curve.axis == "planning" else size for size in SMALL[curve.axis]
    ]
    assert all(row["seconds"] > 0 and row["mib"] >= 0 for row in rows)


def test_the_cost_of_planning_by_snakemake_is_measured(tmp_path):
    command = scale_work.snakemake(fuse=True)(0, tmp_path)
    seconds, _ = scale.cost_of_command(command)
    assert seconds > 0
    (tmp_path / "study.yaml").write_text("seeds: none\n")
    with pytest.raises(SystemExit, match="seeds"):
        scale.cost_of_command(command)


def test_slopes_are_exponents_and_the_figure_shows_all():
    sizes = [10, 100, 1000]
    points = pd.DataFrame(
        [
            {"curve": name, "axis": axis, "size": n, "seconds": 1e-3 * n**power, "mib": 2.0 * n}
            for name, axis, power in (
                ("a", "classes", 1),
                ("b", "classes", 2),
                ("c", "images", 0.5),
            )
            for n in sizes
        ]
    )
    found = slopes(points).set_index("work")
    assert found.slope.tolist() == pytest.approx([1, 2, 0.5])
    assert found["slope at the end"].tolist() == pytest.approx([1, 2, 0.5])
    assert found["slope of memory at the end"].tolist() == pytest.approx([1, 1, 1])
    assert found.loc["b", "largest"] == 1000
    time_of_classes, time_of_images, *memory = drawn(points).axes
    assert [len(axes.lines) for axes in (time_of_classes, time_of_images)] == [3, 2]
    assert len(memory) == 2
