"""CLIP's tokenizer: open_clip's, imported without the rest of open_clip.

Importing open_clip imports torchvision, timm and torch's compiler, which takes longer than many
jobs that need only the tokenizer.
"""

import sys
from functools import cache
from importlib.util import find_spec, module_from_spec, spec_from_file_location
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from open_clip.tokenizer import SimpleTokenizer

MODULE = "open_clip.tokenizer"


@cache
def clip_tokenizer() -> "SimpleTokenizer":
    """The tokenizer that all of CLIP's models share."""
    if MODULE not in sys.modules:
        package = find_spec("open_clip")
        assert package is not None and package.origin is not None
        file = Path(package.origin).with_name("tokenizer.py")
        spec = spec_from_file_location(MODULE, file)
        assert spec is not None and spec.loader is not None
        # The module gets its usual name, so that a later import of open_clip finds it.
        sys.modules[MODULE] = module_from_spec(spec)
        spec.loader.exec_module(sys.modules[MODULE])
    tokenizer: SimpleTokenizer = sys.modules[MODULE].SimpleTokenizer()
    return tokenizer
