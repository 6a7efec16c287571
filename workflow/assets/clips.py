"""What the trainings of small CLIPs share: model, losses, validation, and files."""

import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
import torch.nn.functional as F
from open_clip import CLIP, OPENAI_DATASET_MEAN, OPENAI_DATASET_STD
from PIL import Image
from torch import Tensor, nn
from vocabulary import Vocabulary

from ptnl.io import atomic_path


def build_clip(spec: Mapping[str, Any], vocabulary: Vocabulary, device: torch.device) -> CLIP:
    """An untrained CLIP of open_clip with token embeddings for the vocabulary only."""
    text = {**spec["text_cfg"], "vocab_size": len(vocabulary.ids)}
    return CLIP(**{**spec, "text_cfg": text}).to(device, memory_format=torch.channels_last)


def encode_text(model: CLIP, tokens: Tensor) -> Tensor:
    """Unit embeddings (texts, D), as by `CLIP.encode_text` but without padding to full length."""
    length = tokens.shape[1]
    with torch.autocast(tokens.device.type, torch.bfloat16):
        x = model.token_embedding(tokens) + model.positional_embedding[:length]
        x = model.transformer(x, attn_mask=model.attn_mask[:length, :length])
        x = model.ln_final(x[torch.arange(len(x), device=x.device), tokens.argmax(dim=-1)])
        x = x @ model.text_projection
    return F.normalize(x.float(), dim=-1)


def encode_image(model: CLIP, images: Tensor) -> Tensor:
    """Unit image features (images, D)."""
    with torch.autocast(images.device.type, torch.bfloat16):
        features = model.encode_image(images)
    return F.normalize(features.float(), dim=-1)


def contrastive_loss(image: Tensor, text: Tensor, scale: Tensor, name: Tensor) -> Tensor:
    """Symmetric cross-entropy; the target is shared evenly among pairs with the same name."""
    logits = scale * image @ text.T
    same = (name[:, None] == name[None, :]).float()
    target = same / same.sum(dim=1, keepdim=True)
    return (F.cross_entropy(logits, target) + F.cross_entropy(logits.T, target)) / 2


def parameter_groups(model: nn.Module, hp: Mapping[str, Any]) -> list[dict]:
    """Parameter groups: weight decay on matrices and filters, another on token embeddings."""
    trained = {n: p for n, p in model.named_parameters() if p.requires_grad}
    tokens = [p for n, p in trained.items() if n == "token_embedding.weight"]
    decayed = [p for n, p in trained.items() if p.ndim >= 2 and "embedding" not in n]
    chosen = {id(p) for p in (*tokens, *decayed)}
    others = [p for p in trained.values() if id(p) not in chosen]
    groups = [(decayed, hp["weight_decay"]), (others, 0.0)]
    if tokens:
        groups.append((tokens, hp["token_decay"]))
    return [{"params": parameters, "weight_decay": decay} for parameters, decay in groups]


def one_cycle(model: nn.Module, hp: Mapping[str, Any], steps: int) -> list:
    """AdamW and its schedule."""
    groups = parameter_groups(model, hp)
    optimiser = torch.optim.AdamW(groups, lr=hp["learning_rate"], betas=(0.9, 0.98), fused=True)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, hp["learning_rate"], total_steps=steps, pct_start=hp["warmup"]
    )
    return [optimiser, schedule]


@dataclass(frozen=True)
class Validation:
    """The validation images of the data sets, the only ones that a training may see."""

    images: dict[str, Tensor]  # by data set
    labels: dict[str, Tensor]
    names: dict[str, Tensor]  # tokens of "an icon of a NAME."

    @classmethod
    def of(
        cls, tables: Mapping[str, pd.DataFrame], vocabulary: Vocabulary, device: torch.device
    ) -> "Validation":
        mean, std = (
            torch.tensor(v)[:, None, None] for v in (OPENAI_DATASET_MEAN, OPENAI_DATASET_STD)
        )
        images, labels, names = {}, {}, {}
        for key, table in tables.items():
            val = table[table.split == "val"]
            pixels = [np.asarray(Image.open(io.BytesIO(p)).convert("RGB")) for p in val.png]
            pixels = torch.from_numpy(np.stack(pixels)).permute(0, 3, 1, 2) / 255
            images[key] = ((pixels - mean) / std).to(device)
            labels[key] = torch.tensor(val.label.tolist(), device=device)
            classes = table.groupby("label").class_name.first()
            texts = [vocabulary.tokens_of(f"an icon of a {name}.") for name in classes]
            names[key] = torch.from_numpy(vocabulary.pad(texts)).to(device)
        return cls(images, labels, names)

    @torch.no_grad()
    def describe(self, model: CLIP) -> str:
        """Zero-shot accuracy as text for the log."""
        training = model.visual.training
        model.visual.eval()
        shown = []
        for key, images in self.images.items():
            logits = encode_image(model, images) @ encode_text(model, self.names[key]).T
            right = (logits.argmax(dim=1) == self.labels[key]).double().mean().item()
            shown.append(f"{key} {100 * right:.1f} %")
        model.visual.train(training)
        return "zero-shot on val " + ", ".join(shown)

    @torch.no_grad()
    def feature_norm(self, model: CLIP) -> float:
        """Mean norm of the validation images' features."""
        model.visual.eval()
        return (
            torch.cat([model.encode_image(x) for x in self.images.values()])
            .norm(dim=-1)
            .mean()
            .item()
        )


def save_clip(model: CLIP, vocabulary: Vocabulary, validation: Validation, out: Path) -> None:
    """Write a trained model with its tokens, the norm of its features, device and torch."""
    device = next(model.parameters()).device
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else "CPU"
    state = {
        "model": {key: value.cpu() for key, value in model.state_dict().items()},
        "token_ids": torch.from_numpy(vocabulary.ids),
        "feature_norm": validation.feature_norm(model),
        "device": name,
        "torch": str(torch.__version__),
    }
    with atomic_path(out) as temporary:
        torch.save(state, temporary)


def load_clip(
    model: CLIP, path: Path, vocabulary: Vocabulary, image_tower_alone: bool = False
) -> CLIP:
    """Load into a model what `save_clip` wrote; the model, frozen and in evaluation mode."""
    state = torch.load(path, weights_only=True, map_location="cpu")
    if not np.array_equal(state["token_ids"].numpy(), vocabulary.ids):
        raise SystemExit(f"{path} was trained on other words: its vocabulary differs")
    taken = state["model"]
    if image_tower_alone:
        taken = {
            name: taken[name] if name.startswith("visual.") else value
            for name, value in model.state_dict().items()
        }
    model.load_state_dict(taken)
    return model.eval().requires_grad_(False)
