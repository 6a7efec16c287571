"""Equations as MathML, which browsers draw by themselves, without a script from another server."""

from xml.etree import ElementTree

from docutils import nodes
from docutils.utils.math.latex2mathml import tex2mathml
from sphinx.application import Sphinx
from sphinx.writers.html5 import HTML5Translator

ACCENTS = {"ˆ", "~", "ˉ"}

ElementTree.register_namespace("", "http://www.w3.org/1998/Math/MathML")


def named(element: ElementTree.Element, *names: str) -> bool:
    """Whether an element of MathML has one of the names."""
    return element.tag.rpartition("}")[2] in names


def beside(element: ElementTree.Element) -> None:
    """Put the index of an accented letter beside it: docutils writes x-hat-i with the i below."""
    for child in element:
        beside(child)
    space = element.tag.rpartition("}")[0] + "}"
    if named(element, "munderover") and (element[2].text or "") in ACCENTS:
        letter, index, accent = element
        accented = ElementTree.Element(f"{space}mover")
        accented.extend([letter, accent])
        element.tag = f"{space}msub"
        element[:] = [accented, index]
    elif named(element, "msup") and named(element[0], "msub") and named(element[0][0], "mover"):
        element.tag = f"{space}msubsup"
        element[:] = [*element[0], element[1]]


def mathml(tex: str, as_block: bool) -> str:
    """The MathML of an equation in LaTeX."""
    written = tex2mathml(tex, as_block=as_block)
    # XML does not know the one entity that docutils writes.
    root = ElementTree.fromstring(written.replace("&ApplyFunction;", "\N{FUNCTION APPLICATION}"))
    beside(root)
    return ElementTree.tostring(root, encoding="unicode")


def visit_math(translator: HTML5Translator, node: nodes.math) -> None:
    """Write an equation inside a sentence."""
    translator.body.append(mathml(node.astext(), as_block=False))
    raise nodes.SkipNode


def visit_math_block(translator: HTML5Translator, node: nodes.math_block) -> None:
    """Write an equation on a line of its own."""
    # A wide equation is scrolled by keyboard, too.
    div = '<div class="math" role="group" aria-label="equation" tabindex="0">'
    translator.body.append(f"{div}{mathml(node.astext(), as_block=True)}</div>")
    raise nodes.SkipNode


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the renderer as `mathml`."""
    app.add_html_math_renderer("mathml", (visit_math, None), (visit_math_block, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
