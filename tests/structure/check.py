#!/usr/bin/python3
"""Checks what compilers do not: who includes whom, what names are exported, and that all settings and metrics are
documented.

    tests/structure/check.py [BUILD]      BUILD is where the objects are (build/gcc); each is compared with its source
"""

import re
import subprocess
import sys
from pathlib import Path

import settings_doc

ROOT = settings_doc.ROOT

# The modules of common/, from the ground up. A module may include those of its own row and of the rows above.
ORDER = (
    "base embed mem clock uuid digest stop",
    "strbuf log metric gunzip lines trace",
    "opt",
    "json schema",
    "config record patch",
    "kafka redis http lookup",
    "consume",
)
RANK = {module: rank for rank, row in enumerate(ORDER) for module in row.split()}

# Prefixes of exported functions that are not the module's name.
PREFIXES = {
    "common/base": ("err_",),
    "common/uuid": ("uuid7", "uuid8", "uuid_"),
    "common/record": ("record_", "command_", "event_", "outcome_"),
    "model/keys": ("key_",),
}


def sources():
    """Sources and headers below the checked folders, as paths from the root."""
    for folder in ("common", "model", "services"):
        for path in sorted((ROOT / folder).rglob("*.[ch]")):
            yield path.relative_to(ROOT)


def module_of(path):
    """common/consume_partition.c → consume."""
    return path.stem.split("_")[0]


def includes():
    """(source, included) for every include of our own headers."""
    for path in sources():
        for name in re.findall(r'^#include "([^"]+)"', (ROOT / path).read_text(), re.M):
            yield path, Path(name)


def forbidden(path, included):
    """Why `path` must not include `included`; None: it may."""
    layers = ("common", "model", "services")
    mine, other = path.parts[0], included.parts[0]
    if other not in layers:
        return "is no header of Odradek"
    if layers.index(other) > layers.index(mine):
        return f"{mine}/ knows nothing of {other}/"
    if mine == other == "services" and len(included.parts) > 2 and path.parts[1] != included.parts[1]:
        return "services know nothing of one another"
    if other == "common" and included.stem.endswith("_internal") and (mine, module_of(path)) != (other, module_of(included)):
        return "is internal to its module"
    if mine == other == "common" and module_of(path) != module_of(included):
        return rank_broken(module_of(path), module_of(included))
    return None


def rank_broken(module, other):
    """Why a module of common/ must not use another; None: it may."""
    for name in (module, other):
        if name not in RANK:
            return f'has no place in the order of modules: "{name}"'
    return f"{other} stands above {module}" if RANK[other] > RANK[module] else None


def find_cycle(graph):
    """The modules of a cycle, or nothing."""
    done, path = set(), []

    def visit(module):
        if module in path:
            return path[path.index(module):] + [module]
        if module in done:
            return []
        path.append(module)
        for other in sorted(graph.get(module, ())):
            cycle = visit(other)
            if cycle:
                return cycle
        done.add(path.pop())
        return []

    for module in sorted(graph):
        cycle = visit(module)
        if cycle:
            return cycle
    return []


def check_includes():
    """Includes against the order of modules."""
    graph = {}
    for path, included in includes():
        why = forbidden(path, included)
        if why:
            yield f"{path}: includes {included}: {why}"
        if path.parts[0] == included.parts[0] == "common" and module_of(path) != module_of(included):
            graph.setdefault(module_of(path), set()).add(module_of(included))
    cycle = find_cycle(graph)
    if cycle:
        yield "common/: modules in a circle: " + " → ".join(cycle)


def prefixes(path):
    """What the exported functions of a source may begin with."""
    own = PREFIXES.get(str(path.with_suffix("")))
    if own:
        return own
    if path.parts[0] == "common":
        parts = path.stem.split("_")  # of schema_format_uri.c: schema_, format_
        return (parts[0] + "_", parts[1] + "_") if parts[1:] == ["format"] or len(parts) > 2 else (parts[0] + "_",)
    names = {path.stem}
    if len(path.parts) > 2:  # of services/command-api/outcome.c: outcome_, command_, command_api_
        service = path.parts[1].replace("-", "_")
        names |= {service, service.split("_")[0]}
        module = path.stem.split("_")[0]
        if path.with_name(module + ".c").exists():  # batch_emit.c is a part of batch.c's module
            names.add(module)
    return tuple(name + "_" for name in names)


def exported(library):
    """The functions that an object exports."""
    listing = subprocess.run(["nm", "--defined-only", str(library)], check=True, capture_output=True, text=True).stdout
    return [line.split()[2] for line in listing.splitlines() if line.split()[1:2] == ["T"]]


def check_names(build):
    """Exported functions carry their module."""
    for path in sources():
        if path.suffix != ".c":
            continue
        binary = build / path.with_suffix(".o")
        if not binary.exists():
            if path.stem != "main":
                yield f"{path}: was not built in {build}"
            continue
        for name in exported(binary):
            if name != "main" and not name.startswith(prefixes(path)):
                yield f"{path}: {name}() does not begin with {' or '.join(sorted(prefixes(path)))}"


def check_metrics():
    """Every metric that a source registers has a row in docs/metrics.md, and every row a metric."""
    registered = {}
    for path in sources():
        for name in re.findall(r'"((?:odradek|process)_[a-z0-9_]+)"', (ROOT / path).read_text()):
            registered.setdefault(name, path)
        for name in re.findall(r"# TYPE (process_[a-z_]+) ", (ROOT / path).read_text()):
            registered.setdefault(name, path)
    document = ROOT / "docs" / "metrics.md"
    rows = re.findall(r"^\| `([a-z0-9_]+)` (?:\|[^|\n]*){2}\| [^|\n]+ \|$", document.read_text() if document.exists() else "", re.M)
    for name in sorted(set(registered) - set(rows)):
        yield f"docs/metrics.md: no row for {name} of {registered[name]}"
    for name in sorted(set(rows) - set(registered)):
        yield f"docs/metrics.md: {name} is registered nowhere"


def main():
    """Runs all checks; 1 if any found something."""
    build = ROOT / (sys.argv[1] if len(sys.argv) > 1 else "build/gcc")
    problems = [*check_includes(), *check_names(build), *settings_doc.check(), *check_metrics()]
    for problem in problems:
        print(problem, file=sys.stderr)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.dont_write_bytecode = True
    sys.exit(main())
