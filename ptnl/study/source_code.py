"""The source that decides a job's numbers: what a command can reach, definition by definition.

A job runs again when a function, class or constant of `ptnl` that it can reach has changed. What it
can reach is read from the source: the command's `main`, and every definition whose name is
mentioned there or in a definition reached before. A registry (a dictionary of losses, of kinds of
noise) counts only with the entries that the job uses, so a new entry changes nothing for others.
Comments, docstrings, types and formatting do not count, nor do help texts, words of errors and what
is printed. Nothing is imported, because the Snakefile uses this module and must not load torch.
"""

import ast
import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

PACKAGE = Path(__file__).parents[1]
ASSETS = PACKAGE / "assets"
# Modules and folders that affect no result: they fetch and write files, word errors, or choose the
# device of a job.
DECIDES_NOTHING = (
    "ptnl.cli.entry",
    "ptnl.errors",
    "ptnl.fetch",
    "ptnl.io",
    "ptnl.machine.devices",
    "ptnl.machine.gpus",
    "ptnl.provenance",
)
BODY = "(module)"  # stands for the statements of a module that define no name

# Full name of a registry -> the keys of the entries that a job uses.
Entries = Mapping[str, tuple[str | int, ...]]


@dataclass
class Module:
    """A parsed module: what it defines, and what its names stand for."""

    name: str
    definitions: dict[str, list[ast.stmt]] = field(default_factory=dict)
    entries: dict[str, dict[str | int, ast.AST]] = field(default_factory=dict)  # of its registries
    imports: dict[str, str] = field(default_factory=dict)  # name in the module -> full name


def is_defined(name: str) -> bool:
    """Whether there is a definition with a full name."""
    return _resolved(name) is not None


@dataclass(frozen=True)
class Reachable:
    """One definition, or one entry of a registry."""

    module: str
    name: str
    key: str | int | None = None

    @property
    def label(self) -> str:
        """How it is called within its module."""
        return self.name if self.key is None else f"{self.name}[{self.key}]"


def decisive_code(
    *roots: str, entries: Mapping[str, tuple[str | int, ...]] | None = None
) -> dict[str, dict[str, str]]:
    """Module -> definition -> checksum, of everything that the roots can reach.

    Parameters
    ----------
    roots : full names, such as `ptnl.cli.tune_method.main`
    entries : of these registries, only the entries with these keys

    Raises
    ------
    KeyError : a root, or an entry, does not exist
    """
    return _decisive_code(roots, tuple(sorted((entries or {}).items())))


@cache
def _decisive_code(
    roots: tuple[str, ...], entries: tuple[tuple[str, tuple[str | int, ...]], ...]
) -> dict[str, dict[str, str]]:
    chosen = dict(entries)
    queue = [_resolved_root(root) for root in roots]
    seen: set[Reachable] = set()
    while queue:
        one = queue.pop()
        if one in seen:
            continue
        registry = f"{one.module}.{one.name}"
        if one.key is None and registry in chosen:
            queue += [Reachable(one.module, one.name, key) for key in chosen[registry]]
            continue
        seen.add(one)
        if BODY in _module(one.module).definitions:
            queue.append(Reachable(one.module, BODY))
        queue += _mentioned(one)
    found: dict[str, dict[str, str]] = {}
    for one in sorted(seen, key=lambda one: (one.module, one.label)):
        found.setdefault(one.module.removeprefix("ptnl."), {})[one.label] = _checksum(one)
    return found


def shipped_file(path: str) -> str:
    """A file of the package that decides numbers (a table, a template), with its checksum."""
    return f"{path} {hashlib.sha256((PACKAGE / path).read_bytes()).hexdigest()[:8]}"


@cache
def _asset_checksums() -> dict[str, str]:
    checksums: dict[str, str] = json.loads((ASSETS / "checksums.json").read_text())
    return checksums


def shipped_asset(name: str) -> str:
    """An asset of the package, with the checksum that its build recorded."""
    return f"{name} {_asset_checksums()[name][:8]}"


def as_line(module: str, definitions: Mapping[str, str]) -> str:
    """The code of a module that a job can reach, in one line: what a reader of a reason sees."""
    parts = ", ".join(f"{name} {checksum}" for name, checksum in definitions.items())
    return f"{module}: {parts}" if parts else ""


def file_of(module: str) -> str:
    """The file of a module as `as_line` names it, from the top of the checkout.

    A module that was removed since is named as a file of its own would be.
    """
    there = _source(f"ptnl.{module}")
    path = there.relative_to(PACKAGE.parent) if there else Path("ptnl", *module.split("."))
    return path.with_suffix(".py").as_posix()


def _resolved_root(root: str) -> Reachable:
    found = _resolved(root)
    if found is None:
        raise KeyError(f"{root}: no such definition")
    return found


def _source(module: str) -> Path | None:
    """The file of a module of the package."""
    path = PACKAGE.parent.joinpath(*module.split("."))
    for file in (path.with_suffix(".py"), path / "__init__.py"):
        if file.is_file():
            return file
    return None


@cache
def _resolved(name: str) -> Reachable | None:
    """The definition that a full name stands for; None outside the package and for modules."""
    parts = name.split(".")
    if parts[0] != "ptnl":
        return None
    for length in range(len(parts) - 1, 0, -1):
        module = ".".join(parts[:length])
        if _source(module) is not None:
            break
    if any(module == other or module.startswith(f"{other}.") for other in DECIDES_NOTHING):
        return None
    known, local = _module(module), parts[length]
    if local in known.definitions or local in known.entries:
        return Reachable(module, local)
    return _resolved(known.imports[local]) if local in known.imports else None


@cache
def _module(name: str) -> Module:
    module, file = Module(name), _source(name)
    assert file is not None
    for statement in _Bare().visit(ast.parse(file.read_text())).body:
        _read(statement, module)
    return module


def _read(statement: ast.stmt, module: Module) -> None:
    """Record the names that a top-level statement of a module defines."""
    if isinstance(statement, ast.Import | ast.ImportFrom):
        module.imports.update(_imported(statement))
        return
    if isinstance(statement, ast.FunctionDef | ast.ClassDef):
        module.definitions.setdefault(statement.name, []).append(statement)
        return
    if isinstance(statement, ast.If) and ast.unparse(statement.test) in (
        "TYPE_CHECKING",
        "__name__ == '__main__'",
    ):
        return
    if isinstance(statement, ast.Assign | ast.AnnAssign) and statement.value is not None:
        targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
        for target in targets:
            match target, statement.value:
                case ast.Name(id=name), ast.Dict(keys=keys, values=values):
                    module.definitions.setdefault(name, []).append(statement)
                    for key, value in zip(keys, values, strict=True):
                        if isinstance(key, ast.Constant) and isinstance(key.value, str | int):
                            module.entries.setdefault(name, {})[key.value] = value
                case ast.Name(id=name), _:
                    module.definitions.setdefault(name, []).append(statement)
                case (
                    ast.Subscript(
                        value=ast.Name(id=name), slice=ast.Constant(value=str() | int() as place)
                    ),
                    value,
                ):
                    module.definitions.setdefault(name, []).append(statement)
                    module.entries.setdefault(name, {})[place] = value
                case _:
                    module.definitions.setdefault(BODY, []).append(statement)
        return
    module.definitions.setdefault(BODY, []).append(statement)


def _imported(statement: ast.Import | ast.ImportFrom) -> dict[str, str]:
    """Name that an import binds -> full name of what it stands for."""
    if isinstance(statement, ast.ImportFrom):
        return {
            alias.asname or alias.name: f"{statement.module}.{alias.name}"
            for alias in statement.names
        }
    bound = {}
    for alias in statement.names:
        top = alias.name.split(".")[0]
        bound[alias.asname or top] = alias.name if alias.asname else top
    return bound


def _nodes(one: Reachable) -> Sequence[ast.AST]:
    module = _module(one.module)
    if one.key is not None:
        return [module.entries[one.name][one.key]]
    return module.definitions[one.name]


@cache
def _mentioned(one: Reachable) -> frozenset[Reachable]:
    """The definitions that a definition mentions by name."""
    module = _module(one.module)
    names = dict(module.imports)
    for node in _nodes(one):
        for part in ast.walk(node):
            if isinstance(part, ast.Import | ast.ImportFrom):
                names.update(_imported(part))
    full = set()
    for node in _nodes(one):
        for chain in _names(node):
            first, _, rest = chain.partition(".")
            if first in module.definitions:
                full.add(f"{one.module}.{first}")
            elif first in names:
                full.add(f"{names[first]}.{rest}".rstrip("."))
    found = {_resolved(name) for name in full}
    return frozenset(other for other in found if other is not None and other != one)


def _names(node: ast.AST) -> Iterator[str]:
    """Every name in a piece of code, with the attributes behind it: `a`, `a.b.c`."""
    for part in ast.walk(node):
        chain, inner = [], part
        while isinstance(inner, ast.Attribute):
            chain.append(inner.attr)
            inner = inner.value
        if isinstance(inner, ast.Name):
            yield ".".join([inner.id, *reversed(chain)])


@cache
def _checksum(one: Reachable) -> str:
    """A short checksum of a definition's code."""
    code = "\n".join(ast.unparse(node) for node in _nodes(one))
    return hashlib.sha256(code.encode()).hexdigest()[:8]


class _Bare(ast.NodeTransformer):
    """Removes docstrings, types and words for readers. (A syntax tree holds no comments.)"""

    def _without_docstring(self, node: ast.FunctionDef | ast.ClassDef | ast.Module) -> ast.AST:
        self.generic_visit(node)
        if ast.get_docstring(node, clean=False) is not None:
            node.body = node.body[1:] or [ast.Pass()]
        if isinstance(node, ast.FunctionDef):
            node.returns = None
        return node

    visit_FunctionDef = visit_ClassDef = visit_Module = _without_docstring

    def visit_arg(self, node: ast.arg) -> ast.AST:
        node.annotation = None
        return node

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AST:
        self.generic_visit(node)
        node.annotation = ast.Constant(...)
        return node

    def visit_Call(self, node: ast.Call) -> ast.AST:
        self.generic_visit(node)
        node.keywords = [keyword for keyword in node.keywords if keyword.arg != "help"]
        return node

    def visit_Raise(self, node: ast.Raise) -> ast.AST:
        if isinstance(node.exc, ast.Call):
            node.exc = node.exc.func
        return node

    def visit_Expr(self, node: ast.Expr) -> ast.AST:
        self.generic_visit(node)
        match node.value:
            case ast.Call(func=ast.Name(id="print" | "note")):
                return ast.Pass()
        return node
