"""The protocols side by side, as Markdown: what the paper says, what its code does, what we run."""

from collections.abc import Mapping
from typing import Any

from ptnl.study.protocols import Stated, statements

HEADER = (
    "| parameter | paper's text | released code | ours | same | source |",
    "|---|---|---|---|---|---|",
)
SILENT = "–"


def protocol_table(
    presets: Mapping[str, Mapping[str, Any]], config: Mapping[str, Any]
) -> list[str]:
    """A row per parameter of the presets `paper` and `released`.

    `ours` is the value that the study runs with; `same` says whether it equals what the text and
    the code say of the parameter, and stays open where neither says anything.

    Parameters
    ----------
    presets : protocols with their sources (`ptnl.study.config.Rules`)
    config : the whole config of a study
    """
    text, code = (dict(statements(presets[name])) for name in ("paper", "released"))
    own = presets["paper"]["methods"]
    return [
        *HEADER,
        *(
            _row(path, text.get(path), code.get(path), _ours(path, config, own))
            for path in dict.fromkeys([*text, *code])
        ),
    ]


def _row(path: str, text: Stated | None, code: Stated | None, ours: Any) -> str:
    by_text, by_code = (None if said is None or said.open else said for said in (text, code))
    said = [stated.value for stated in (by_text, by_code) if stated]
    sources = [text.source] if text else []
    sources += [f"code: {by_code.source}"] if by_code else []
    if not said:
        same = "open"
    elif all(value == ours for value in said):
        same = "yes"
    elif by_text and by_text.value == ours:
        same = "text only"
    else:
        same = "no"
    cells = [
        f"`{path.removeprefix('settings.').removeprefix('methods.')}`",
        _shown(by_text.value if by_text else None),
        _shown(by_code.value if by_code else None),
        _shown(ours),
        same,
        "; ".join(sources),
    ]
    return f"| {' | '.join(cells)} |"


def _ours(path: str, config: Mapping[str, Any], own: Mapping[str, Any]) -> Any:
    """The value of a parameter in a config; None where the study has nothing of the kind.

    own : what the paper's protocol says of single methods; a general setting is not theirs
    """
    if path.startswith("settings."):
        key = path.removeprefix("settings.")
        values = [
            settings[key]
            for method, settings in config["methods"].items()
            if key in settings and key not in own.get(method, {})
        ]
        return values[0] if values else None
    node: Any = config
    for name in path.split("."):
        node = node.get(name) if isinstance(node, Mapping) else None
    return node


def _shown(value: Any) -> str:
    if value is None:
        return SILENT
    if isinstance(value, list):
        return ", ".join(map(_shown, value))
    return f"{value:g}" if isinstance(value, float) else str(value)
