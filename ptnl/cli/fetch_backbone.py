"""Get the configuration and weights of a CLIP model, checked, as files that open_clip can load.

The weights are your own file, or those of one of open_clip's tags. The latter are looked for in the
folder of files put there by hand, in the caches of open_clip and of the Hugging Face Hub, and on
the network, in this order. No code in a file of weights is run.
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
    arguments.add_argument("--backbone", required=True, help="name of the backbone in the study")
    arguments.add_argument(
        "--model", required=True, help="name of the model in open_clip, or a configuration (JSON)"
    )
    arguments.add_argument("--pretrained", default="", help="tag of the weights in open_clip")
    arguments.add_argument("--file", type=Path, help="your own file of weights, instead of a tag")
    arguments.add_argument("--sha256", default="", help="sha256 of your file")
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
