"""Which methods exist, and who may call each. A method that is not listed is refused, even if it is registered.

TLS has already refused every caller without a trusted certificate. The gate checks this table; the services
then check the caller against the agreement that the message names.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from blindmatch.protocol.errors import PeerCode, PeerError


class Who(StrEnum):
    """Who may call a method; `gate` checks the first, the service itself the finer ones."""

    CERTIFIED = "any agency with a trusted certificate"
    PARTY = "a party of the agreement that the message names"
    RECEIVER = "the receiver of the edge that the message names"
    SENDER = "the sender of the edge that the message names"
    REPORTED = "a party to which an edge of the agreement that the message names reports"
    COLLECTOR = "the collector of the agreement whose threshold the message names"


@dataclass(frozen=True)
class Rule:
    """The rule of one method. Times are in seconds."""

    who: Who
    idle_seconds: float
    """The longest time between two messages of the caller."""


_SHORT = 30.0
_STREAM = 300.0
_LASTING = 3_600.0

POLICY: Mapping[str, Rule] = MappingProxyType(
    {
        "/grpc.health.v1.Health/Check": Rule(Who.CERTIFIED, _SHORT),
        "/grpc.health.v1.Health/Watch": Rule(Who.CERTIFIED, _SHORT),
        "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo": Rule(Who.CERTIFIED, _LASTING),
        "/blindmatch.v1.Agreements/Describe": Rule(Who.CERTIFIED, _SHORT),
        "/blindmatch.v1.Agreements/Propose": Rule(Who.PARTY, _SHORT),
        "/blindmatch.v1.Agreements/Fetch": Rule(Who.PARTY, _SHORT),
        "/blindmatch.v1.Agreements/Withdraw": Rule(Who.PARTY, _SHORT),
        "/blindmatch.v1.Match/Prepare": Rule(Who.RECEIVER, _SHORT),
        "/blindmatch.v1.Match/Open": Rule(Who.RECEIVER, _SHORT),
        "/blindmatch.v1.Match/Evaluate": Rule(Who.RECEIVER, _STREAM),
        "/blindmatch.v1.Match/Tags": Rule(Who.RECEIVER, _SHORT),
        "/blindmatch.v1.Match/Close": Rule(Who.RECEIVER, _SHORT),
        "/blindmatch.v1.Number/GivePoints": Rule(Who.RECEIVER, _STREAM),
        "/blindmatch.v1.Number/FetchPoints": Rule(Who.RECEIVER, _SHORT),
        "/blindmatch.v1.Number/GiveMasked": Rule(Who.RECEIVER, _STREAM),
        "/blindmatch.v1.Number/Outcome": Rule(Who.RECEIVER, _SHORT),
        "/blindmatch.v1.Reports/Fetch": Rule(Who.REPORTED, _SHORT),
        "/blindmatch.v1.Thresholds/Rates": Rule(Who.COLLECTOR, _SHORT),
        "/blindmatch.v1.Thresholds/Join": Rule(Who.COLLECTOR, _SHORT),
        "/blindmatch.v1.Thresholds/Meet": Rule(Who.COLLECTOR, _SHORT),
        "/blindmatch.v1.Thresholds/Blind": Rule(Who.COLLECTOR, _SHORT),
        "/blindmatch.v1.Thresholds/Evaluate": Rule(Who.COLLECTOR, _SHORT),
        "/blindmatch.v1.Thresholds/Attest": Rule(Who.COLLECTOR, _SHORT),
        "/blindmatch.v1.Thresholds/Deliver": Rule(Who.COLLECTOR, _SHORT),
        "/blindmatch.v1.Thresholds/Build": Rule(Who.COLLECTOR, _SHORT),
        "/blindmatch.v1.Thresholds/Collect": Rule(Who.COLLECTOR, _SHORT),
        "/blindmatch.v1.Thresholds/Tell": Rule(Who.COLLECTOR, _SHORT),
        "/blindmatch.v1.Thresholds/Sign": Rule(Who.COLLECTOR, _SHORT),
        "/blindmatch.v1.StandingRounds/Open": Rule(Who.RECEIVER, _SHORT),
        "/blindmatch.v1.StandingRounds/Evaluate": Rule(Who.RECEIVER, _STREAM),
        "/blindmatch.v1.StandingRounds/Changes": Rule(Who.RECEIVER, _SHORT),
        "/blindmatch.v1.StandingRounds/Close": Rule(Who.RECEIVER, _SHORT),
        "/blindmatch.v1.StandingRounds/Submit": Rule(Who.SENDER, _SHORT),
        "/blindmatch.v1.StandingRounds/Ask": Rule(Who.RECEIVER, _SHORT),
    }
)
"""Full method name -> rule."""


def rule(method: str, *, offered: bool) -> Rule:
    """The rule of one method; `offered` states whether this server has the method.

    Raises:
        PeerError: WRONG_AGENCY when the method is not listed or not offered.
    """
    found = POLICY.get(method)
    if found is None or not offered:
        raise PeerError(PeerCode.WRONG_AGENCY, "this node offers no such method to anyone")
    return found
