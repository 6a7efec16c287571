"""The text of an adapted model's card and summary, from its report. Pure."""

from typing import Any

from huggingface_hub import ModelCard, ModelCardData

from ptnl.own.adaptation import TITLES
from ptnl.own.adapted import AdaptedModel

# Licences of weights by open_clip's tag. For other tags, the card says that it is not known.
LICENCES = {"openai": "mit"}
SHIPPED_LICENCE = "mit"


def verdict(report: dict[str, Any]) -> str:
    """A sentence that says which model was kept, and why."""
    tried = TITLES[report["tried"]]
    if report["labelled"] == 0:
        return (
            f"Kept: {tried}. There are no labels to judge it by: label a few images of every class "
            "and adapt again to know whether it is better than zero-shot."
        )
    gain, low, high = report["gain"]
    interval = f"{gain:+.1f} points (95 % interval {low:+.1f} to {high:+.1f})"
    if report["kept"] == "zero_shot":
        return (
            f"Kept: zero-shot. On held-out images the {tried} differs from it by {interval}: "
            "no gain that chance does not explain."
        )
    return f"Kept: the {tried}. On held-out images it gains {interval} over zero-shot."


def quality_rows(report: dict[str, Any]) -> list[str]:
    """Lines of a Markdown table: cross-fitted quality of zero-shot and of the tried model."""
    if not report["quality"]:
        return []
    lines = [
        "| model | top-1 (%) | macro recall (%) | calibration error (%) |",
        "| --- | --- | --- | --- |",
    ]
    for name, values in report["quality"].items():
        numbers = (values["top1"], values["macro_recall"], values["calibration_error"])
        lines.append(f"| {TITLES[name]} | " + " | ".join(f"{n:.1f}" for n in numbers) + " |")
    return lines


def summary(report: dict[str, Any]) -> str:
    """The text that `ptnl adapt` prints at its end."""
    lines = [
        f"{report['images']} images, {report['labelled']} of them labelled, "
        f"{report['classes']} classes",
        *quality_rows(report),
    ]
    if report["noise"] is not None:
        rate, (low, high) = report["noise"]["rate"], report["noise"]["interval"]
        lines.append(
            f"wrong labels, estimated: {100 * rate:.1f} % ({100 * low:.1f} to {100 * high:.1f}); "
            "`ptnl audit` lists the likely ones"
        )
    lines += [f"warning: {warning}" for warning in report["warnings"]]
    return "\n".join([*lines, verdict(report)])


def model_card(model: AdaptedModel) -> str:
    """The model card, in the Hugging Face Hub's format."""
    report, backbone = model.report, model.backbone
    is_shipped = not backbone["tag"]
    licence = SHIPPED_LICENCE if is_shipped else LICENCES.get(backbone["tag"])
    data = ModelCardData(
        license=licence or "other",
        library_name="ptnl",
        pipeline_tag="zero-shot-image-classification",
        tags=["clip", "prompt-tuning"],
    )
    origin = "of ptnl" if is_shipped else f"{backbone['model']} {backbone['tag']} of open_clip"
    known = f"`{licence}`" if licence else "not known to ptnl: look at where its weights come from"
    noise = "Not estimated: there were no labels."
    if report["noise"] is not None:
        rate, (low, high) = report["noise"]["rate"], report["noise"]["interval"]
        noise = (
            f"{100 * rate:.1f} % of the given labels (95 % interval {100 * low:.1f} to "
            f"{100 * high:.1f} %), by a model of the noise; all numbers above are against the "
            "labels as given."
        )
    rows = quality_rows(report)
    prompts = ", ".join(f"`{text}`" for text in model.classes.texts(model.template)[:5])
    parts = [
        "# Image classifier, adapted with ptnl",
        verdict(report),
        "## Data",
        f"{report['images']} images ({report['unreadable']} could not be read), "
        f"{report['labelled']} labelled, {report['classes']} classes. Counts per class: "
        "`classes.csv`.",
        "## Zero-shot against adapted",
        "Held-out images, cross-fitted: every image is judged by a model that has not seen it."
        if rows
        else "There are no labels to judge either of them by. "
        f"Adapting changed the predicted class of {100 * report['changed']:.1f} % of the images.",
        "\n".join(rows),
        "## Estimated noise",
        noise,
        "## Warnings",
        "\n".join(f"- {warning}" for warning in report["warnings"]) or "None.",
        "## Limits",
        "It knows these classes only, and gives each image to one of them, whatever it shows. "
        + (
            "Its probabilities are as good as the calibration error above, on images like those "
            "it was adapted to."
            if rows
            else "How good its probabilities are is not known without labels."
        ),
        "## Backbone",
        f"`{backbone['name']}` ({origin}), weights' sha256 `{backbone['sha256']}`, "
        f"licence {known}.",
        "## Prompts",
        f"Template `{model.template}`; the first of them: {prompts}. All are in `adapted.json`.",
        "## Use",
        "```\nptnl predict THIS_FOLDER IMAGES -o predictions.csv\n```",
    ]
    text = "\n\n".join(part for part in parts if part)
    return str(ModelCard(f"---\n{data.to_yaml()}\n---\n\n{text}\n"))
