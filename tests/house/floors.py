"""The rules of the house as checks on Python source; each returns its offenders as sentences.

Every check takes the root of a source tree, so that it can be shown a small one that breaks it.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from types import MappingProxyType

PACKAGES = ("questlog", "eventstore", "server", "tools", "migrations")
CHECKED = (*PACKAGES, "tests", "bench", "examples")
MAX_FILE_LINES = 400
MAX_FUNCTION_LINES = 60

# The longest prefix of a module's name decides what it may import of ours.
FLOORS = MappingProxyType(
    {
        "questlog.document": ("questlog.document",),
        "questlog.campaign": ("questlog.document", "questlog.campaign"),
        "questlog.sync": ("questlog.document", "questlog.campaign", "questlog.sync"),
        "questlog": ("questlog",),
        "eventstore": ("questlog.document", "questlog.campaign", "migrations", "eventstore"),
        "migrations": ("migrations",),
        "server": ("questlog", "eventstore", "migrations", "server"),
        "tools": PACKAGES,
    }
)
# The shells round the library: they keep the time and hold the connections.
SHELLS = frozenset(
    [
        "questlog/client/calls.py",
        "questlog/client/carriers.py",
        "questlog/client/client.py",
        "questlog/client/line.py",
        "questlog/broadcast/branch.py",
        "questlog/broadcast/broadcaster.py",
        "questlog/broadcast/http.py",
    ]
)
IO_MODULES = frozenset(
    [
        "aiohttp",
        "aiosqlite",
        "asyncio",
        "concurrent",
        "http",
        "logging",
        "multiprocessing",
        "os",
        "pathlib",
        "select",
        "selectors",
        "shutil",
        "signal",
        "socket",
        "sqlite3",
        "ssl",
        "structlog",
        "subprocess",
        "tempfile",
        "threading",
        "time",
        "urllib.request",
        "uvloop",
    ]
)
IO_CALLS = frozenset({"open", "print", "input"})
# Not spelt out, so that this file may be checked too.
FORBIDDEN = re.compile(
    r"\b(" + "|".join(["TO" + "DO", "FIX" + "ME", "X" + "XX", "HA" + "CK"]) + r")\b"
)
# Calls that only build a value that cannot change.
FROZEN_CALLS = frozenset(
    [
        "frozenset",
        "tuple",
        "bytes",
        "int",
        "float",
        "str",
        "range",
        "compile",
        "MappingProxyType",
        "TypeVar",
        "ParamSpec",
        "NewType",
        "Decimal",
        "timedelta",
        "Struct",
        "itemgetter",
        "attrgetter",
        "ContextVar",
        "AppKey",
        "RequestKey",
        "Encoder",
        "Decoder",
        "object",
        "option",
        "argument",
        "join",
        "encode",
    ]
)
READ_ONLY = re.compile(r"\b(Mapping|Sequence|AbstractSet|Collection)\b")
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
DISPLAYS = (ast.List, ast.Dict, ast.Set, ast.ListComp, ast.DictComp, ast.SetComp)


def sources(root: Path, packages: tuple[str, ...]) -> Iterator[tuple[Path, ast.Module]]:
    """Yield the path from `root` and the syntax tree of every module of these packages."""
    for package in packages:
        for path in sorted((root / package).rglob("*.py")):
            yield path.relative_to(root), ast.parse(path.read_text("utf-8"), str(path))


def module_name(path: Path) -> str:
    """Return the dotted name of the module in this file, a path from the root."""
    parts = path.with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def under(name: str, prefix: str) -> bool:
    """Tell whether the dotted `name` is `prefix` or stands below it."""
    return name == prefix or name.startswith(prefix + ".")


def imports(path: Path, tree: ast.Module) -> Iterator[tuple[int, tuple[str, ...]]]:
    """Yield each import, wherever it stands, as its line and the names it may mean.

    `from a import b` means the module `a` or `a.b`; relative imports are resolved.
    """
    package = path.parent.parts
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, (alias.name,)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else ()
            module = ".".join([*base, *([node.module] if node.module else [])])
            for alias in node.names:
                yield node.lineno, (module, f"{module}.{alias.name}")


def broken_floors(root: Path) -> list[str]:
    """Find imports of ours that the floors do not allow."""
    found = []
    for path, tree in sources(root, PACKAGES):
        name = module_name(path)
        floor = max((floor for floor in FLOORS if under(name, floor)), key=len)
        for line, meanings in imports(path, tree):
            ours = meanings[0].split(".")[0] in CHECKED
            allowed = any(under(m, prefix) for m in meanings for prefix in FLOORS[floor])
            if ours and not allowed:
                found.append(f"{path}:{line}: {floor} may not import {meanings[-1]}")
    return found


def impure_library(root: Path) -> list[str]:
    """Find I/O in the library outside its shells."""
    found = []
    for path, tree in sources(root, ("questlog",)):
        if path.as_posix() in SHELLS:
            continue
        for line, meanings in imports(path, tree):
            if any(under(meaning, io) for meaning in meanings for io in IO_MODULES):
                found.append(f"{path}:{line}: the library does no I/O, so not {meanings[-1]}")
        for node in ast.walk(tree):
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Name)
                and node.func.id in IO_CALLS
            ):
                found.append(
                    f"{path}:{node.lineno}: the library does no I/O, so not {node.func.id}"
                )
    return found


def oversized(root: Path) -> list[str]:
    """Find files and functions that are too long; a function's docstring does not count."""
    found = []
    for path, tree in sources(root, CHECKED):
        length = len((root / path).read_text("utf-8").splitlines())
        if length > MAX_FILE_LINES:
            found.append(f"{path}: {length} lines, more than {MAX_FILE_LINES}")
        for node in ast.walk(tree):
            if isinstance(node, FUNCTIONS):
                length = (node.end_lineno or node.lineno) - node.lineno + 1
                if ast.get_docstring(node) is not None:
                    length -= (node.body[0].end_lineno or 0) - node.body[0].lineno + 1
                if length > MAX_FUNCTION_LINES:
                    found.append(f"{path}:{node.lineno}: {node.name} has {length} lines")
    return found


def without_future(root: Path) -> list[str]:
    """Find modules with more in them than a docstring that lack the annotations import."""
    return [
        f"{path}: no `from __future__ import annotations`"
        for path, tree in sources(root, CHECKED)
        if len(tree.body) > (ast.get_docstring(tree) is not None)
        and not any(
            isinstance(node, ast.ImportFrom)
            and node.module == "__future__"
            and any(alias.name == "annotations" for alias in node.names)
            for node in tree.body
        )
    ]


def forbidden_words(root: Path) -> list[str]:
    """Find the marks of unfinished work in Python and Markdown."""
    found = []
    for path in sorted([*root.rglob("*.py"), *root.rglob("*.md")]):
        parts = path.relative_to(root).parts
        if any(part.startswith(".") or part in ("node_modules", "build", "dist") for part in parts):
            continue
        for number, line in enumerate(path.read_text("utf-8").splitlines(), 1):
            if match := FORBIDDEN.search(line):
                found.append(f"{path.relative_to(root)}:{number}: {match.group()}")
    return found


def frozen_classes(root: Path) -> frozenset[str]:
    """Return the names of our classes whose instances cannot change (`frozen=True`)."""
    names = set()
    for _, tree in sources(root, PACKAGES):
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef):
                keywords = list(node.keywords)
                for decorator in node.decorator_list:
                    keywords += decorator.keywords if isinstance(decorator, ast.Call) else []
                if any(k.arg == "frozen" and ast.unparse(k.value) == "True" for k in keywords):
                    names.add(node.name)
    return frozenset(names)


def is_frozen(node: ast.expr, calls: frozenset[str], *, inside: bool = False) -> bool:
    """Tell whether this expression only makes a value that cannot change.

    `calls` are the callables that make such values; within their arguments (`inside`) lists,
    dicts and sets may stand, as they do not outlive the call.
    """
    if isinstance(node, ast.Constant | ast.Name | ast.Lambda | ast.JoinedStr):
        return True
    if isinstance(node, ast.Attribute):
        return is_frozen(node.value, calls)
    if isinstance(node, ast.Call):
        name = ast.unparse(node.func).rsplit(".", 1)[-1]
        split = inside and name in ("split", "items")
        values = [*node.args, *(keyword.value for keyword in node.keywords)]
        return (name in calls or split) and all(is_frozen(v, calls, inside=True) for v in values)
    if isinstance(node, DISPLAYS):
        return inside
    if isinstance(node, ast.GeneratorExp):
        return inside
    if isinstance(node, ast.Subscript):
        return True
    parts = (ast.Tuple, ast.BinOp, ast.UnaryOp, ast.BoolOp, ast.Compare, ast.IfExp, ast.Starred)
    return isinstance(node, parts) and all(
        is_frozen(child, calls, inside=inside)
        for child in ast.iter_child_nodes(node)
        if isinstance(child, ast.expr)
    )


def allowed_statement(node: ast.stmt, calls: frozenset[str]) -> bool:
    """Tell whether this statement may stand at a module's top level."""
    if isinstance(node, (*FUNCTIONS, ast.Import, ast.ImportFrom, ast.ClassDef)):
        return True
    if isinstance(node, ast.Expr):
        return isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
    if isinstance(node, ast.Assign):
        if [ast.unparse(target) for target in node.targets] == ["__all__"]:
            return True
        return is_frozen(node.value, calls)
    if isinstance(node, ast.AnnAssign):
        read_only = READ_ONLY.search(ast.unparse(node.annotation)) is not None
        return node.value is None or is_frozen(node.value, calls, inside=read_only)
    if isinstance(node, ast.If):
        test = ast.unparse(node.test)
        if test.startswith(("TYPE_CHECKING", "typing.TYPE_CHECKING", "__name__ ==")):
            return True
        if test.startswith(("sys.platform", "sys.version_info")):
            return all(allowed_statement(child, calls) for child in [*node.body, *node.orelse])
    return False


def work_at_import(root: Path) -> list[str]:
    """Find top-level statements that do something, or keep something that can change."""
    calls = FROZEN_CALLS | frozen_classes(root)
    return [
        f"{path}:{node.lineno}: done at import: {ast.unparse(node).splitlines()[0]}"
        for path, tree in sources(root, PACKAGES)
        for node in tree.body
        if not allowed_statement(node, calls)
    ]
