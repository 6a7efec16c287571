"""Get an image encoder of timm, pre-trained with labels only, with which fine-tuning starts.

It is looked for in the folder of files put there by hand, in the cache of the Hugging Face Hub, and
on the network, in this order. No code in a file of weights is run, and its classifier is left out.
"""

from collections.abc import Sequence

from ptnl.backbones.assets import sha256
from ptnl.backbones.image_encoders import checked_weights, published_config
from ptnl.backbones.origins import find, on_the_hub
from ptnl.backbones.registry import IMAGE_ENCODERS, Timm
from ptnl.backbones.weights import read_weights
from ptnl.cli.entry import add_fetch, parser, start
from ptnl.io import write_json, write_tensors
from ptnl.provenance import made_by

HUB_FILE = "model.safetensors"


def main(argv: Sequence[str] | None = None) -> None:
    arguments = parser(__doc__)
    fetched = [name for name, source in IMAGE_ENCODERS.items() if isinstance(source, Timm)]
    arguments.add_argument("--encoder", choices=fetched, required=True)
    add_fetch(arguments)
    args = arguments.parse_args(argv)

    source = IMAGE_ENCODERS[args.encoder]
    assert isinstance(source, Timm)  # guaranteed by the choices of the option
    origin = on_the_hub(source.repository, HUB_FILE)
    found = find(args.encoder, [origin], args.downloads, args.manual)
    config = published_config(args.encoder)
    write_tensors(checked_weights(read_weights(found.path), config, found.path), args.weights)
    write_json(config, args.config)
    receipt = {
        "image_encoder": args.encoder,
        "source": found.source,
        "sha256": sha256(found.path),
        "made_by": made_by("timm", "torch", "safetensors"),
    }
    write_json(receipt, args.receipt)
    print(f"{args.encoder}: {found.source}")


if __name__ == "__main__":
    start(main)
