from blindmatch.proto.v1 import common_pb2 as _common_pb2
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Rows(_message.Message):
    __slots__ = ("header", "rows")
    HEADER_FIELD_NUMBER: _ClassVar[int]
    ROWS_FIELD_NUMBER: _ClassVar[int]
    header: _common_pb2.Header
    rows: bytes
    def __init__(self, header: _Optional[_Union[_common_pb2.Header, _Mapping]] = ..., rows: _Optional[bytes] = ...) -> None: ...

class Taken(_message.Message):
    __slots__ = ("header",)
    HEADER_FIELD_NUMBER: _ClassVar[int]
    header: _common_pb2.Header
    def __init__(self, header: _Optional[_Union[_common_pb2.Header, _Mapping]] = ...) -> None: ...

class RowsRequest(_message.Message):
    __slots__ = ("header",)
    HEADER_FIELD_NUMBER: _ClassVar[int]
    header: _common_pb2.Header
    def __init__(self, header: _Optional[_Union[_common_pb2.Header, _Mapping]] = ...) -> None: ...

class OutcomeRequest(_message.Message):
    __slots__ = ("header",)
    HEADER_FIELD_NUMBER: _ClassVar[int]
    header: _common_pb2.Header
    def __init__(self, header: _Optional[_Union[_common_pb2.Header, _Mapping]] = ...) -> None: ...

class OutcomeReply(_message.Message):
    __slots__ = ("header", "outcome")
    HEADER_FIELD_NUMBER: _ClassVar[int]
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    header: _common_pb2.Header
    outcome: _common_pb2.SignedStatement
    def __init__(self, header: _Optional[_Union[_common_pb2.Header, _Mapping]] = ..., outcome: _Optional[_Union[_common_pb2.SignedStatement, _Mapping]] = ...) -> None: ...

class ReportsRequest(_message.Message):
    __slots__ = ("version", "agreement")
    VERSION_FIELD_NUMBER: _ClassVar[int]
    AGREEMENT_FIELD_NUMBER: _ClassVar[int]
    version: int
    agreement: bytes
    def __init__(self, version: _Optional[int] = ..., agreement: _Optional[bytes] = ...) -> None: ...

class Report(_message.Message):
    __slots__ = ("header", "outcome", "report")
    HEADER_FIELD_NUMBER: _ClassVar[int]
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    REPORT_FIELD_NUMBER: _ClassVar[int]
    header: _common_pb2.Header
    outcome: _common_pb2.SignedStatement
    report: _common_pb2.SignedStatement
    def __init__(self, header: _Optional[_Union[_common_pb2.Header, _Mapping]] = ..., outcome: _Optional[_Union[_common_pb2.SignedStatement, _Mapping]] = ..., report: _Optional[_Union[_common_pb2.SignedStatement, _Mapping]] = ...) -> None: ...
