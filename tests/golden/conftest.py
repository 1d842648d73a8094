"""Frozen values: what is signed, sent and stored is compared with committed files, byte by byte.

A test gives each value a label; `data/<file>.json` holds what it was when it was frozen. Short byte strings are held in full,
long ones by SHA-256 and length. `python tests/golden/freeze.py` writes the files anew, on purpose only.
"""

import hashlib
import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from blindmatch.protocol.session.workspace import Workspace

DATA = Path(__file__).parent / "data"
FREEZING = "BLINDMATCH_FREEZE_GOLDEN"
IN_FULL = 400
"""Byte strings up to this length are held in full."""


def shown(value: Any) -> Any:
    """A value as the file holds it: bytes in hexadecimal, or by digest; numbers, texts and lists as they are."""
    match value:
        case np.ndarray():
            shape = "x".join(map(str, value.shape))
            return f"{value.dtype.str} {shape} {shown(value.tobytes())}"
        case bytes() | memoryview() if len(value) <= IN_FULL:
            return bytes(value).hex()
        case bytes() | memoryview():
            return f"sha256 {hashlib.sha256(value).hexdigest()} of {len(value)} bytes"
        case Mapping():
            return {str(key): shown(each) for key, each in value.items()}
        case list() | tuple():
            return [shown(each) for each in value]
        case bool() | None | float():
            return value
        case int():
            return int(value)
        case str():
            return str(value)
        case _:
            raise TypeError(f"{type(value).__name__} has no frozen form")


def written(file: Mapping[str, Mapping[str, Any]]) -> str:
    """JSON with one line for each value, so that a change shows as the lines that it changes."""
    sections = [
        f"{json.dumps(section)}: {{\n"
        + ",\n".join(
            f" {json.dumps(label, ensure_ascii=False)}: {json.dumps(value, ensure_ascii=False)}"
            for label, value in values.items()
        )
        + "\n}"
        for section, values in sorted(file.items())
    ]
    return "{\n" + ",\n".join(sections) + "\n}\n"


def compare(name: str, section: str, values: Mapping[str, Any]) -> None:
    """Compare every value of a section with the file of this name, or write them there."""
    path = DATA / f"{name}.json"
    now = json.loads(json.dumps({str(label): shown(value) for label, value in values.items()}))
    if os.environ.get(FREEZING):
        file = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
        file[section] = now
        path.write_text(written(file), encoding="utf-8")
        return
    frozen = json.loads(path.read_text(encoding="utf-8"))[section]
    changed = [
        f"{label}:\n  frozen {frozen.get(label, 'nothing')}\n  now    {now.get(label, 'nothing')}"
        for label in dict.fromkeys([*frozen, *now])
        if frozen.get(label, ...) != now.get(label, ...)
    ]
    assert not changed, (
        f"{section} of {path.name}: {len(changed)} of {len(frozen)} frozen values differ. "
        f"Only if that is intended: python tests/golden/freeze.py {name}\n" + "\n".join(changed)[:4_000]
    )
    assert list(frozen) == list(now), f"{section} of {path.name}: the order of the values differs"


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Callable[[str, Mapping[str, Any]], None]:
    """Compares a section's values with the file of the test's own name: `golden("count", {"outcome": payload})`."""
    name = request.path.stem.removeprefix("test_golden_")
    return lambda section, values: compare(name, section, values)


@pytest.fixture
def checkpoints(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Callable[[], dict[str, bytes]]]:
    """Records every checkpoint of every session of some classes: `taken = checkpoints(Receiver, Sender)`, and later `taken()`.

    That gives, for each session by the order of its first checkpoint, the first one in each state, and all of them together.
    """

    def watch(*classes: type) -> Callable[[], dict[str, bytes]]:
        sessions: list[tuple[Any, list[tuple[str, bytes]]]] = []

        def watched(original: Callable[[Any], bytes]) -> Callable[[Any], bytes]:
            def snapshot(session: Any) -> bytes:
                data = original(session)
                taken = next((each for known, each in sessions if known is session), None)
                if taken is None:
                    taken = []
                    sessions.append((session, taken))
                if not taken or taken[-1][1] != data:
                    taken.append((session.state.value, data))
                return data

            return snapshot

        for kind in classes:
            monkeypatch.setattr(kind, "snapshot", watched(kind.snapshot))

        def summary() -> dict[str, bytes]:
            out: dict[str, bytes] = {}
            for place, (_, taken) in enumerate(sessions):
                for state, data in taken:
                    out.setdefault(f"session {place}, {state}", data)
                out[f"session {place}, all {len(taken)}"] = b"".join(data for _, data in taken)
            return out

        return summary

    return watch


@pytest.fixture
def workspaces(monkeypatch: pytest.MonkeyPatch) -> Callable[[], dict[str, Any]]:
    """What every workspace in memory holds, by the order in which they are made, and by the array's name, as a node's files."""
    every: list[dict[str, Any]] = []

    def in_memory(kind: type) -> Any:
        held: dict[str, Any] = {}
        every.append(held)
        return kind(lambda name, shape: held.setdefault(name, np.zeros(shape, dtype=np.uint8)))

    monkeypatch.setattr(Workspace, "in_memory", classmethod(in_memory))
    return lambda: {
        f"workspace {place}, {name}": array
        for place, held in enumerate(every)
        for name, array in held.items()
    }
