from collections.abc import Sequence
from typing import Any, NamedTuple

from numpy.typing import NDArray

from posengine.errors import ParseError

class FieldFacts(NamedTuple):
    number: int
    content: str
    secrecy: str
    has_layout: bool
    size_min: int
    size_max: int
    name: str
    name_zh: str
    rule: str

class Place(NamedTuple):
    offset: int
    size: int
    units: int

class Part(NamedTuple):
    key: str
    name: str
    name_zh: str
    tag: str
    group: int
    depth: int
    content: str
    secrecy: str
    is_kept: bool
    is_constructed: bool
    offset: int
    size: int
    units: int
    value: bytes

class Parsed:
    body: bytes
    fault: ParseError | None
    @property
    def mti(self) -> int: ...
    def fields(self) -> list[int]: ...
    def value(self, field: int) -> bytes: ...
    def place(self, field: int) -> Place: ...
    def parts(self, field: int) -> list[Part]: ...
    def kind(self) -> tuple[str, str, str, bool, int]: ...
    def check(self) -> None: ...
    def mac_cover(self) -> tuple[int, int, int, bytes | None]: ...

def kind_names() -> list[str]: ...

class Core:
    def __cinit__(self, image: bytes) -> None: ...
    def __init__(self, image: bytes) -> None: ...
    def name(self) -> str: ...
    def title(self, is_chinese: bool) -> str: ...
    def digest(self) -> bytes: ...
    def field_max(self) -> int: ...
    def fields(self) -> list[FieldFacts]: ...
    def frame_next(
        self, data: bytes
    ) -> tuple[bytes | None, bytes | None, bytes, int] | None: ...
    def frame_wrap(
        self,
        body_size: int,
        request_tpdu: bytes | None,
        request_header: bytes | None,
        requirement: int,
    ) -> bytes: ...
    def parse(self, body: bytes) -> Parsed: ...
    def build(self, mti: int, values: Sequence[tuple[int, bytes]], size_max: int) -> bytes: ...
    def parse_many(
        self, buffer: object, offsets: NDArray[Any], columns: dict[str, NDArray[Any]]
    ) -> int: ...
