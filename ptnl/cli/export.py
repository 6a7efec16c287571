"""Export an adapted model as an ONNX file, and compare it with torch."""

from collections.abc import Sequence
from pathlib import Path

import torch

from ptnl.cli.entry import add_session, parser, session_of, start
from ptnl.errors import InputError
from ptnl.own.adapted import read_adapted
from ptnl.own.onnx import export_onnx
from ptnl.own.predict import session_of as session_of_model


def main(argv: Sequence[str] | None = None) -> None:
    arguments = parser(__doc__)
    arguments.add_argument(
        "model", type=Path, metavar="ADAPTED", help="folder that `ptnl adapt` wrote"
    )
    arguments.add_argument(
        "--onnx",
        type=Path,
        required=True,
        help="ONNX file to write; a JSON beside it says how to prepare images",
    )
    add_session(arguments, has_backbone=False)
    args = arguments.parse_args(argv)
    if args.onnx.suffix != ".onnx":
        raise InputError(f"--onnx {args.onnx}: give a file name that ends in .onnx")

    model = read_adapted(args.model)
    files = session_of_model(model, session_of(args)).files
    apart = export_onnx(model, files.load(torch.device("cpu"), "float32"), args.onnx)
    print(f"{args.onnx}: probabilities within {apart:.1e} of torch's")


if __name__ == "__main__":
    start(main)
