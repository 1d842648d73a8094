"""Agreements as files, for parties whose nodes do not reach each other yet.

The file is a DSSE envelope in JSON (github.com/secure-systems-lab/dsse): payload type, payload and signatures in
base64, the agency as `keyid`. Any DSSE tool can verify it with the parties' public keys.
"""

import base64
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from blindmatch.node.storage.files import read_bounded, write_output
from blindmatch.protocol.agreement import Envelope
from blindmatch.protocol.errors import InputError, PeerError
from blindmatch.protocol.limits import LIMITS

_FILE_BYTES = 2 * LIMITS.agreement_bytes


def dump(envelope: Envelope) -> str:
    """The envelope as DSSE JSON."""
    content = {
        "payloadType": envelope.payload_type,
        "payload": base64.b64encode(envelope.payload).decode("ascii"),
        "signatures": [
            {"keyid": agency, "sig": base64.b64encode(signature).decode("ascii")}
            for agency, signature in sorted(envelope.signatures.items())
        ],
    }
    return json.dumps(content, indent=2) + "\n"


def write(path: Path, envelope: Envelope) -> None:
    """Write the envelope to a file.

    Raises:
        InputError: it cannot be written.
    """
    write_output(path, dump(envelope))


def read(path: Path) -> Envelope:
    """Read an envelope from a file; its signatures are not verified yet.

    Raises:
        InputError: not readable, too long, or not a DSSE envelope with an agreement.
    """
    data = read_bounded(path, _FILE_BYTES, "an agreement")
    try:
        return _envelope(json.loads(data))
    except PeerError as error:
        raise InputError(f"{path}: {error.message}") from None
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        raise InputError(
            f"{path}: not an agreement",
            hint="Expected is a file that `blindmatch agreement show ID --export FILE` wrote.",
        ) from None


def _envelope(content: Mapping[str, Any]) -> Envelope:
    if set(content) != {"payloadType", "payload", "signatures"}:
        raise ValueError("not a DSSE envelope")
    signatures = {}
    for entry in content["signatures"]:
        if entry["keyid"] in signatures:
            raise ValueError("two signatures of one agency")
        signatures[entry["keyid"]] = base64.b64decode(entry["sig"], validate=True)
    payload = base64.b64decode(content["payload"], validate=True)
    return Envelope(content["payloadType"], payload, signatures)
