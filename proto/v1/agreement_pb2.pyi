from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Party(_message.Message):
    __slots__ = ("agency", "name", "role", "identity_key", "certificate_key", "legal_basis", "contact")
    AGENCY_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    ROLE_FIELD_NUMBER: _ClassVar[int]
    IDENTITY_KEY_FIELD_NUMBER: _ClassVar[int]
    CERTIFICATE_KEY_FIELD_NUMBER: _ClassVar[int]
    LEGAL_BASIS_FIELD_NUMBER: _ClassVar[int]
    CONTACT_FIELD_NUMBER: _ClassVar[int]
    agency: str
    name: str
    role: str
    identity_key: bytes
    certificate_key: bytes
    legal_basis: str
    contact: str
    def __init__(self, agency: _Optional[str] = ..., name: _Optional[str] = ..., role: _Optional[str] = ..., identity_key: _Optional[bytes] = ..., certificate_key: _Optional[bytes] = ..., legal_basis: _Optional[str] = ..., contact: _Optional[str] = ...) -> None: ...

class Side(_message.Message):
    __slots__ = ("agency", "collection_kind", "max_records", "tokens_per_record")
    AGENCY_FIELD_NUMBER: _ClassVar[int]
    COLLECTION_KIND_FIELD_NUMBER: _ClassVar[int]
    MAX_RECORDS_FIELD_NUMBER: _ClassVar[int]
    TOKENS_PER_RECORD_FIELD_NUMBER: _ClassVar[int]
    agency: str
    collection_kind: str
    max_records: int
    tokens_per_record: int
    def __init__(self, agency: _Optional[str] = ..., collection_kind: _Optional[str] = ..., max_records: _Optional[int] = ..., tokens_per_record: _Optional[int] = ...) -> None: ...

class Linkage(_message.Message):
    __slots__ = ("overlap", "false_leads", "budget", "missing")
    OVERLAP_FIELD_NUMBER: _ClassVar[int]
    FALSE_LEADS_FIELD_NUMBER: _ClassVar[int]
    BUDGET_FIELD_NUMBER: _ClassVar[int]
    MISSING_FIELD_NUMBER: _ClassVar[int]
    overlap: int
    false_leads: int
    budget: int
    missing: bool
    def __init__(self, overlap: _Optional[int] = ..., false_leads: _Optional[int] = ..., budget: _Optional[int] = ..., missing: _Optional[bool] = ...) -> None: ...

class Edge(_message.Message):
    __slots__ = ("id", "receiver", "sender", "disclosure", "verified", "facts", "fact_bytes", "minimum_count", "leakage", "linkage", "band", "value", "decimals", "report_to")
    ID_FIELD_NUMBER: _ClassVar[int]
    RECEIVER_FIELD_NUMBER: _ClassVar[int]
    SENDER_FIELD_NUMBER: _ClassVar[int]
    DISCLOSURE_FIELD_NUMBER: _ClassVar[int]
    VERIFIED_FIELD_NUMBER: _ClassVar[int]
    FACTS_FIELD_NUMBER: _ClassVar[int]
    FACT_BYTES_FIELD_NUMBER: _ClassVar[int]
    MINIMUM_COUNT_FIELD_NUMBER: _ClassVar[int]
    LEAKAGE_FIELD_NUMBER: _ClassVar[int]
    LINKAGE_FIELD_NUMBER: _ClassVar[int]
    BAND_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    DECIMALS_FIELD_NUMBER: _ClassVar[int]
    REPORT_TO_FIELD_NUMBER: _ClassVar[int]
    id: str
    receiver: Side
    sender: Side
    disclosure: str
    verified: bool
    facts: _containers.RepeatedScalarFieldContainer[str]
    fact_bytes: int
    minimum_count: int
    leakage: str
    linkage: Linkage
    band: int
    value: str
    decimals: int
    report_to: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, id: _Optional[str] = ..., receiver: _Optional[_Union[Side, _Mapping]] = ..., sender: _Optional[_Union[Side, _Mapping]] = ..., disclosure: _Optional[str] = ..., verified: _Optional[bool] = ..., facts: _Optional[_Iterable[str]] = ..., fact_bytes: _Optional[int] = ..., minimum_count: _Optional[int] = ..., leakage: _Optional[str] = ..., linkage: _Optional[_Union[Linkage, _Mapping]] = ..., band: _Optional[int] = ..., value: _Optional[str] = ..., decimals: _Optional[int] = ..., report_to: _Optional[_Iterable[str]] = ...) -> None: ...

class Threshold(_message.Message):
    __slots__ = ("id", "members", "at_least", "minimum_count", "band", "leakage", "linkage")
    ID_FIELD_NUMBER: _ClassVar[int]
    MEMBERS_FIELD_NUMBER: _ClassVar[int]
    AT_LEAST_FIELD_NUMBER: _ClassVar[int]
    MINIMUM_COUNT_FIELD_NUMBER: _ClassVar[int]
    BAND_FIELD_NUMBER: _ClassVar[int]
    LEAKAGE_FIELD_NUMBER: _ClassVar[int]
    LINKAGE_FIELD_NUMBER: _ClassVar[int]
    id: str
    members: _containers.RepeatedCompositeFieldContainer[Side]
    at_least: int
    minimum_count: int
    band: int
    leakage: str
    linkage: Linkage
    def __init__(self, id: _Optional[str] = ..., members: _Optional[_Iterable[_Union[Side, _Mapping]]] = ..., at_least: _Optional[int] = ..., minimum_count: _Optional[int] = ..., band: _Optional[int] = ..., leakage: _Optional[str] = ..., linkage: _Optional[_Union[Linkage, _Mapping]] = ...) -> None: ...

class Standing(_message.Message):
    __slots__ = ("epoch_days", "checks_per_day")
    EPOCH_DAYS_FIELD_NUMBER: _ClassVar[int]
    CHECKS_PER_DAY_FIELD_NUMBER: _ClassVar[int]
    epoch_days: int
    checks_per_day: int
    def __init__(self, epoch_days: _Optional[int] = ..., checks_per_day: _Optional[int] = ...) -> None: ...

class Agreement(_message.Message):
    __slots__ = ("format", "title", "purpose", "parties", "suite", "schema", "schema_digest", "edges", "marking", "handling_codes", "not_before", "expires", "rounds_budget", "calendar", "retention_days", "collector", "nonce", "thresholds", "standing")
    FORMAT_FIELD_NUMBER: _ClassVar[int]
    TITLE_FIELD_NUMBER: _ClassVar[int]
    PURPOSE_FIELD_NUMBER: _ClassVar[int]
    PARTIES_FIELD_NUMBER: _ClassVar[int]
    SUITE_FIELD_NUMBER: _ClassVar[int]
    SCHEMA_FIELD_NUMBER: _ClassVar[int]
    SCHEMA_DIGEST_FIELD_NUMBER: _ClassVar[int]
    EDGES_FIELD_NUMBER: _ClassVar[int]
    MARKING_FIELD_NUMBER: _ClassVar[int]
    HANDLING_CODES_FIELD_NUMBER: _ClassVar[int]
    NOT_BEFORE_FIELD_NUMBER: _ClassVar[int]
    EXPIRES_FIELD_NUMBER: _ClassVar[int]
    ROUNDS_BUDGET_FIELD_NUMBER: _ClassVar[int]
    CALENDAR_FIELD_NUMBER: _ClassVar[int]
    RETENTION_DAYS_FIELD_NUMBER: _ClassVar[int]
    COLLECTOR_FIELD_NUMBER: _ClassVar[int]
    NONCE_FIELD_NUMBER: _ClassVar[int]
    THRESHOLDS_FIELD_NUMBER: _ClassVar[int]
    STANDING_FIELD_NUMBER: _ClassVar[int]
    format: int
    title: str
    purpose: str
    parties: _containers.RepeatedCompositeFieldContainer[Party]
    suite: str
    schema: str
    schema_digest: bytes
    edges: _containers.RepeatedCompositeFieldContainer[Edge]
    marking: str
    handling_codes: _containers.RepeatedScalarFieldContainer[str]
    not_before: int
    expires: int
    rounds_budget: int
    calendar: str
    retention_days: int
    collector: str
    nonce: bytes
    thresholds: _containers.RepeatedCompositeFieldContainer[Threshold]
    standing: Standing
    def __init__(self, format: _Optional[int] = ..., title: _Optional[str] = ..., purpose: _Optional[str] = ..., parties: _Optional[_Iterable[_Union[Party, _Mapping]]] = ..., suite: _Optional[str] = ..., schema: _Optional[str] = ..., schema_digest: _Optional[bytes] = ..., edges: _Optional[_Iterable[_Union[Edge, _Mapping]]] = ..., marking: _Optional[str] = ..., handling_codes: _Optional[_Iterable[str]] = ..., not_before: _Optional[int] = ..., expires: _Optional[int] = ..., rounds_budget: _Optional[int] = ..., calendar: _Optional[str] = ..., retention_days: _Optional[int] = ..., collector: _Optional[str] = ..., nonce: _Optional[bytes] = ..., thresholds: _Optional[_Iterable[_Union[Threshold, _Mapping]]] = ..., standing: _Optional[_Union[Standing, _Mapping]] = ...) -> None: ...

class Signature(_message.Message):
    __slots__ = ("agency", "signature")
    AGENCY_FIELD_NUMBER: _ClassVar[int]
    SIGNATURE_FIELD_NUMBER: _ClassVar[int]
    agency: str
    signature: bytes
    def __init__(self, agency: _Optional[str] = ..., signature: _Optional[bytes] = ...) -> None: ...

class Envelope(_message.Message):
    __slots__ = ("payload_type", "payload", "signatures")
    PAYLOAD_TYPE_FIELD_NUMBER: _ClassVar[int]
    PAYLOAD_FIELD_NUMBER: _ClassVar[int]
    SIGNATURES_FIELD_NUMBER: _ClassVar[int]
    payload_type: str
    payload: bytes
    signatures: _containers.RepeatedCompositeFieldContainer[Signature]
    def __init__(self, payload_type: _Optional[str] = ..., payload: _Optional[bytes] = ..., signatures: _Optional[_Iterable[_Union[Signature, _Mapping]]] = ...) -> None: ...

class DescribeRequest(_message.Message):
    __slots__ = ("version",)
    VERSION_FIELD_NUMBER: _ClassVar[int]
    version: int
    def __init__(self, version: _Optional[int] = ...) -> None: ...

class DescribeReply(_message.Message):
    __slots__ = ("party",)
    PARTY_FIELD_NUMBER: _ClassVar[int]
    party: Party
    def __init__(self, party: _Optional[_Union[Party, _Mapping]] = ...) -> None: ...

class ProposeRequest(_message.Message):
    __slots__ = ("version", "envelope", "withdrawals")
    VERSION_FIELD_NUMBER: _ClassVar[int]
    ENVELOPE_FIELD_NUMBER: _ClassVar[int]
    WITHDRAWALS_FIELD_NUMBER: _ClassVar[int]
    version: int
    envelope: Envelope
    withdrawals: _containers.RepeatedCompositeFieldContainer[SignedWithdrawal]
    def __init__(self, version: _Optional[int] = ..., envelope: _Optional[_Union[Envelope, _Mapping]] = ..., withdrawals: _Optional[_Iterable[_Union[SignedWithdrawal, _Mapping]]] = ...) -> None: ...

class ProposeReply(_message.Message):
    __slots__ = ("envelope", "withdrawals")
    ENVELOPE_FIELD_NUMBER: _ClassVar[int]
    WITHDRAWALS_FIELD_NUMBER: _ClassVar[int]
    envelope: Envelope
    withdrawals: _containers.RepeatedCompositeFieldContainer[SignedWithdrawal]
    def __init__(self, envelope: _Optional[_Union[Envelope, _Mapping]] = ..., withdrawals: _Optional[_Iterable[_Union[SignedWithdrawal, _Mapping]]] = ...) -> None: ...

class FetchRequest(_message.Message):
    __slots__ = ("version", "agreement")
    VERSION_FIELD_NUMBER: _ClassVar[int]
    AGREEMENT_FIELD_NUMBER: _ClassVar[int]
    version: int
    agreement: bytes
    def __init__(self, version: _Optional[int] = ..., agreement: _Optional[bytes] = ...) -> None: ...

class FetchReply(_message.Message):
    __slots__ = ("envelope", "withdrawals")
    ENVELOPE_FIELD_NUMBER: _ClassVar[int]
    WITHDRAWALS_FIELD_NUMBER: _ClassVar[int]
    envelope: Envelope
    withdrawals: _containers.RepeatedCompositeFieldContainer[SignedWithdrawal]
    def __init__(self, envelope: _Optional[_Union[Envelope, _Mapping]] = ..., withdrawals: _Optional[_Iterable[_Union[SignedWithdrawal, _Mapping]]] = ...) -> None: ...

class WithdrawRequest(_message.Message):
    __slots__ = ("version", "withdrawal")
    VERSION_FIELD_NUMBER: _ClassVar[int]
    WITHDRAWAL_FIELD_NUMBER: _ClassVar[int]
    version: int
    withdrawal: SignedWithdrawal
    def __init__(self, version: _Optional[int] = ..., withdrawal: _Optional[_Union[SignedWithdrawal, _Mapping]] = ...) -> None: ...

class SignedWithdrawal(_message.Message):
    __slots__ = ("agreement", "agency", "payload", "signature")
    AGREEMENT_FIELD_NUMBER: _ClassVar[int]
    AGENCY_FIELD_NUMBER: _ClassVar[int]
    PAYLOAD_FIELD_NUMBER: _ClassVar[int]
    SIGNATURE_FIELD_NUMBER: _ClassVar[int]
    agreement: bytes
    agency: str
    payload: bytes
    signature: bytes
    def __init__(self, agreement: _Optional[bytes] = ..., agency: _Optional[str] = ..., payload: _Optional[bytes] = ..., signature: _Optional[bytes] = ...) -> None: ...

class WithdrawReply(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...
