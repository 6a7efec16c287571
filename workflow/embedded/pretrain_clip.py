"""Pre-train one small CLIP on (drawing, name) pairs of the icon sets that are not held out.

Symmetric contrastive loss; pairs of equal name are positives of each other. The state is saved
every few minutes and a restart goes on from there with the same numbers: every step draws from a
random stream of its own.
"""

import argparse
import io
import math
import time
from pathlib import Path

import numpy as np
import pandas as pd
import torch
import torch.nn.functional as F
import yaml
from captions import all_words, captions
from checkpoints import Checkpoint
from drawings import Drawings, painted_batch
from open_clip import CLIP, OPENAI_DATASET_MEAN, OPENAI_DATASET_STD
from open_clip.tokenizer import SimpleTokenizer
from PIL import Image
from torch import nn
from tqdm import tqdm

from ptnl.io import atomic_path

EVALUATE_STEPS = 250


class Vocabulary:
    """CLIP's tokens that pre-training can meet, renumbered without gaps and in the same order."""

    def __init__(self, names: list[str]):
        self.tokenizer = SimpleTokenizer()
        used = {self.tokenizer.sot_token_id, self.tokenizer.eot_token_id}
        for text in [*names, *all_words()]:
            used.update(self.tokenizer.encode(text))
        self.ids = np.array(sorted(used))
        self.index = {token: i for i, token in enumerate(self.ids)}
        self._cache: dict[str, list[int]] = {}

    def encode(self, texts: list[str], context_length: int) -> torch.Tensor:
        """Token indices (texts, longest), cut to `context_length`, padded with 0."""
        sot, eot = (self.index[t] for t in self.tokenizer.all_special_ids)
        rows = []
        for text in texts:
            if text not in self._cache:
                self._cache[text] = [self.index[t] for t in self.tokenizer.encode(text)]
            rows.append([sot, *self._cache[text][: context_length - 2], eot])
        width = max(map(len, rows))
        return torch.tensor([row + [0] * (width - len(row)) for row in rows])


def name_weights(rows: pd.DataFrame, shared: float) -> np.ndarray:
    """How likely each drawing is drawn: `shared` times likelier where several sets use its name."""
    sets_per_name = rows.groupby("name").icon_set.nunique()
    weight = np.where(rows.name.map(sets_per_name) > 1, shared, 1.0)
    return weight / weight.sum()


def encode_text(model: CLIP, tokens: torch.Tensor) -> torch.Tensor:
    """`CLIP.encode_text` for tokens that are cut to the longest of the batch."""
    length = tokens.shape[1]
    x = model.token_embedding(tokens) + model.positional_embedding[:length]
    x = model.transformer(x, attn_mask=model.attn_mask[:length, :length])
    x = model.ln_final(x[torch.arange(len(x)), tokens.argmax(dim=-1)])
    return F.normalize(x @ model.text_projection, dim=-1)


def contrastive_loss(
    image: torch.Tensor, text: torch.Tensor, scale: torch.Tensor, name: np.ndarray
) -> torch.Tensor:
    """Symmetric cross-entropy in which all pairs of equal name share the target evenly."""
    logits = scale * image @ text.T
    same = torch.from_numpy(name[:, None] == name[None, :]).float()
    target = same / same.sum(dim=1, keepdim=True)
    return (F.cross_entropy(logits, target) + F.cross_entropy(logits.T, target)) / 2


def parameter_groups(model: nn.Module, weight_decay: float) -> list[dict]:
    """Weight decay on matrices and filters only."""
    decayed = [p for n, p in model.named_parameters() if p.ndim >= 2 and "embedding" not in n]
    chosen = {id(p) for p in decayed}
    others = [p for p in model.parameters() if id(p) not in chosen]
    return [
        {"params": decayed, "weight_decay": weight_decay},
        {"params": others, "weight_decay": 0.0},
    ]


@torch.no_grad()
def validation_features(model: CLIP, table: pd.DataFrame) -> torch.Tensor:
    """Image features (images, D) of the validation images of a data set, not normalised."""
    model.eval()
    pngs = table.png[table.split == "val"]
    arrays = [np.asarray(Image.open(io.BytesIO(png)).convert("RGB")) for png in pngs]
    images = torch.from_numpy(np.stack(arrays)).permute(0, 3, 1, 2) / 255
    mean, std = (torch.tensor(v)[:, None, None] for v in (OPENAI_DATASET_MEAN, OPENAI_DATASET_STD))
    features = model.encode_image((images - mean) / std)
    model.train()
    return features


@torch.no_grad()
def zero_shot_accuracy(model: CLIP, vocabulary: Vocabulary, table: pd.DataFrame) -> float:
    """Top-1 accuracy (percent) on the validation images of a data set, one plain template."""
    names = table.groupby("label").class_name.first().tolist()
    texts = vocabulary.encode([f"an icon of a {name}." for name in names], 48)
    guess = (validation_features(model, table) @ encode_text(model, texts).T).argmax(dim=1)
    return float(100 * (guess.numpy() == table.label[table.split == "val"].to_numpy()).mean())


def save_trained(
    model: CLIP, vocabulary: Vocabulary, tables: list[pd.DataFrame], out: Path
) -> None:
    """The trained model, its tokens, and the mean norm of the validation images' features."""
    features = torch.cat([validation_features(model, table) for table in tables])
    with atomic_path(out) as temporary:
        torch.save(
            {
                "model": model.state_dict(),
                "token_ids": torch.from_numpy(vocabulary.ids),
                "feature_norm": features.norm(dim=-1).mean().item(),
            },
            temporary,
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=Path, required=True, help="pairs.parquet")
    parser.add_argument("--datasets", type=Path, nargs="+", required=True)
    parser.add_argument("--config", type=Path, required=True)
    parser.add_argument("--backbone", required=True)
    parser.add_argument("--checkpoint", type=Path, required=True, help="state to resume from")
    parser.add_argument("--out", type=Path, required=True, help="the trained model")
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    config = yaml.safe_load(args.config.read_text())
    spec = dict(config["backbones"][args.backbone])
    hp = config["pretraining"]

    datasets = {path.stem: pd.read_parquet(path) for path in args.datasets}
    rows = pd.read_parquet(args.pairs)
    shown = {name for table in datasets.values() for name in table.class_name}
    vocabulary = Vocabulary(sorted(shown.union(rows.name)))
    drawings = Drawings(rows)
    weight = name_weights(rows, hp["shared_name_weight"])

    torch.manual_seed(hp["seed"])
    spec["text_cfg"] = {**spec["text_cfg"], "vocab_size": len(vocabulary.ids)}
    context_length = spec["text_cfg"]["context_length"]
    model = CLIP(**spec).to(memory_format=torch.channels_last).train()
    steps = hp["samples"] // hp["batch_size"]
    optimiser = torch.optim.AdamW(
        parameter_groups(model, hp["weight_decay"]), lr=hp["learning_rate"], betas=(0.9, 0.98)
    )
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, hp["learning_rate"], total_steps=steps, pct_start=hp["warmup"]
    )
    checkpoint = Checkpoint(args.checkpoint, model=model, optimiser=optimiser, schedule=schedule)
    first = checkpoint.resume()

    started, running = time.monotonic(), 0.0
    for step in tqdm(range(first, steps), initial=first, total=steps, disable=None):
        rng = np.random.default_rng([hp["seed"], step])
        torch.manual_seed(int(rng.integers(2**31)))  # patch dropout
        index = rng.choice(len(rows), size=hp["batch_size"], p=weight)
        images, look = painted_batch(drawings, index, rng)
        names = drawings.name[index]
        texts = captions(look, list(names), drawings.coloured[index])
        image = F.normalize(model.encode_image(images), dim=-1)
        text = encode_text(model, vocabulary.encode(texts, context_length))
        loss = contrastive_loss(image, text, model.logit_scale.exp(), names)
        if not torch.isfinite(loss):
            raise SystemExit(f"step {step}: the loss is {loss.item()}")
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        schedule.step()
        with torch.no_grad():
            model.logit_scale.clamp_(max=math.log(100))
        running += loss.item()
        if (step + 1) % EVALUATE_STEPS == 0:
            accuracy = {k: zero_shot_accuracy(model, vocabulary, t) for k, t in datasets.items()}
            rate = (step + 1 - first) * hp["batch_size"] / (time.monotonic() - started)
            print(
                f"step {step + 1}/{steps} loss {running / EVALUATE_STEPS:.3f} "
                f"scale {model.logit_scale.exp().item():.1f} zero-shot on val "
                + " ".join(f"{k} {v:.1f} %" for k, v in accuracy.items())
                + f", {rate:.0f} drawings/s",
                flush=True,
            )
            running = 0.0
        checkpoint.save_if_due(step + 1)

    save_trained(model, vocabulary, list(datasets.values()), args.out)


if __name__ == "__main__":
    main()
