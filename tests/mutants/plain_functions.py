"""Code rewritten so that mutmut reaches all of its functions: it leaves some kinds alone.

It changes neither functions with a decorator, such as properties, nor lambdas in a module's tables.
Here a property becomes a plain function and an assignment, and a table's lambda becomes a function
that stands before the table. What the code does stays the same.
"""

import ast

PROPERTIES = {"property", "cached_property"}


def plain_functions(source: str) -> str:
    """The source of a module with properties and lambdas as plain functions; without comments."""
    body: list[ast.stmt] = []
    for statement in ast.parse(source).body:
        if isinstance(statement, ast.ClassDef):
            statement.body = [new for old in statement.body for new in _undecorated(old)]
        elif isinstance(statement, ast.Assign | ast.AnnAssign):
            body += _taken_out(statement)
        body.append(statement)
    return ast.unparse(ast.fix_missing_locations(ast.Module(body, []))) + "\n"


def _undecorated(statement: ast.stmt) -> list[ast.stmt]:
    """A property as a function and an assignment; any other statement as it is."""
    match statement:
        case ast.FunctionDef(name=name, decorator_list=[ast.Name(kind)]) if kind in PROPERTIES:
            statement.decorator_list = []
            return [statement, *ast.parse(f"{name} = {kind}({name})").body]
    return [statement]


def _taken_out(assignment: ast.Assign | ast.AnnAssign) -> list[ast.stmt]:
    """Functions in the place of an assignment's outermost lambdas, which it names from now on.

    One that stands in a dictionary, or in a call that does, is called as its key is.
    """
    functions: list[ast.stmt] = []

    class TakeOut(ast.NodeTransformer):
        key = "table"

        def visit_Dict(self, node: ast.Dict) -> ast.Dict:
            for place, key in enumerate(node.keys):
                if isinstance(key, ast.Constant):
                    self.key = str(key.value)
                node.values[place] = self.visit(node.values[place])
            return node

        def visit_Lambda(self, node: ast.Lambda) -> ast.Name:
            name = f"{self.key}_lambda_{len(functions) + 1}"
            (function,) = ast.parse(f"def {name}():\n    return None").body
            assert isinstance(function, ast.FunctionDef)
            function.args, function.body = node.args, [ast.Return(node.body)]
            functions.append(function)
            return ast.Name(name, ast.Load())

    TakeOut().visit(assignment)
    return functions
