from blindmatch.proto.v1 import common_pb2 as _common_pb2
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class PrepareRequest(_message.Message):
    __slots__ = ("header", "agreement", "rates")
    HEADER_FIELD_NUMBER: _ClassVar[int]
    AGREEMENT_FIELD_NUMBER: _ClassVar[int]
    RATES_FIELD_NUMBER: _ClassVar[int]
    header: _common_pb2.Header
    agreement: bytes
    rates: _common_pb2.SignedStatement
    def __init__(self, header: _Optional[_Union[_common_pb2.Header, _Mapping]] = ..., agreement: _Optional[bytes] = ..., rates: _Optional[_Union[_common_pb2.SignedStatement, _Mapping]] = ...) -> None: ...

class PrepareReply(_message.Message):
    __slots__ = ("header", "rates")
    HEADER_FIELD_NUMBER: _ClassVar[int]
    RATES_FIELD_NUMBER: _ClassVar[int]
    header: _common_pb2.Header
    rates: _common_pb2.SignedStatement
    def __init__(self, header: _Optional[_Union[_common_pb2.Header, _Mapping]] = ..., rates: _Optional[_Union[_common_pb2.SignedStatement, _Mapping]] = ...) -> None: ...

class OpenRequest(_message.Message):
    __slots__ = ("header", "agreement", "commitment")
    HEADER_FIELD_NUMBER: _ClassVar[int]
    AGREEMENT_FIELD_NUMBER: _ClassVar[int]
    COMMITMENT_FIELD_NUMBER: _ClassVar[int]
    header: _common_pb2.Header
    agreement: bytes
    commitment: _common_pb2.SignedStatement
    def __init__(self, header: _Optional[_Union[_common_pb2.Header, _Mapping]] = ..., agreement: _Optional[bytes] = ..., commitment: _Optional[_Union[_common_pb2.SignedStatement, _Mapping]] = ...) -> None: ...

class OpenReply(_message.Message):
    __slots__ = ("header", "progress", "commitment")
    HEADER_FIELD_NUMBER: _ClassVar[int]
    PROGRESS_FIELD_NUMBER: _ClassVar[int]
    COMMITMENT_FIELD_NUMBER: _ClassVar[int]
    header: _common_pb2.Header
    progress: Progress
    commitment: _common_pb2.SignedStatement
    def __init__(self, header: _Optional[_Union[_common_pb2.Header, _Mapping]] = ..., progress: _Optional[_Union[Progress, _Mapping]] = ..., commitment: _Optional[_Union[_common_pb2.SignedStatement, _Mapping]] = ...) -> None: ...

class Progress(_message.Message):
    __slots__ = ("done", "total")
    DONE_FIELD_NUMBER: _ClassVar[int]
    TOTAL_FIELD_NUMBER: _ClassVar[int]
    done: int
    total: int
    def __init__(self, done: _Optional[int] = ..., total: _Optional[int] = ...) -> None: ...

class BlindedChunk(_message.Message):
    __slots__ = ("header", "points")
    HEADER_FIELD_NUMBER: _ClassVar[int]
    POINTS_FIELD_NUMBER: _ClassVar[int]
    header: _common_pb2.Header
    points: bytes
    def __init__(self, header: _Optional[_Union[_common_pb2.Header, _Mapping]] = ..., points: _Optional[bytes] = ...) -> None: ...

class EvaluatedChunk(_message.Message):
    __slots__ = ("header", "points", "proof")
    HEADER_FIELD_NUMBER: _ClassVar[int]
    POINTS_FIELD_NUMBER: _ClassVar[int]
    PROOF_FIELD_NUMBER: _ClassVar[int]
    header: _common_pb2.Header
    points: bytes
    proof: bytes
    def __init__(self, header: _Optional[_Union[_common_pb2.Header, _Mapping]] = ..., points: _Optional[bytes] = ..., proof: _Optional[bytes] = ...) -> None: ...

class TagsRequest(_message.Message):
    __slots__ = ("header",)
    HEADER_FIELD_NUMBER: _ClassVar[int]
    header: _common_pb2.Header
    def __init__(self, header: _Optional[_Union[_common_pb2.Header, _Mapping]] = ...) -> None: ...

class TagChunk(_message.Message):
    __slots__ = ("header", "rows")
    HEADER_FIELD_NUMBER: _ClassVar[int]
    ROWS_FIELD_NUMBER: _ClassVar[int]
    header: _common_pb2.Header
    rows: bytes
    def __init__(self, header: _Optional[_Union[_common_pb2.Header, _Mapping]] = ..., rows: _Optional[bytes] = ...) -> None: ...

class CloseRequest(_message.Message):
    __slots__ = ("header", "receipt")
    HEADER_FIELD_NUMBER: _ClassVar[int]
    RECEIPT_FIELD_NUMBER: _ClassVar[int]
    header: _common_pb2.Header
    receipt: _common_pb2.SignedStatement
    def __init__(self, header: _Optional[_Union[_common_pb2.Header, _Mapping]] = ..., receipt: _Optional[_Union[_common_pb2.SignedStatement, _Mapping]] = ...) -> None: ...

class CloseReply(_message.Message):
    __slots__ = ("header", "signature")
    HEADER_FIELD_NUMBER: _ClassVar[int]
    SIGNATURE_FIELD_NUMBER: _ClassVar[int]
    header: _common_pb2.Header
    signature: bytes
    def __init__(self, header: _Optional[_Union[_common_pb2.Header, _Mapping]] = ..., signature: _Optional[bytes] = ...) -> None: ...
