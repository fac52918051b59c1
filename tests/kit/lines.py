"""Counts the lines that an app has for e2ereset: those that name it, or what comes from it."""

import ast


def embedding_lines(text):
    """How many lines of a program it would not have without e2ereset.

    They are the imports, statements and decorators that use a name of e2ereset or speak of it in a
    text, and the assignments and functions of which only such lines make use.
    """
    tree = ast.parse(text)
    parts = [part for node in ast.walk(tree) for part in _parts(node)]
    ours = {name for part in parts if _is_import(part) for name in _binds(part)}
    found = [part for part in parts if _is_import(part) or _uses(part) & ours or _speaks(part)]
    while more := [part for part in _makers(tree, parts) if _is_only_for(part, found, parts)]:
        found += more
    lines = {n for part in found for n in range(part.lineno, part.end_lineno + 1)}
    return sum(bool(line.strip()) for n, line in enumerate(text.splitlines(), 1) if n in lines)


def _parts(node):
    """Statements without a body, and decorators."""
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        return node.decorator_list
    return [node] if isinstance(node, ast.stmt) and not hasattr(node, "body") else []


def _makers(tree, parts):
    """What makes a name that others may use: assignments, and functions without a decorator."""
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
    assigned = [part for part in parts if isinstance(part, ast.Assign | ast.AugAssign)]
    return [*assigned, *(node for node in functions if not node.decorator_list)]


def _is_import(part):
    return isinstance(part, ast.ImportFrom) and (part.module or "").startswith("e2ereset")


def _binds(part):
    if isinstance(part, ast.FunctionDef):
        return {part.name}
    if isinstance(part, ast.ImportFrom):
        return {alias.asname or alias.name for alias in part.names}
    targets = part.targets if isinstance(part, ast.Assign) else [part.target]
    return {target.id for target in targets if isinstance(target, ast.Name)}


def _uses(part):
    names = (node for node in ast.walk(part) if isinstance(node, ast.Name))
    return {name.id for name in names if isinstance(name.ctx, ast.Load)}


def _speaks(part):
    texts = [node.value for node in ast.walk(part) if isinstance(node, ast.Constant)]
    is_docstring = isinstance(part, ast.Expr) and isinstance(part.value, ast.Constant)
    return not is_docstring and any("e2ereset" in str(text).lower() for text in texts)


def _is_only_for(part, found, parts):
    """Whether lines that were found use what it makes, and no others do."""
    if part in found:
        return False
    made = _binds(part)
    mine = {id(node) for ours in (*found, part) for node in ast.walk(ours)}
    others = [other for other in parts if id(other) not in mine]
    used = set().union(*map(_uses, found))
    return bool(made & used) and not made & set().union(*map(_uses, others))
