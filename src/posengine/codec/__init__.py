"""Dialects as data, and the messages that they say how to read."""

from __future__ import annotations

from posengine.codec.columns import Columns
from posengine.codec.explain import Explanation, explain
from posengine.codec.message import Message, Mti, NestedPart
from posengine.codec.schema import SpecError
from posengine.codec.source import dialect_names
from posengine.codec.spec import Frame, Kind, MacCover, Spec

__all__ = [
    "Columns", "Explanation", "Frame", "Kind", "MacCover", "Message", "Mti", "NestedPart", "Spec",
    "SpecError", "dialect_names", "explain",
]
