"""Backbones: CLIP models by name. `registry` names them without torch, `loading` loads them."""
