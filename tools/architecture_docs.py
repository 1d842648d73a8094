"""Draw the rooms, the calls of a round and the tables of the store from the code: part of `make docs`.

`pages()` gives the text of docs/architecture.md and docs/data-model.md with every generated section as the code is now, so that a
test can compare them with what is committed. Hand-written text around the sections is kept.
"""

import ast
from collections import defaultdict
from collections.abc import Iterator, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

import grimp
from google.protobuf.descriptor import FileDescriptor, MethodDescriptor

from blindmatch.node.storage.store import Store
from blindmatch.node.storage.store.tables import DESCRIPTION, metadata
from blindmatch.node.transport.policy import POLICY

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"
PARTS = ("protocol", "node", "simulations")
WIRE = ("agreement", "match", "number", "threshold", "standing")
"""The definitions below proto/v1 that have services."""


def rooms(part: str) -> dict[str, str]:
    """Every room of a part (a package or a single module directly below it) with the first sentence of its docstring."""
    base = ROOT / part
    sources = {
        path.parent.name if path.name == "__init__.py" else path.stem: path
        for path in (*base.glob("*.py"), *base.glob("*/__init__.py"))
        if path.parent != base or path.name != "__init__.py"
    }
    return {name: _sentence(sources[name]) for name in sorted(sources)}


def _sentence(path: Path) -> str:
    text = " ".join((ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or "").split())
    first, stop, _ = text.partition(". ")
    return first + "." if stop else text


def _uses(part: str) -> dict[str, set[str]]:
    """Room -> the rooms of the same part that it imports, without what follows from other arrows."""
    graph = grimp.build_graph("blindmatch", cache_dir=None)
    prefix = f"blindmatch.{part}."
    direct: dict[str, set[str]] = defaultdict(set)
    for module in graph.modules:
        if module.startswith(prefix):
            for imported in graph.find_modules_directly_imported_by(module):
                if imported.startswith(prefix):
                    direct[_room(module, prefix)].add(_room(imported, prefix))
    for room, used in direct.items():
        used.discard(room)
    reach = {room: _reachable(direct, room) for room in direct}
    return {
        room: {each for each in used if not any(each in reach.get(other, ()) for other in used - {each})}
        for room, used in direct.items()
    }


def _room(module: str, prefix: str) -> str:
    return module.removeprefix(prefix).partition(".")[0]


def _reachable(direct: Mapping[str, set[str]], room: str) -> set[str]:
    seen: set[str] = set()
    waiting = list(direct[room])
    while waiting:
        each = waiting.pop()
        if each not in seen:
            seen.add(each)
            waiting += direct.get(each, ())
    return seen


def rooms_of(part: str) -> str:
    """A part's rooms: a picture of which uses which, and a table of what each is for."""
    uses, names = _uses(part), rooms(part)
    lines = ["```mermaid", "flowchart TD"]
    lines += [
        f"    {name}" for name in names if name not in uses and not any(name in v for v in uses.values())
    ]
    lines += [f"    {room} --> {each}" for room in sorted(uses) for each in sorted(uses[room])]
    lines += ["```", "", "| room | what it is for |", "|---|---|"]
    lines += [
        f"| `{part}/{name}{'' if (ROOT / part / name).is_dir() else '.py'}` | {text} |"
        for name, text in names.items()
    ]
    return "\n".join(lines)


def _services() -> Iterator[tuple[str, MethodDescriptor]]:
    for name in WIRE:
        file: FileDescriptor = import_module(f"blindmatch.proto.v1.{name}_pb2").DESCRIPTOR
        for service in file.services_by_name.values():
            for method in service.methods:
                yield service.name, method


def round_of_hits() -> str:
    """The calls of one edge of one round that discloses hits, in the order of the service's definition."""
    lines = ["```mermaid", "sequenceDiagram", "    participant R as receiver", "    participant S as sender"]
    for service, method in _services():
        if service == "Match":
            request, reply = _message(method, "input"), _message(method, "output")
            lines += [f"    R->>S: {method.name}({request})", f"    S-->>R: {reply}"]
    return "\n".join([*lines, "```"])


def calls() -> str:
    """Every method of every service: what travels, and who may call it."""
    lines = ["| service | method | request | reply | who may call |", "|---|---|---|---|---|"]
    for service, method in _services():
        rule = POLICY[f"/blindmatch.v1.{service}/{method.name}"]
        lines.append(
            f"| {service} | {method.name} | {_message(method, 'input')} | {_message(method, 'output')} | {rule.who} |"
        )
    return "\n".join(lines)


def _message(method: MethodDescriptor, side: str) -> str:
    kind, streaming = (
        getattr(method, f"{side}_type"),
        getattr(method, f"{'client' if side == 'input' else 'server'}_streaming"),
    )
    return f"stream of {kind.name}" if streaming else str(kind.name)


def tables() -> str:
    """Every table of the store: its columns, and the methods of the store that write it with their callers."""
    writers, callers = _writers(), _callers()
    lines = []
    for table in metadata.sorted_tables:
        lines += [f"### `{table.name}`", "", "| column | type | what it holds |", "|---|---|---|"]
        for column in table.columns:
            notes = ["key"] if column.primary_key else []
            notes += [f"refers to `{key.target_fullname}`" for key in column.foreign_keys]
            notes += ["may be empty"] if column.nullable else []
            text = "; ".join([column.info[DESCRIPTION], *notes])
            lines.append(f"| `{column.name}` | {_kind(column)} | {text} |")
        methods = sorted(writers.get(table.name, ()))
        lines += ["", "| written by | called from |", "|---|---|"] if methods else []
        for method in methods:
            modules = ", ".join(f"`{each}`" for each in sorted(callers.get(method, ())))
            lines.append(f"| `{method}` | {modules or 'the store itself'} |")
        lines.append("")
    return "\n".join(lines).rstrip()


def _kind(column: Any) -> str:
    return {"LargeBinary": "bytes", "BigInteger": "integer", "Integer": "integer"}.get(
        type(column.type).__name__, "text"
    )


def _writers() -> dict[str, set[str]]:
    """Table -> public methods of `Store` that insert into it, update it or delete from it, themselves or through helpers of their file."""
    result: dict[str, set[str]] = defaultdict(set)
    for path in sorted((ROOT / "node/storage/store").glob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        names = _table_names(tree)
        functions = {node.name: node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
        writes = {name: _written(node) for name, node in functions.items()}
        for name, node in functions.items():
            reached = set().union(*(writes[each] for each in _closure(functions, name)))
            tables = {names[each] for each in reached if each in names}
            if reached - names.keys():  # a helper writes the table that it is given
                tables |= {names[each.id] for each in ast.walk(node) if getattr(each, "id", "") in names}
            for table in tables:
                result[table].add(name)
    public = {name for name in dir(Store) if not name.startswith("_")}
    return {table: methods & public for table, methods in result.items()}


def _closure(functions: Mapping[str, ast.FunctionDef], name: str) -> set[str]:
    """A function and every function of the same file that it calls, directly or not."""
    reached, waiting = {name}, [name]
    while waiting:
        for node in ast.walk(functions[waiting.pop()]):
            called = node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")
            if called in functions and called not in reached:
                reached.add(called)
                waiting.append(called)
    return reached


def _table_names(tree: ast.Module) -> dict[str, str]:
    """Local name -> table, from the imports of `schema`."""
    return {
        alias.asname or alias.name: alias.name
        for node in tree.body
        if isinstance(node, ast.ImportFrom) and (node.module or "").endswith("store.tables")
        for alias in node.names
        if alias.name in metadata.tables
    }


WRITES = {"insert", "update", "delete"}


def _written(function: ast.FunctionDef) -> set[str]:
    """The names that stand for tables in `table.insert()` and `insert(table)`, and likewise for updates and deletes."""
    result = set()
    for node in ast.walk(function):
        if isinstance(node, ast.Attribute) and node.attr in WRITES:
            candidates = [node.value]
        elif isinstance(node, ast.Call) and getattr(node.func, "id", "") in WRITES:
            candidates = node.args[:1]
        else:
            continue
        result |= {each.id for each in candidates if isinstance(each, ast.Name)}
    return result


def _callers() -> dict[str, set[str]]:
    """Method of the store -> the modules of the node, outside the store, that call it on a store."""
    result: dict[str, set[str]] = defaultdict(set)
    for path in sorted((ROOT / "node").rglob("*.py")):
        if (ROOT / "node/storage/store") not in path.parents:
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Attribute) and "store" in ast.unparse(node.value).rpartition(".")[2]:
                    result[node.attr].add(str(path.relative_to(ROOT)))
    return result


SECTIONS = {
    "architecture.md": {
        "protocol": lambda: rooms_of("protocol"),
        "node": lambda: rooms_of("node"),
        "simulations": lambda: rooms_of("simulations"),
        "round": round_of_hits,
        "calls": calls,
    },
    "data-model.md": {"tables": tables},
}


def pages() -> dict[Path, str]:
    """Each page's text with its generated sections as they are now.

    Raises:
        ValueError: a page lacks the marks of one of its sections.
    """
    texts = {}
    for name, sections in SECTIONS.items():
        text = (DOCS / name).read_text(encoding="utf-8")
        for section, make in sections.items():
            begin, end = f"<!-- generated by `make docs`: {section} -->", f"<!-- end of {section} -->"
            head, opened, rest = text.partition(begin)
            _, closed, tail = rest.partition(end)
            if not opened or not closed:
                raise ValueError(f"docs/{name} has no section {section!r}")
            text = f"{head}{begin}\n{make()}\n{end}{tail}"
        texts[DOCS / name] = text
    return texts


if __name__ == "__main__":
    for path, content in pages().items():
        path.write_text(content, encoding="utf-8")
