"""One side of a comparison by `openmined-psi`: a CSV file in, the intersection out as a CSV file.

Runs in a Python that has `openmined-psi`, not in ours: `python -I party_openmined.py SETTINGS`, where SETTINGS is a JSON
object: rank (0 receives: the library's client), ports, false_positives, input, output, column,
report (a JSON object, written at the end). The library creates messages and leaves their transport to its caller: here each is sent over TCP after its length in eight bytes.
"""

import contextlib
import csv
import json
import socket
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import private_set_intersection.python as psi

PATIENCE = 120.0


def send(line: socket.socket, message: Any) -> None:
    """One message and its length."""
    data = message.SerializeToString()
    line.sendall(len(data).to_bytes(8, "big"))
    line.sendall(data)


def receive(line: socket.socket, kind: Any) -> Any:
    """The next message, of this kind."""
    message = kind()
    message.ParseFromString(exactly(line, int.from_bytes(exactly(line, 8), "big")))
    return message


def exactly(line: socket.socket, size: int) -> bytes:
    """Exactly this number of bytes."""
    data = bytearray(size)
    view, at = memoryview(data), 0
    while at < size:
        got = line.recv_into(view[at:])
        if not got:
            raise ConnectionError("the other side has closed the connection")
        at += got
    return bytes(data)


def call(port: int) -> socket.socket:
    """A connection to the server, once it answers."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError):
            line = socket.create_connection(("127.0.0.1", port))
            line.sendall(b"?")
            if line.recv(1) == b"!":
                return line
        time.sleep(0.02)
    raise ConnectionError("the other side does not answer")


def serve(port: int) -> socket.socket:
    """The client's connection."""
    with socket.create_server(("127.0.0.1", port)) as listener:
        line, _ = listener.accept()
    line.recv(1)
    line.sendall(b"!")
    return line


def rows_of(path: str) -> Iterator[list[str]]:
    """The file's rows, its header first."""
    with Path(path).open(encoding="utf-8", newline="") as file:
        yield from csv.reader(file)


def items_of(settings: dict[str, Any]) -> list[str]:
    """The column that is compared."""
    rows = rows_of(settings["input"])
    place = next(rows).index(settings["column"])
    return [row[place] for row in rows]


def client(settings: dict[str, Any]) -> dict[str, int]:
    """The receiver: sends the request, and writes the rows that the server holds too."""
    items = items_of(settings)
    key = psi.client.CreateWithNewKey(True)
    with call(settings["ports"][1]) as line:
        send(line, key.CreateRequest(items))
        setup = receive(line, psi.ServerSetup)
        response = receive(line, psi.Response)
    matching = set(key.GetIntersection(setup, response))
    rows = rows_of(settings["input"])
    with Path(settings["output"]).open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(next(rows))
        writer.writerows(row for index, row in enumerate(rows) if index in matching)
    return {"records": len(items), "found": len(matching)}


def server(settings: dict[str, Any]) -> dict[str, int]:
    """The sender."""
    items = items_of(settings)
    key = psi.server.CreateWithNewKey(True)
    with serve(settings["ports"][1]) as line:
        request = receive(line, psi.Request)
        asked = len(request.encrypted_elements)
        send(line, key.CreateSetupMessage(settings["false_positives"], asked, items))
        send(line, key.ProcessRequest(request))
    return {"records": len(items), "found": 0}


if __name__ == "__main__":
    arguments = json.loads(sys.argv[1])
    result = (server if arguments["rank"] else client)(arguments)
    Path(arguments["report"]).write_text(json.dumps(result), encoding="ascii")
