"""What the next disclosure costs: every product file, outside the folders of disclosures, that names one.

A file names a disclosure when it imports from a disclosure's folder, imports the class of its terms, or uses a member of `Disclosure`.
The list may only shrink. A registry is where a new disclosure adds a line; any other file should ask a registry, or the terms.
"""

import ast
import re
import subprocess

from tests.support.paths import ROOT

ROOMS = "hits|aggregate|threshold|standing"
OWN = re.compile(rf"(protocol/({ROOMS})|protocol/agreement/disclosures|node/rounds/({ROOMS})|proto)/")
MODULES = re.compile(rf"blindmatch\.(protocol|node\.rounds)\.({ROOMS})(\.|$)")
TERMS = {"Hits", "HitsFacts", "Count", "Sum", "Aggregate", "Threshold"}

REGISTRIES = {
    "node/rounds/disclosures.py",
    "protocol/agreement/__init__.py",
}
KNOWN = {
    "node/agreements/bindings.py",
    "node/agreements/match_keys.py",
    "node/agreements/patterns.py",
    "node/agreements/summary.py",
    "node/compute/cluster.py",
    "node/compute/engine.py",
    "node/compute/worker.py",
    "node/evaluation/protocol_run.py",
    "node/operations/checks.py",
    "node/operations/epochs.py",
    "node/operations/rounds.py",
    "node/rounds/exports.py",
    "node/rounds/forecast.py",
    "node/rounds/leads.py",
    "node/rounds/receipts.py",
    "node/rounds/receiver.py",
    "node/rounds/rows.py",
    "node/rounds/runner.py",
    "node/rounds/status.py",
    "protocol/agreement/terms.py",
    "protocol/agreement/words.py",
    "simulations/audit/allowed.py",
    "simulations/audit/disclosed.py",
    "simulations/benchmarks/operations.py",
    "simulations/benchmarks/scale.py",
    "simulations/benchmarks/single.py",
    "simulations/benchmarks/threshold.py",
    "simulations/drivers/cleartext.py",
}
"""Files that name one today. Most concern thresholds and standing agreements, which are not kinds of edges."""


def names_a_disclosure(source: str) -> bool:
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom):
            module = node.module or ""
            for alias in node.names:
                if MODULES.match(f"{module}.{alias.name}") or MODULES.match(module):
                    return True
                if module.startswith("blindmatch.protocol.agreement") and alias.name in TERMS:
                    return True
        elif isinstance(node, ast.Attribute) and ast.unparse(node.value) == "Disclosure":
            return True
    return False


def naming() -> set[str]:
    tracked = subprocess.run(
        ["git", "ls-files", "protocol", "node", "simulations"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    files = [name for name in tracked if name.endswith(".py") and not OWN.match(name)]
    return {name for name in files if names_a_disclosure((ROOT / name).read_text(encoding="utf-8"))}


def test_no_further_file_names_a_disclosure():
    new = naming() - REGISTRIES - KNOWN
    assert not new, f"ask the terms or a registry instead (docs/development/disclosure.md): {sorted(new)}"


def test_a_file_that_no_longer_names_one_leaves_the_list():
    assert naming() == REGISTRIES | KNOWN, "shorten the list"


def test_naming_is_recognised():
    assert names_a_disclosure("from blindmatch.protocol.aggregate import Count")
    assert names_a_disclosure("from blindmatch.node.rounds import standing")
    assert names_a_disclosure("from blindmatch.protocol.agreement import Edge, Sum")
    assert names_a_disclosure("def f(edge): return edge.disclosure is Disclosure.HITS")
    assert not names_a_disclosure("from blindmatch.protocol.agreement import Disclosure, Edge")
    assert not names_a_disclosure("from blindmatch.node.rounds import status")
