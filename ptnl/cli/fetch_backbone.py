"""Get a CLIP model's configuration and weights, checked, as files that open_clip can load too.

The weights are a file of yours, or those of a tag of open_clip's: from the folder of files put
there by hand, a cache of open_clip or of the Hugging Face Hub, or the network, in this order.
Nothing that a file of weights holds is run.
"""

from collections.abc import Sequence
from pathlib import Path

from ptnl.backbones.assets import sha256
from ptnl.backbones.configuration import configuration_of, outline, tag_of
from ptnl.backbones.origins import Found, check_sha256, find, origins_of
from ptnl.backbones.registry import OpenClip
from ptnl.backbones.text import check_weights
from ptnl.backbones.weights import model_weights, read_weights
from ptnl.cli.entry import add_fetch, parser, start
from ptnl.io import write_json, write_tensors
from ptnl.provenance import made_by


def main(argv: Sequence[str] | None = None) -> None:
    arguments = parser(__doc__)
    arguments.add_argument("--backbone", required=True, help="its name in the study")
    arguments.add_argument(
        "--model", required=True, help="open_clip's name of it, or a configuration (JSON)"
    )
    arguments.add_argument("--pretrained", default="", help="open_clip's tag of the weights")
    arguments.add_argument("--file", type=Path, help="your weights, instead of the tag's")
    arguments.add_argument("--sha256", default="", help="of your file")
    add_fetch(arguments)
    args = arguments.parse_args(argv)

    weights = str(args.file) if args.file else ""
    source = OpenClip(args.model, args.pretrained, weights, args.sha256)
    config = configuration_of(source)
    if args.file:
        check_sha256(args.file, args.sha256, str(args.file))
        found = Found(args.file, str(args.file))
    else:
        origins = origins_of(tag_of(source))
        found = find(args.backbone, origins, args.downloads, args.manual)
    state = model_weights(read_weights(found.path))
    shapes = {name: weight.shape for name, weight in outline(config).state_dict().items()}
    check_weights(found.path, shapes, state)
    write_tensors(state, args.weights)
    write_json(config, args.config)
    receipt = {
        "backbone": args.backbone,
        "model": args.model,
        "pretrained": args.pretrained,
        "source": found.source,
        "sha256": sha256(found.path),
        "made_by": made_by("open_clip_torch", "torch", "safetensors"),
    }
    write_json(receipt, args.receipt)
    print(f"{args.backbone}: {found.source}")


if __name__ == "__main__":
    start(main)
