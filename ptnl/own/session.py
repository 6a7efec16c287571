"""What commands on the user's images share: the device, the backbone, the cache of features."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import torch

from ptnl.backbones.text import TextBackbone
from ptnl.features.encode import ImageEncoder
from ptnl.io import read_json
from ptnl.machine.devices import choose_device
from ptnl.machine.threads import usable_threads
from ptnl.own.backbone import DEFAULT, BackboneFiles, backbone_files
from ptnl.own.cache import Cache, default_folder, opened
from ptnl.own.encode import Images, read_all
from ptnl.own.inputs import list_images


@dataclass(frozen=True)
class Session:
    """The device, the backbone and the cache of a command."""

    backbone: str = DEFAULT  # of the package, of the registry, or MODEL:TAG of open_clip
    device: str = "auto"  # auto, cpu, cuda or cuda:N
    precision: str = "auto"  # or float32, bfloat16
    threads: int = field(default_factory=usable_threads)
    cache: Path = field(default_factory=default_folder)

    @cached_property
    def torch_device(self) -> torch.device:
        torch.set_num_threads(self.threads)
        return choose_device(self.device)

    @cached_property
    def files(self) -> BackboneFiles:
        return backbone_files(self.backbone, self.cache)

    @property
    def input_size(self) -> int:
        """Side in pixels of the image encoder's input."""
        described = read_json(self.files.config)
        size = described.get("model_cfg", described)["vision_cfg"]["image_size"]
        return size if isinstance(size, int) else min(size)

    def text(self) -> TextBackbone:
        """The backbone's text side."""
        return self.files.load_text(self.torch_device, self.precision)

    @contextmanager
    def encoder(self) -> Iterator[tuple[ImageEncoder, Cache]]:
        """The image encoder, and the cache of the features that it has computed before."""
        identity = self.files.identity(self.torch_device, self.precision)
        encoder = ImageEncoder(self.files.load(self.torch_device, self.precision))
        with opened(self.cache, identity) as cache:
            yield encoder, cache

    def read(self, folder: Path) -> Images:
        """Encode all readable images below a folder."""
        names = list_images(folder)
        with self.encoder() as (encoder, cache):
            return read_all(folder, names, encoder, cache, self.threads)
