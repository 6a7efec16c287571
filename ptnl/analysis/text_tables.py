"""Tables as GitHub's Markdown, laid out by tabulate, and as LaTeX.

LaTeX is written here: tabulate's booktabs format escapes the mathematics and the bold type of
cells, and its raw format knows no booktabs.
"""

from collections.abc import Iterable, Sequence

from tabulate import tabulate

SIDES = {"l": "left", "r": "right"}


def markdown_table(heads: Sequence[str], rows: Iterable[Sequence[object]], sides: str) -> str:
    """A table in GitHub's Markdown, without a line break at its end.

    sides : a letter a column, l or r
    """
    table: str = tabulate(
        [[str(cell).replace("|", r"\|") for cell in row] for row in rows],
        [head.replace("|", r"\|") for head in heads],
        tablefmt="pipe",
        colalign=[SIDES[side] for side in sides],
        disable_numparse=True,
    )
    return table


def filled_table(heads: Sequence[str], rows: Iterable[Sequence[object]], sides: str) -> str:
    """As `markdown_table`, without the columns that are empty in every row."""
    kept = list(rows)
    columns = [place for place in range(len(heads)) if any(str(row[place]) for row in kept)]
    return markdown_table(
        [heads[place] for place in columns],
        [[row[place] for place in columns] for row in kept],
        "".join(sides[place] for place in columns),
    )


def latex_text(text: str) -> str:
    """Plain text with LaTeX's special characters escaped."""
    return "".join(f"\\{letter}" if letter in "%_&#$" else letter for letter in text)


def latex_table(
    caption: str,
    label: str,
    heads: Sequence[str],
    blocks: Iterable[Iterable[Sequence[str]]],
    sides: str,
) -> str:
    r"""A floating table of booktabs; its blocks of rows are parted by a `\midrule`.

    caption, heads : plain text; cells are LaTeX already
    """
    lines = [
        r"\begin{table}",
        r"  \centering",
        rf"  \caption{{{latex_text(caption)}}}",
        rf"  \label{{{label}}}",
        rf"  \begin{{tabular}}{{{sides}}}",
        r"    \toprule",
        f"    {' & '.join(map(latex_text, heads))} \\\\",
    ]
    for block in blocks:
        lines += [r"    \midrule", *(f"    {' & '.join(row)} \\\\" for row in block)]
    lines += [r"    \bottomrule", r"  \end{tabular}", r"\end{table}"]
    return "\n".join(lines) + "\n"
