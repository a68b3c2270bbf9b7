"""The product's own codec and cipher room, as a terminal uses them."""

from __future__ import annotations

from collections.abc import Mapping

from posengine import mac
from posengine.codec import Message, Spec
from posengine.errors import FrameUndersize
from posengine.simulate.dialect import Dialect, Keys


class ProductDialect:
    """A ``Dialect`` on a ``Spec``. Keys go in and out as bytes: they are a terminal's own."""

    def __init__(self, spec: Spec) -> None:
        self._spec = spec
        self._algorithm = str(spec.document["mac"]["algorithm"])
        self._output = str(spec.document["mac"].get("output", "hex"))
        self._size = int(spec.document["mac"].get("size", 8))

    def build(self, mti: str, fields: Mapping[int, str | bytes]) -> bytes:
        return self._spec.build(mti, fields)

    def frame(self, body: bytes) -> bytes:
        return self._spec.frame(body)

    def parse(self, body: bytes) -> Message:
        return self._spec.parse(body)

    def unframe(self, frame: bytes) -> tuple[int, bytes]:
        cut, _ = self._spec.unframe(frame)
        if cut is None:
            raise FrameUndersize("the frame is not whole")
        return (cut.header[2] & 0x0F if cut.header else 0), cut.body

    def mac(self, key: bytes, covered: bytes) -> bytes:
        return mac.compute(self._algorithm, key, covered, output=self._output, size=self._size)

    def open_keys(self, tmk: bytes, block: bytes) -> Keys:
        with mac.Key("TMK", tmk) as slot:
            keys = mac.open_block(block, slot)
        tdk = keys["TDK"].clear() if "TDK" in keys else b""
        return Keys(keys["PIK"].clear(), keys["MAK"].clear(), tdk)

    def pin_block(self, pik: bytes, pin: str, pan: str) -> bytes:
        return mac.pin_block(pin, pan, pik)

    def conceal_track(self, tdk: bytes, track: str) -> str:
        return mac.encrypt_track(track, tdk)


def load_dialect(name_or_path: str) -> Dialect:
    """A shipped dialect by its name, or a file. Raises: SpecError."""
    return ProductDialect(Spec.load(name_or_path))
