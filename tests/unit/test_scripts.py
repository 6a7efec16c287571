"""Class names in any script are drawn by a font that has their letters, or else as numbers."""

import matplotlib as mpl
import pytest
from matplotlib.figure import Figure

from ptnl.analysis.figures import scripts
from ptnl.analysis.figures.scripts import families_for, labels, numbers_note, undrawable

NO_FONT = "\U0010fffd"  # a private character that no font has


def test_matplotlibs_own_font_is_used_if_it_has_all_letters():
    assert families_for(["bell", "Über", "чай"]) == [scripts.FAMILY]


def test_names_without_a_font_become_their_labels():
    assert labels(["owl", f"x{NO_FONT}", "wren"]) == ["owl", "1", "wren"]
    assert undrawable(NO_FONT)
    assert numbers_note(["owl"]) == ""
    assert "numbers are labels" in numbers_note(["owl", NO_FONT])


def test_long_names_and_line_breaks_become_one_short_line():
    (text,) = labels(["a\nvery " + "long " * 20])
    assert len(text) == scripts.LONGEST
    assert text.startswith("a very long")
    assert text.endswith("…")


@pytest.mark.filterwarnings("error")
def test_labels_are_drawn_literally_and_without_missing_glyphs(tmp_path):
    names = ["$x$", "чай", NO_FONT]
    figure = Figure()
    axes = figure.subplots()
    texts = labels(names)
    axes.set_xticks(range(3), texts, fontfamily=families_for(texts), parse_math=False)
    with mpl.rc_context():
        figure.savefig(tmp_path / "names.png")
    assert [label.get_text() for label in axes.get_xticklabels()] == ["$x$", "чай", "2"]
