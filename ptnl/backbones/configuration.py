"""Configurations of CLIP models: which can be used, and the model that one describes.

A configuration has the format of open_clip's `open_clip_config.json`: `model_cfg`, the arguments of
its CLIP class, and `preprocess_cfg`, how images are prepared (OpenAI's way where it is silent). A
bare `model_cfg`, like the files among open_clip's `model_configs`, is one too.
"""

import copy
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import open_clip
import torch
from open_clip import CLIP
from open_clip.model import CLIPTextCfg
from open_clip.transform import PreprocessCfg, merge_preprocess_dict

from ptnl.backbones.bounds import check_preparation, check_sizes
from ptnl.backbones.registry import OpenClip
from ptnl.backbones.text import KNOWN as TEXT_KEYS
from ptnl.errors import InputError
from ptnl.io import read_json

Configuration = dict[str, Any]

LOCAL_FOLDER = "local-dir:"  # open_clip's word for a folder that holds a model

# What may be said of a model, and of its text tower, for it to be CLIP.
MODEL_KEYS = {"embed_dim", "vision_cfg", "text_cfg", "quick_gelu", "init_logit_scale"}
TEXT_DEFAULTS = asdict(CLIPTextCfg())
TEXT_SIZES = ("context_length", "vocab_size", "width", "heads", "layers")


def configuration_of(source: OpenClip) -> Configuration:
    """The configuration that an entry of the registry or of a config names.

    The tag decides which of the two GELUs is right, and how images are prepared: its weights were
    trained so. Without a tag, it is what the model's configuration says.

    Raises `InputError` where open_clip knows no such model or tag, and where the model is none that
    can be used.
    """
    if file := configuration_file(source.model):
        config = read_json(file)
        if source.pretrained:
            raise InputError(
                f"{source.model}: a model of your own has no tag {source.pretrained!r}; "
                "give its weights"
            )
        if not isinstance(config, dict):
            raise InputError(f"{file}: holds no configuration of a model")
        config = {"model_cfg": config} if "model_cfg" not in config else config
        config.setdefault("preprocess_cfg", {})
    elif source.model.startswith("hf-hub:"):
        raise InputError(
            f"{source.model}: get the files of this repository, say model: local-dir:FOLDER, and "
            "give its weights"
        )
    else:
        config = {"model_cfg": _architecture(source.model), "preprocess_cfg": {}}
    if source.pretrained:
        trained = tag_of(source)
        config["model_cfg"]["quick_gelu"] = trained.get("quick_gelu", False)
        config["preprocess_cfg"] = merge_preprocess_dict({}, trained)
    try:
        model = _told(config)
        # It asks for open_clip's class for text towers of any kind; with one of CLIP's kind, and no
        # other passes the check, that is the same model.
        model.pop("custom_text", None)
        model["text_cfg"] = _telling(model["text_cfg"])
        check(model)
        outline(config)
    except InputError as error:
        raise InputError(f"{source.model}: {error}") from error
    return config


def configuration_file(model: str) -> Path | None:
    """The file that a model is described in; None where open_clip knows it by its name.

    In a folder it has the name that open_clip gives it.
    """
    if model.startswith(LOCAL_FOLDER):
        return Path(model.removeprefix(LOCAL_FOLDER)) / "open_clip_config.json"
    return Path(model) if model.endswith(".json") else None


def _told(config: Configuration) -> dict[str, Any]:
    """The `model_cfg` of a configuration, once it is one that can be built."""
    model = config["model_cfg"]
    if not isinstance(model, dict):
        raise InputError(f"its model_cfg is {model!r}, and not a table")
    if missing := {"embed_dim", "vision_cfg", "text_cfg"} - model.keys():
        raise InputError(
            f"cannot be used, for its configuration misses {', '.join(sorted(missing))}"
        )
    check_sizes(model)
    check_preparation(config.get("preprocess_cfg", {}))
    return model


def _telling(text: Mapping[str, Any]) -> dict[str, Any]:
    """A text tower's configuration without what is open_clip's default, but for its sizes."""
    sizes = {key: TEXT_DEFAULTS[key] for key in TEXT_SIZES}
    nothing = object()
    return sizes | {
        key: value
        for key, value in text.items()
        if key in TEXT_SIZES or value != TEXT_DEFAULTS.get(key, nothing)
    }


def _architecture(model: str) -> dict[str, Any]:
    known = open_clip.get_model_config(model)
    if known is None:
        raise InputError(f"{model}: open_clip has no such model; see open_clip.list_models()")
    return copy.deepcopy(known)


def tag_of(source: OpenClip) -> dict[str, Any]:
    """What open_clip's table says of the weights of a tag; an unknown one is an `InputError`."""
    known: dict[str, Any] = open_clip.get_pretrained_cfg(source.model, source.pretrained)
    if not known:
        tags = ", ".join(open_clip.list_pretrained_tags_by_model(source.model)) or "none"
        raise InputError(
            f"{source.model}: open_clip has no weights {source.pretrained!r} of it; it has {tags}"
        )
    return known


def check(model: Mapping[str, Any]) -> None:
    """Refuse what is no CLIP with a causal text tower, an end token and CLIP's tokenizer."""
    text = model.get("text_cfg", {})
    reason = None
    if "multimodal_cfg" in model:
        reason = "it is a captioner"
    elif text.get("hf_model_name"):
        reason = f"its text tower is {text['hf_model_name']}, of Hugging Face"
    elif text.get("hf_tokenizer_name"):
        reason = f"its tokenizer is {text['hf_tokenizer_name']}, and not CLIP's"
    elif text["vocab_size"] != TEXT_DEFAULTS["vocab_size"]:
        reason = f"its vocabulary has {text['vocab_size']} tokens, CLIP's has 49408"
    elif text.get("no_causal_mask"):
        reason = "its text tower is not causal"
    elif "pool_type" in text:
        reason = f"its text is read by {text['pool_type']!r}, and not at the end token"
    elif other := text.keys() - TEXT_KEYS:
        reason = f"a text tower with {', '.join(sorted(other))} is not CLIP's"
    elif other := model.keys() - MODEL_KEYS:
        reason = f"a model with {', '.join(sorted(other))} is not CLIP"
    if reason:
        raise InputError(f"cannot be used, for {reason}")


def outline(config: Configuration) -> CLIP:
    """The model without numbers in its weights: it takes no memory, and no time."""
    with torch.device("meta"):
        return build(config)


def build(config: Configuration) -> CLIP:
    """The model with random weights; an `InputError` where it cannot be built."""
    _told({**config, "model_cfg": config.get("model_cfg", config)})
    arguments = copy.deepcopy(config.get("model_cfg", config))
    # A timm image encoder would otherwise fetch weights of its own.
    arguments["vision_cfg"]["timm_model_pretrained"] = False
    try:
        return CLIP(**arguments)
    except Exception as error:  # of many kinds, from open_clip and timm
        raise InputError(f"cannot be used, for open_clip's CLIP refuses it ({error})") from error


def preprocessing(config: Configuration) -> PreprocessCfg:
    """How images are prepared for a configuration's model, but for their size."""
    return PreprocessCfg(**merge_preprocess_dict(PreprocessCfg(), config.get("preprocess_cfg", {})))
