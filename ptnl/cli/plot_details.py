"""Plot accuracies per class, confusion matrices and learning curves on a data set."""

from collections.abc import Sequence
from pathlib import Path

from ptnl.analysis.details import at_most_noise, mistakes_markdown
from ptnl.analysis.figures.details import class_figure, confusion_figure, learning_figure
from ptnl.analysis.figures.style import save
from ptnl.analysis.tables import Origin
from ptnl.cli.entry import parser, start
from ptnl.data import title_of
from ptnl.io import atomic_path, read_parquet, write_text
from ptnl.schemas import CLASS_ACCURACY, CURVES, MISTAKES


def main(argv: Sequence[str] | None = None) -> None:
    arguments = parser(__doc__)
    arguments.add_argument(
        "--classes", type=Path, required=True, help="accuracies per class (Parquet)"
    )
    arguments.add_argument(
        "--mistakes", type=Path, required=True, help="pairs of classes that were confused (Parquet)"
    )
    arguments.add_argument("--curves", type=Path, required=True, help="learning curves (Parquet)")
    arguments.add_argument("--backbone", required=True)
    arguments.add_argument("--noise", required=True, help="kind of noise to show")
    arguments.add_argument("--study", required=True, help="name of the study, for the caption")
    arguments.add_argument(
        "--protocol", required=True, help="protocol of the study, for the caption"
    )
    arguments.add_argument(
        "--class-figure",
        type=Path,
        nargs="+",
        required=True,
        help="files that end in .svg, .pdf or .png",
    )
    arguments.add_argument("--confusion-figure", type=Path, nargs="+", required=True)
    arguments.add_argument("--learning-figure", type=Path, nargs="+", required=True)
    arguments.add_argument(
        "--markdown", type=Path, required=True, help="most frequent mistakes (Markdown)"
    )
    args = arguments.parse_args(argv)

    origin = Origin(args.study, args.protocol, args.backbone)
    accuracy = read_parquet(args.classes, CLASS_ACCURACY)
    mistakes = read_parquet(args.mistakes, MISTAKES)
    figures = {
        class_figure(accuracy, args.noise, origin): args.class_figure,
        confusion_figure(mistakes, accuracy, args.noise, origin): args.confusion_figure,
        learning_figure(
            read_parquet(args.curves, CURVES), args.noise, origin
        ): args.learning_figure,
    }
    for figure, paths in figures.items():
        for path in paths:
            with atomic_path(path) as temporary:
                save(figure, temporary, path.suffix[1:])
    shown = at_most_noise(accuracy, args.backbone, args.noise)
    text = mistakes_markdown(
        at_most_noise(mistakes, args.backbone, args.noise),
        title_of(accuracy.dataset.iloc[0]),
        args.noise,
        shown.rate.max(),
    )
    write_text(text, args.markdown)


if __name__ == "__main__":
    start(main)
