"""Protobuf messages, read and rewritten without their schema, beside what `onnx` makes of them."""

from __future__ import annotations

from io import BytesIO

import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from facesketch.weights.protobuf import content, field, fields, replace, varints

MODEL = onnx.parser.parse_model(
    '<ir_version: 8, opset_import: ["": 17]> two (float[2] x) => (float[2] y) { z = Neg(x) y = Neg(z) }'
)
GRAPH, NODE, NAME, OUTPUT, OPERATOR = 7, 1, 2, 2, 4


def test_a_path_of_numbers_leads_to_each_field() -> None:
    model = MODEL.SerializeToString()
    assert list(fields(BytesIO(model), len(model), GRAPH, NODE, OUTPUT)) == [b"z", b"y"]
    assert list(fields(BytesIO(model), len(model), GRAPH, 99)) == []


@given(st.lists(st.tuples(st.integers(1, 1 << 20), st.binary(max_size=300))), st.integers(1, 1 << 20))
def test_what_is_written_is_read(written: list[tuple[int, bytes]], number: int) -> None:
    message = b"".join(field(*each) for each in written)
    for each in {number, *(found for found, _ in written)}:
        assert content(message, each) == [value for found, value in written if found == each]
        assert replace(message, each, lambda value: [value]) == message
        assert content(replace(message, each, lambda value: []), each) == []


def test_a_field_becomes_several() -> None:
    def renamed(node: bytes) -> list[bytes]:
        return [replace(node, OPERATOR, lambda name: [b"Abs"]), node]

    changed = replace(MODEL.SerializeToString(), GRAPH, lambda graph: [replace(graph, NODE, renamed)])
    after = onnx.load_from_string(changed)
    assert [node.op_type for node in after.graph.node] == ["Abs", "Neg"] * 2
    assert after.ir_version == MODEL.ir_version
    assert after.graph.name == MODEL.graph.name


def test_numbers_of_a_packed_field() -> None:
    dims = onnx.TensorProto(dims=[1, 300, 70_000]).SerializeToString()
    assert [number for packed in content(dims, 1) for number in varints(packed)] == [1, 300, 70_000]


def test_a_damaged_message_is_refused() -> None:
    model = MODEL.SerializeToString()
    for damaged, said in (
        (model[:-1], "too early"),
        (b"\x00\x00", "no ONNX model"),
        (b"\x0a" + b"\xff" * 10, "no ONNX"),
    ):
        with pytest.raises(ValueError, match=said):
            content(damaged, GRAPH)
        with pytest.raises(ValueError, match=said):
            replace(damaged, GRAPH, lambda value: [value])
