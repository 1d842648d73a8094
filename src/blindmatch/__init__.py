"""blindmatch finds the records that two agencies both hold, without either agency showing the other its records.

Most users run the command `blindmatch`. A program that brings its own transport and storage can use the protocol as a library:
the sessions do no input or output, and take randomness as an argument. A complete round in memory:

    import os, time
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from blindmatch import Disclosure, Ed25519Signer, EdgeContext, ElementRows
    from blindmatch import LocalComputing, Receiver, Sender, Workspace

    force, council = (Ed25519Signer(name, Ed25519PrivateKey.generate()) for name in ("force", "council"))
    edge = EdgeContext(agreement=os.urandom(32), round_id=os.urandom(16), edge="example", receiver="force",
                       sender="council", disclosure=Disclosure.HITS, verified=True, keys_digest=bytes(32))
    people, suppliers = ["ada", "grace", "alan"], ["alan", "mary", "ada"]
    receiver = Receiver(edge, seed=os.urandom(32), signer=force, peer_key=council.public,
                        elements=ElementRows(people), workspace=Workspace.in_memory(), computer=LocalComputing)
    sender = Sender(edge, seed=os.urandom(32), signer=council, peer_key=force.public, facts=None,
                    elements=ElementRows(suppliers), workspace=Workspace.in_memory(), computer=LocalComputing)
    for session in (receiver, sender):
        for chunk in range(session.chunks):
            session.prepare_chunk(chunk)
    sender.receive_commitment(receiver.commit())
    receiver.receive_commitment(sender.commit())
    for chunk in range(receiver.chunks):
        receiver.receive_evaluated(sender.evaluate(receiver.blinded_chunk(chunk)))
        receiver.unblind_chunk(chunk)
    for chunk in range(sender.tag_chunks):
        receiver.receive_tags(sender.tag_chunk(chunk))
    print([people[index] for index in receiver.find_hits().elements])  # ['ada', 'alan']
    now = int(time.time())
    receiver.receive_receipt_signature(sender.countersign(receiver.receipt(now, now), now).sender_signature)

Between two parties each call's argument is a message that one sends and the other receives. `blindmatch.protocol.session` says in
which order a caller stores and sends, so that a session survives a crash. The names below are the public interface; everything else
may change between versions.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from blindmatch.protocol.agreement import Disclosure
    from blindmatch.protocol.errors import AgreementError, BlindmatchError, LocalError, PeerCode, PeerError
    from blindmatch.protocol.hits.computing import LocalComputing
    from blindmatch.protocol.hits.receiver import Receiver
    from blindmatch.protocol.hits.sender import Sender
    from blindmatch.protocol.limits import LIMITS, Limits
    from blindmatch.protocol.session.chunks import ElementSource
    from blindmatch.protocol.session.element_rows import ElementRows
    from blindmatch.protocol.session.messages import EdgeContext
    from blindmatch.protocol.session.workspace import Workspace
    from blindmatch.protocol.transcript import Ed25519Signer, Signer

__version__ = "0.1.0"

__all__ = [
    "LIMITS",
    "AgreementError",
    "BlindmatchError",
    "Disclosure",
    "Ed25519Signer",
    "EdgeContext",
    "ElementRows",
    "ElementSource",
    "Limits",
    "LocalComputing",
    "LocalError",
    "PeerCode",
    "PeerError",
    "Receiver",
    "Sender",
    "Signer",
    "Workspace",
]

_HOMES = {
    "protocol.agreement": ("Disclosure",),
    "protocol.errors": ("AgreementError", "BlindmatchError", "LocalError", "PeerCode", "PeerError"),
    "protocol.hits.computing": ("LocalComputing",),
    "protocol.hits.receiver": ("Receiver",),
    "protocol.hits.sender": ("Sender",),
    "protocol.limits": ("LIMITS", "Limits"),
    "protocol.session.chunks": ("ElementSource",),
    "protocol.session.element_rows": ("ElementRows",),
    "protocol.session.messages": ("EdgeContext",),
    "protocol.session.workspace": ("Workspace",),
    "protocol.transcript": ("Ed25519Signer", "Signer"),
}
"""Module -> names. They are imported on first use: commands must not wait for what they do not need."""


def __getattr__(name: str) -> object:
    for module, names in _HOMES.items():
        if name in names:
            return getattr(import_module(f"{__name__}.{module}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
