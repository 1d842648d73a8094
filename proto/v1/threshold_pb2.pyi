from blindmatch.proto.v1 import common_pb2 as _common_pb2
from blindmatch.proto.v1 import match_pb2 as _match_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class RatesRequest(_message.Message):
    __slots__ = ("header", "agreement")
    HEADER_FIELD_NUMBER: _ClassVar[int]
    AGREEMENT_FIELD_NUMBER: _ClassVar[int]
    header: _common_pb2.Header
    agreement: bytes
    def __init__(self, header: _Optional[_Union[_common_pb2.Header, _Mapping]] = ..., agreement: _Optional[bytes] = ...) -> None: ...

class RatesReply(_message.Message):
    __slots__ = ("header", "rates")
    HEADER_FIELD_NUMBER: _ClassVar[int]
    RATES_FIELD_NUMBER: _ClassVar[int]
    header: _common_pb2.Header
    rates: _common_pb2.SignedStatement
    def __init__(self, header: _Optional[_Union[_common_pb2.Header, _Mapping]] = ..., rates: _Optional[_Union[_common_pb2.SignedStatement, _Mapping]] = ...) -> None: ...

class JoinRequest(_message.Message):
    __slots__ = ("header", "rates")
    HEADER_FIELD_NUMBER: _ClassVar[int]
    RATES_FIELD_NUMBER: _ClassVar[int]
    header: _common_pb2.Header
    rates: _containers.RepeatedCompositeFieldContainer[_common_pb2.SignedStatement]
    def __init__(self, header: _Optional[_Union[_common_pb2.Header, _Mapping]] = ..., rates: _Optional[_Iterable[_Union[_common_pb2.SignedStatement, _Mapping]]] = ...) -> None: ...

class JoinReply(_message.Message):
    __slots__ = ("header", "progress", "commitment")
    HEADER_FIELD_NUMBER: _ClassVar[int]
    PROGRESS_FIELD_NUMBER: _ClassVar[int]
    COMMITMENT_FIELD_NUMBER: _ClassVar[int]
    header: _common_pb2.Header
    progress: _match_pb2.Progress
    commitment: MemberCommitment
    def __init__(self, header: _Optional[_Union[_common_pb2.Header, _Mapping]] = ..., progress: _Optional[_Union[_match_pb2.Progress, _Mapping]] = ..., commitment: _Optional[_Union[MemberCommitment, _Mapping]] = ...) -> None: ...

class MemberCommitment(_message.Message):
    __slots__ = ("statement", "digests")
    STATEMENT_FIELD_NUMBER: _ClassVar[int]
    DIGESTS_FIELD_NUMBER: _ClassVar[int]
    statement: _common_pb2.SignedStatement
    digests: bytes
    def __init__(self, statement: _Optional[_Union[_common_pb2.SignedStatement, _Mapping]] = ..., digests: _Optional[bytes] = ...) -> None: ...

class MeetRequest(_message.Message):
    __slots__ = ("header", "commitments")
    HEADER_FIELD_NUMBER: _ClassVar[int]
    COMMITMENTS_FIELD_NUMBER: _ClassVar[int]
    header: _common_pb2.Header
    commitments: _containers.RepeatedCompositeFieldContainer[MemberCommitment]
    def __init__(self, header: _Optional[_Union[_common_pb2.Header, _Mapping]] = ..., commitments: _Optional[_Iterable[_Union[MemberCommitment, _Mapping]]] = ...) -> None: ...

class MeetReply(_message.Message):
    __slots__ = ("header", "received")
    HEADER_FIELD_NUMBER: _ClassVar[int]
    RECEIVED_FIELD_NUMBER: _ClassVar[int]
    header: _common_pb2.Header
    received: _containers.RepeatedCompositeFieldContainer[Received]
    def __init__(self, header: _Optional[_Union[_common_pb2.Header, _Mapping]] = ..., received: _Optional[_Iterable[_Union[Received, _Mapping]]] = ...) -> None: ...

class Received(_message.Message):
    __slots__ = ("chunks", "attested")
    CHUNKS_FIELD_NUMBER: _ClassVar[int]
    ATTESTED_FIELD_NUMBER: _ClassVar[int]
    chunks: int
    attested: bool
    def __init__(self, chunks: _Optional[int] = ..., attested: _Optional[bool] = ...) -> None: ...

class BlindRequest(_message.Message):
    __slots__ = ("header",)
    HEADER_FIELD_NUMBER: _ClassVar[int]
    header: _common_pb2.Header
    def __init__(self, header: _Optional[_Union[_common_pb2.Header, _Mapping]] = ...) -> None: ...

class MemberPoints(_message.Message):
    __slots__ = ("header", "member", "points")
    HEADER_FIELD_NUMBER: _ClassVar[int]
    MEMBER_FIELD_NUMBER: _ClassVar[int]
    POINTS_FIELD_NUMBER: _ClassVar[int]
    header: _common_pb2.Header
    member: str
    points: bytes
    def __init__(self, header: _Optional[_Union[_common_pb2.Header, _Mapping]] = ..., member: _Optional[str] = ..., points: _Optional[bytes] = ...) -> None: ...

class AttestRequest(_message.Message):
    __slots__ = ("header", "member")
    HEADER_FIELD_NUMBER: _ClassVar[int]
    MEMBER_FIELD_NUMBER: _ClassVar[int]
    header: _common_pb2.Header
    member: str
    def __init__(self, header: _Optional[_Union[_common_pb2.Header, _Mapping]] = ..., member: _Optional[str] = ...) -> None: ...

class AttestReply(_message.Message):
    __slots__ = ("header", "attestation")
    HEADER_FIELD_NUMBER: _ClassVar[int]
    ATTESTATION_FIELD_NUMBER: _ClassVar[int]
    header: _common_pb2.Header
    attestation: _common_pb2.SignedStatement
    def __init__(self, header: _Optional[_Union[_common_pb2.Header, _Mapping]] = ..., attestation: _Optional[_Union[_common_pb2.SignedStatement, _Mapping]] = ...) -> None: ...

class DeliverRequest(_message.Message):
    __slots__ = ("header", "member", "points", "attestation")
    HEADER_FIELD_NUMBER: _ClassVar[int]
    MEMBER_FIELD_NUMBER: _ClassVar[int]
    POINTS_FIELD_NUMBER: _ClassVar[int]
    ATTESTATION_FIELD_NUMBER: _ClassVar[int]
    header: _common_pb2.Header
    member: str
    points: bytes
    attestation: _common_pb2.SignedStatement
    def __init__(self, header: _Optional[_Union[_common_pb2.Header, _Mapping]] = ..., member: _Optional[str] = ..., points: _Optional[bytes] = ..., attestation: _Optional[_Union[_common_pb2.SignedStatement, _Mapping]] = ...) -> None: ...

class DeliverReply(_message.Message):
    __slots__ = ("header",)
    HEADER_FIELD_NUMBER: _ClassVar[int]
    header: _common_pb2.Header
    def __init__(self, header: _Optional[_Union[_common_pb2.Header, _Mapping]] = ...) -> None: ...

class BuildRequest(_message.Message):
    __slots__ = ("header",)
    HEADER_FIELD_NUMBER: _ClassVar[int]
    header: _common_pb2.Header
    def __init__(self, header: _Optional[_Union[_common_pb2.Header, _Mapping]] = ...) -> None: ...

class BuildReply(_message.Message):
    __slots__ = ("header", "progress", "tables")
    HEADER_FIELD_NUMBER: _ClassVar[int]
    PROGRESS_FIELD_NUMBER: _ClassVar[int]
    TABLES_FIELD_NUMBER: _ClassVar[int]
    header: _common_pb2.Header
    progress: _match_pb2.Progress
    tables: _common_pb2.SignedStatement
    def __init__(self, header: _Optional[_Union[_common_pb2.Header, _Mapping]] = ..., progress: _Optional[_Union[_match_pb2.Progress, _Mapping]] = ..., tables: _Optional[_Union[_common_pb2.SignedStatement, _Mapping]] = ...) -> None: ...

class CellsRequest(_message.Message):
    __slots__ = ("header",)
    HEADER_FIELD_NUMBER: _ClassVar[int]
    header: _common_pb2.Header
    def __init__(self, header: _Optional[_Union[_common_pb2.Header, _Mapping]] = ...) -> None: ...

class Cells(_message.Message):
    __slots__ = ("header", "cells")
    HEADER_FIELD_NUMBER: _ClassVar[int]
    CELLS_FIELD_NUMBER: _ClassVar[int]
    header: _common_pb2.Header
    cells: bytes
    def __init__(self, header: _Optional[_Union[_common_pb2.Header, _Mapping]] = ..., cells: _Optional[bytes] = ...) -> None: ...

class TellRequest(_message.Message):
    __slots__ = ("header", "outcome", "tables")
    HEADER_FIELD_NUMBER: _ClassVar[int]
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    TABLES_FIELD_NUMBER: _ClassVar[int]
    header: _common_pb2.Header
    outcome: _common_pb2.SignedStatement
    tables: bytes
    def __init__(self, header: _Optional[_Union[_common_pb2.Header, _Mapping]] = ..., outcome: _Optional[_Union[_common_pb2.SignedStatement, _Mapping]] = ..., tables: _Optional[bytes] = ...) -> None: ...

class TellReply(_message.Message):
    __slots__ = ("header",)
    HEADER_FIELD_NUMBER: _ClassVar[int]
    header: _common_pb2.Header
    def __init__(self, header: _Optional[_Union[_common_pb2.Header, _Mapping]] = ...) -> None: ...

class SignRequest(_message.Message):
    __slots__ = ("header", "receipt", "tables")
    HEADER_FIELD_NUMBER: _ClassVar[int]
    RECEIPT_FIELD_NUMBER: _ClassVar[int]
    TABLES_FIELD_NUMBER: _ClassVar[int]
    header: _common_pb2.Header
    receipt: _common_pb2.SignedStatement
    tables: _containers.RepeatedCompositeFieldContainer[_common_pb2.SignedStatement]
    def __init__(self, header: _Optional[_Union[_common_pb2.Header, _Mapping]] = ..., receipt: _Optional[_Union[_common_pb2.SignedStatement, _Mapping]] = ..., tables: _Optional[_Iterable[_Union[_common_pb2.SignedStatement, _Mapping]]] = ...) -> None: ...

class SignReply(_message.Message):
    __slots__ = ("header", "signature")
    HEADER_FIELD_NUMBER: _ClassVar[int]
    SIGNATURE_FIELD_NUMBER: _ClassVar[int]
    header: _common_pb2.Header
    signature: bytes
    def __init__(self, header: _Optional[_Union[_common_pb2.Header, _Mapping]] = ..., signature: _Optional[bytes] = ...) -> None: ...
