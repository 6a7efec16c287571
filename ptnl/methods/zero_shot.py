"""Zero-shot CLIP: class embeddings of a hand-crafted prompt; nothing is trained."""

import torch
from torch import Tensor

from ptnl.backbones.text import TextBackbone
from ptnl.text import encode_texts, spoken
from ptnl.training.tuning import cosine_logits


def class_embeddings(backbone: TextBackbone, class_names: list[str], template: str) -> Tensor:
    """Embeddings (C, D) of such as "a photo of a CLS" (paper, section 3), not normalised."""
    texts = [template.format(spoken(name)) for name in class_names]
    return encode_texts(backbone.tower, texts)


@torch.inference_mode()
def zero_shot_logits(
    backbone: TextBackbone, features: Tensor, class_names: list[str], template: str
) -> Tensor:
    """Logits (N, C) of image features (N, D) (paper, Eq. 1)."""
    embeddings = class_embeddings(backbone, class_names, template)
    return cosine_logits(features, embeddings, backbone.logit_scale)
