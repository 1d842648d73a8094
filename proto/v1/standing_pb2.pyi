from blindmatch.proto.v1 import common_pb2 as _common_pb2
from blindmatch.proto.v1 import match_pb2 as _match_pb2
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class DeltaOpenRequest(_message.Message):
    __slots__ = ("header", "agreement", "epoch", "number", "commitment")
    HEADER_FIELD_NUMBER: _ClassVar[int]
    AGREEMENT_FIELD_NUMBER: _ClassVar[int]
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    COMMITMENT_FIELD_NUMBER: _ClassVar[int]
    header: _common_pb2.Header
    agreement: bytes
    epoch: bytes
    number: int
    commitment: _common_pb2.SignedStatement
    def __init__(self, header: _Optional[_Union[_common_pb2.Header, _Mapping]] = ..., agreement: _Optional[bytes] = ..., epoch: _Optional[bytes] = ..., number: _Optional[int] = ..., commitment: _Optional[_Union[_common_pb2.SignedStatement, _Mapping]] = ...) -> None: ...

class ChangesChunk(_message.Message):
    __slots__ = ("header", "removed", "added")
    HEADER_FIELD_NUMBER: _ClassVar[int]
    REMOVED_FIELD_NUMBER: _ClassVar[int]
    ADDED_FIELD_NUMBER: _ClassVar[int]
    header: _common_pb2.Header
    removed: bytes
    added: bytes
    def __init__(self, header: _Optional[_Union[_common_pb2.Header, _Mapping]] = ..., removed: _Optional[bytes] = ..., added: _Optional[bytes] = ...) -> None: ...

class SubmitRequest(_message.Message):
    __slots__ = ("header", "agreement", "check", "rows")
    HEADER_FIELD_NUMBER: _ClassVar[int]
    AGREEMENT_FIELD_NUMBER: _ClassVar[int]
    CHECK_FIELD_NUMBER: _ClassVar[int]
    ROWS_FIELD_NUMBER: _ClassVar[int]
    header: _common_pb2.Header
    agreement: bytes
    check: bytes
    rows: bytes
    def __init__(self, header: _Optional[_Union[_common_pb2.Header, _Mapping]] = ..., agreement: _Optional[bytes] = ..., check: _Optional[bytes] = ..., rows: _Optional[bytes] = ...) -> None: ...

class SubmitReply(_message.Message):
    __slots__ = ("header", "check")
    HEADER_FIELD_NUMBER: _ClassVar[int]
    CHECK_FIELD_NUMBER: _ClassVar[int]
    header: _common_pb2.Header
    check: bytes
    def __init__(self, header: _Optional[_Union[_common_pb2.Header, _Mapping]] = ..., check: _Optional[bytes] = ...) -> None: ...

class AskRequest(_message.Message):
    __slots__ = ("header", "agreement", "check", "points")
    HEADER_FIELD_NUMBER: _ClassVar[int]
    AGREEMENT_FIELD_NUMBER: _ClassVar[int]
    CHECK_FIELD_NUMBER: _ClassVar[int]
    POINTS_FIELD_NUMBER: _ClassVar[int]
    header: _common_pb2.Header
    agreement: bytes
    check: bytes
    points: bytes
    def __init__(self, header: _Optional[_Union[_common_pb2.Header, _Mapping]] = ..., agreement: _Optional[bytes] = ..., check: _Optional[bytes] = ..., points: _Optional[bytes] = ...) -> None: ...

class AskReply(_message.Message):
    __slots__ = ("header", "check", "points", "proof")
    HEADER_FIELD_NUMBER: _ClassVar[int]
    CHECK_FIELD_NUMBER: _ClassVar[int]
    POINTS_FIELD_NUMBER: _ClassVar[int]
    PROOF_FIELD_NUMBER: _ClassVar[int]
    header: _common_pb2.Header
    check: bytes
    points: bytes
    proof: bytes
    def __init__(self, header: _Optional[_Union[_common_pb2.Header, _Mapping]] = ..., check: _Optional[bytes] = ..., points: _Optional[bytes] = ..., proof: _Optional[bytes] = ...) -> None: ...
