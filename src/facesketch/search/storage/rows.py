"""The rows of a gallery's table: one per photo, and their columns."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from facesketch.errors import GalleryError
from facesketch.files import parse_json

if TYPE_CHECKING:
    import pyarrow as pa

FORMAT = 1
FACTS = "facts"
_UNIQUE = "lance-schema:unenforced-primary-key:position"  # by it two writers notice that they add the same key


@dataclass(frozen=True, slots=True)
class Row:
    """A photo of the gallery.

    Attributes:
        key: the photo's absolute path or a given name, unique in the table.
        person: who it shows; photos of one person share it.
        label: the person's name in print.
        size: the file's bytes.
        mtime_ns: when the file was last changed, in nanoseconds.
        sha256: of the file, in hexadecimal digits.
        vector: (2D,) float32.
        thumbnail: a small JPEG, or empty.
        facts: what the table of people says: `column` and `column=value` for each, without capitals.
    """

    key: str
    person: str
    label: str
    size: int
    mtime_ns: int
    sha256: str
    vector: NDArray[np.float32]
    thumbnail: bytes = b""
    facts: tuple[str, ...] = ()


class Known(NamedTuple):
    """The fields of a `Row` without its vector."""

    size: int
    mtime_ns: int
    sha256: str
    person: str
    label: str
    facts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Found:
    """A photo near a query, with the fields of its `Row`; `score` is the inner product of vector and query."""

    key: str
    person: str
    label: str
    score: float


def schema(fingerprint: str, dimension: int) -> pa.Schema:
    """Return the columns of a table; its metadata name the format and the fingerprint of its describer."""
    import pyarrow as pa

    about = json.dumps({"format": FORMAT, "fingerprint": fingerprint})
    text, whole = pa.string(), pa.int64()
    return pa.schema(
        [
            pa.field("key", text, nullable=False, metadata={_UNIQUE: "1"}),
            *(pa.field("person", text), pa.field("label", text)),
            *(pa.field("size", whole), pa.field("mtime_ns", whole), pa.field("sha256", text)),
            pa.field("vector", pa.list_(pa.float32(), dimension), nullable=False),
            pa.field("thumbnail", pa.binary()),
            pa.field(FACTS, pa.list_(text)),
        ],
        metadata={"facesketch": about},
    )


def described(uri: str, found: pa.Schema) -> tuple[str, int]:
    """Return the fingerprint and the dimension of a table; refuse one that is no gallery or of a newer version."""
    try:
        about = parse_json((found.metadata or {}).get(b"facesketch", b"{}"))
    except ValueError:
        about = None
    about = about if isinstance(about, dict) else {}
    made, fingerprint = about.get("format"), about.get("fingerprint")
    if isinstance(made, int) and made > FORMAT:
        raise GalleryError(
            f"{uri}: made by a newer facesketch (format {made}, this one reads {FORMAT})",
            "install the newest facesketch: pip install -U facesketch",
        )
    if not isinstance(made, int) or not isinstance(fingerprint, str):
        raise GalleryError(f"{uri}: holds a LanceDB table, but no gallery of facesketch", "give another place")
    dimension = getattr(found.field("vector").type, "list_size", 0) if "vector" in found.names else 0
    for column in schema(fingerprint, dimension):
        if column.name == FACTS and FACTS not in found.names:
            continue  # made before there were facts; the first that is written adds them
        if column.name not in found.names or found.field(column.name).type != column.type:
            seen = f"{uri}: no column '{column.name}' of {column.type} in it"
            raise GalleryError(seen, "index the photos into a new gallery")
    return fingerprint.partition("+sketch2photo-")[0], dimension  # version 0.1 named what only queries use, too


def columns(rows: Sequence[Row], schema: pa.Schema) -> pa.Table:
    """Lay rows out as columns."""
    import pyarrow as pa

    vectors = np.stack([row.vector for row in rows]).astype(np.float32, copy=False)
    width = schema.field("vector").type.list_size
    assert vectors.shape == (len(rows), width), "the table's dimension"
    arrays = {
        name: pa.array([getattr(row, name) for row in rows], schema.field(name).type)
        for name in schema.names
        if name != "vector"
    }
    arrays["vector"] = pa.FixedSizeListArray.from_arrays(pa.array(vectors.ravel()), width)
    return pa.table([arrays[name] for name in schema.names], schema=schema)


def among(column: str, values: Sequence[str]) -> str:
    """Return the condition that a column holds one of some values."""
    return f"{column} IN ({', '.join(map(_quoted, values))})"


def narrowed(facts: Sequence[str]) -> str:
    """Return the condition that a photo has one of the values `column=value` of each column, or none of the column."""
    columns = sorted({fact.partition("=")[0] for fact in facts})
    asked = [[column, *(fact for fact in facts if fact.partition("=")[0] == column)] for column in columns]
    has = [[f"array_has({FACTS}, {_quoted(fact)})" for fact in each] for each in asked]
    return " AND ".join(f"({FACTS} IS NULL OR NOT {column} OR {' OR '.join(values)})" for column, *values in has)


def _quoted(text: str) -> str:
    text = text.encode(errors="backslashreplace").decode()  # a name that is not UTF-8 stands in no table
    return "'" + text.replace("'", "''") + "'"
