"""Writes pickles.tsv, encoded.tsv and dtypes.tsv, which the C++ tests beside this folder read.

    python -m venv venv && venv/bin/pip install numpy pydicom blosc2
    venv/bin/python make_pickles.py

Pickles are made by Python itself; what the reader should make of each is written by hand here,
as JSON with sorted keys (bytes and objects as include/mlarray/value.hpp says).
"""

from __future__ import annotations

import ast
import base64
import collections
import dataclasses
import datetime
import decimal
import enum
import json
import math
import pathlib
import pickle
import struct
import sys
import types
from typing import Any

import blosc2
import numpy as np
import pydicom.uid
import pydicom.valuerep

HERE = pathlib.Path(__file__).resolve().parent
PROTOCOLS = range(6)

# Classes of a package that no reader has.
lost = types.ModuleType("lost_package")
sys.modules["lost_package"] = lost


def lose(cls: type) -> type:
    cls.__module__ = "lost_package"
    setattr(lost, cls.__name__, cls)
    return cls


@lose
class Level(enum.IntEnum):
    LOW = 1
    HIGH = 7


@lose
class Shade(enum.Enum):
    DARK = "dark"


@lose
class Table(dict):
    pass


@lose
class Row(list):
    pass


@lose
class Pair(tuple):
    __slots__ = ()


@lose
class Name(str):
    pass


@lose
class Raw(bytes):
    pass


@lose
class Count(int):
    pass


@lose
class Ratio(float):
    pass


@lose
class Empty:
    pass


@lose
@dataclasses.dataclass
class Study:
    name: str
    slices: int


@lose
class Slotted:
    __slots__ = ("a",)


@lose
class Keyed:
    def __new__(cls, *, size: int) -> Keyed:
        return object.__new__(cls)

    def __getnewargs_ex__(self) -> tuple[tuple[()], dict[str, int]]:
        return (), {"size": 3}


@lose
class Outer:
    class Inner(int):
        pass

    Inner.__module__ = "lost_package"


Point = lose(collections.namedtuple("Point", "x y"))

# The reference's own containers, under the names that its files hold.
reference = types.ModuleType("mlarray.meta")
sys.modules["mlarray"] = types.ModuleType("mlarray")
sys.modules["mlarray.meta"] = reference


class _FrozenList(list):
    def __reduce__(self) -> Any:
        return _FrozenList, (list(self),)


class _FrozenDict(dict):
    def __reduce__(self) -> Any:
        return _FrozenDict, (dict(self),)


class AxisLabelEnum(str, enum.Enum):
    spatial_x = "spatial_x"


for _cls in (_FrozenList, _FrozenDict, AxisLabelEnum):
    _cls.__module__ = "mlarray.meta"
    setattr(reference, _cls.__name__, _cls)


class Exploit:
    """Runs a command wherever it is unpickled."""

    def __reduce__(self) -> Any:
        import os

        return os.system, ("touch mlarray-pickle-was-run",)


class Eval:
    def __reduce__(self) -> Any:
        return eval, ("open('mlarray-pickle-was-run', 'w')",)


def raw(data: bytes) -> dict[str, str]:
    return {"__bytes__": base64.b64encode(data).decode()}


def thing(name: str, *state: Any) -> dict[str, Any]:
    return {"__class__": name, "__state__": list(state)}


def attributed(cls: Any, value: Any, **attributes: Any) -> Any:
    made = cls(value)
    made.__dict__.update(attributes)
    return made


def slotted() -> Any:
    made = Slotted()
    made.a = 5
    return made


def shared() -> Any:
    inner = [1, {"k": "v"}]
    return {"a": inner, "b": inner, "c": (inner, inner)}


SAME = object()
DAY = datetime.date(2020, 2, 3)
MOMENT = datetime.datetime(2020, 2, 3, 4, 5, 6)

# name, object, what it becomes (SAME: itself), lowest protocol
CASES: list[tuple[str, Any, Any, int]] = [
    ("none", None, SAME, 0),
    ("bools", [True, False], SAME, 0),
    ("ints", [0, 1, -1, 255, 256, 65535, 65536, -129, 2**31 - 1, -(2**31), 2**31, 2**63 - 1,
              -(2**63)], SAME, 0),
    ("big_ints", [2**63, -(2**63) - 1, 2**64, 2**80, -(2**80), 10**100, -(10**1000), 2**2100],
     SAME, 0),
    ("floats", [0.0, -0.0, 1.0, 1.5, 1e-5, 1e16, 5e-324, 1.7976931348623157e308, math.nan,
                math.inf, -math.inf], SAME, 0),
    ("text", ["", "a", "é", "日本", "😀", "\0", "\n", "\\", "\\u0041", "\r", "x" * 300], SAME, 0),
    ("lone_surrogates", ["\ud800", "a\udfffb", "\ud83d\ude00"], SAME, 0),
    ("bytes", [b"", b"a\0\xff", b"y" * 300], [raw(b""), raw(b"a\0\xff"), raw(b"y" * 300)], 0),
    ("bytearray", [bytearray(b""), bytearray(b"a\xff")], [raw(b""), raw(b"a\xff")], 0),
    ("containers", [[], (), {}, [[]], ((),), [1, [2, (3, (4, 5), (6, 7, 8), (9, 10, 11, 12))]]],
     SAME, 0),
    ("long_list", [None] * 1010, SAME, 0),
    ("dict", {"b": 1, "a": {"c": [None]}}, SAME, 0),
    ("long_dict", dict.fromkeys(range(1010)), SAME, 0),
    ("int_keys", {10: "a", 2: "b"}, SAME, 0),
    ("odd_keys", {1: "a", None: "b", "c": 2, 1.5: "d", math.nan: "e"},
     {"1": "a", "null": "b", "c": 2, "1.5": "d", "NaN": "e"}, 0),
    ("tuple_keys", {(1, "x"): 1, b"k": 2}, {'[1,"x"]': 1, '{"__bytes__":"aw=="}': 2}, 0),
    ("sets", [{7}, frozenset([8]), set(), frozenset()], [[7], [8], [], []], 0),
    ("shared", shared(), SAME, 0),
    ("ordered_dict", collections.OrderedDict([("z", 1), ("a", 2)]), SAME, 0),
    ("empty_ordered_dict", collections.OrderedDict(), SAME, 0),
    ("defaultdict", collections.defaultdict(list, {"a": [1]}), SAME, 0),
    ("counter", collections.Counter("aab"), SAME, 0),
    ("deque", collections.deque([1, 2]), [1, 2], 0),
    ("dict_subclass", Table(a=1), SAME, 0),
    ("dict_subclass_with_attributes", attributed(Table, {"a": 1}, note="x"), {"a": 1}, 0),
    ("list_subclass", Row([1, 2]), SAME, 0),
    ("tuple_subclass", Pair((1, 2)), SAME, 0),
    ("named_tuple", Point(1, 2.5), [1, 2.5], 2),
    ("str_subclass", Name("n"), SAME, 0),
    ("str_subclass_with_attributes", attributed(Name, "n", note="x"), "n", 0),
    ("bytes_subclass", Raw(b"r"), raw(b"r"), 0),
    ("int_subclass", [Count(5), Count(2**70)], SAME, 0),
    ("float_subclass", Ratio(0.5), SAME, 0),
    ("nested_class", Outer.Inner(4), 4, 2),
    ("int_enum", {"level": Level.HIGH}, {"level": 7}, 0),
    ("blosc2_enums", [blosc2.Codec.ZSTD, blosc2.Filter.SHUFFLE, blosc2.SplitMode.ALWAYS_SPLIT],
     [5, 1, 1], 0),
    ("reference_frozen", [_FrozenList([1, 2]), _FrozenDict(codec=5), _FrozenDict(), _FrozenList()],
     [[1, 2], {"codec": 5}, {}, []], 0),
    ("reference_enum", AxisLabelEnum.spatial_x, "spatial_x", 0),
    ("numpy_scalars", [np.bool_(True), np.int8(-3), np.int16(-300), np.int32(7), np.int64(-(2**62)),
                       np.uint8(200), np.uint16(65000), np.uint32(2**32 - 1), np.uint64(2**64 - 1),
                       np.float16(1.5), np.float16(6e-8), np.float16(-np.inf), np.float32(0.1),
                       np.float64(2.5), np.float64("nan")],
     [True, -3, -300, 7, -(2**62), 200, 65000, 2**32 - 1, 2**64 - 1, 1.5, float(np.float16(6e-8)),
      -math.inf, float(np.float32(0.1)), 2.5, math.nan], 0),
    ("numpy_text", [np.str_("h\u00e9\U0001f600"), np.str_(""), np.bytes_(b"ab")],
     ["h\u00e9\U0001f600", "", raw(b"ab")], 0),
    ("numpy_big_endian", np.array([258], ">i4")[0].astype(">i4"), 258, 0),
    ("numpy_date", np.datetime64("2020-01-01"), None, 2),
    ("numpy_complex", np.complex64(1 + 2j), None, 2),
    ("numpy_dtype", [np.dtype("<i2"), np.dtype(">f8"), np.dtype("U3")],
     [thing("numpy.dtype", "<i2"), thing("numpy.dtype", ">f8"), thing("numpy.dtype", "<U3")], 0),
    ("numpy_array", np.arange(3.0), None, 2),
    ("pydicom", {"ds": pydicom.valuerep.DSfloat("1.5"), "is": pydicom.valuerep.IS("3"),
                 "dec": pydicom.valuerep.DSdecimal("2.25"), "uid": pydicom.uid.UID("1.2.840")},
     {"ds": 1.5, "is": 3, "dec": 2.25, "uid": "1.2.840"}, 0),
    ("pydicom_name", pydicom.valuerep.PersonName("A^B"), None, 2),
    ("datetime", DAY, thing("datetime.date", raw(DAY.__reduce__()[1][0])), 3),
    ("datetime_full", MOMENT, thing("datetime.datetime", raw(MOMENT.__reduce__()[1][0])), 3),
    ("timedelta", datetime.timedelta(1, 2, 3), thing("datetime.timedelta", 1, 2, 3), 0),
    ("decimal", decimal.Decimal("1.50"), thing("decimal.Decimal", "1.50"), 0),
    ("complex", 1 + 2j, thing("builtins.complex", 1.0, 2.0), 0),
    ("str_enum", Shade.DARK, thing("lost_package.Shade", "dark"), 0),
    ("dataclass", Study("CT", 3), thing("lost_package.Study", {"name": "CT", "slices": 3}), 0),
    ("plain_object", Empty(), thing("lost_package.Empty"), 0),
    ("slots", slotted(), thing("lost_package.Slotted", [None, {"a": 5}]), 2),
    ("new_with_keywords", Keyed(size=3), None, 4),
    ("class_itself", [Study, math.sqrt], [thing("lost_package.Study"), thing("math.sqrt")], 0),
    ("path", pathlib.PurePosixPath("a/b"), thing("pathlib.PurePosixPath", "a", "b"), 0),
    ("exploit", {"source": Exploit()},
     {"source": thing("posix.system", "touch mlarray-pickle-was-run")}, 0),
    ("exploit_eval", Eval(),
     thing("builtins.eval", "open('mlarray-pickle-was-run', 'w')"), 0),
]  # fmt: skip

# Cases whose state depends on versions of other packages: the class must be named, no more.
CLASS_ONLY = {
    "numpy_date": "numpy._core.multiarray.scalar",
    "numpy_complex": "numpy._core.multiarray.scalar",
    "numpy_array": None,
    "pydicom_name": "pydicom.valuerep.PersonName",
    "new_with_keywords": "lost_package.Keyed",
}

# What only other writers make, spelt as opcodes.
BY_HAND: list[tuple[str, bytes, Any]] = [
    ("python2_string", b"S'a\\x41\\n'\n.", "aA\n"),
    ("python2_bytes", b"U\x02\xff\x00.", raw(b"\xff\0")),
    ("python2_long_string", b"T\x02\x00\x00\x00hi.", "hi"),
    ("python2_unicode_class", b"c__builtin__\nunicode\n(Vx\ntR.", "x"),
    (
        "python2_ordered_dict",
        b"ccollections\nOrderedDict\n((lp0\n(lp1\nVa\naI1\naatR.",
        {"a": 1},
    ),
    ("instance", b"(I5\nilost_package\nLevel\n.", 5),
    ("instance_object", b"(clost_package\nLevel\nI5\no.", 5),
    ("old_long", b"L-12L\n.", -12),
    ("old_bool", b"I01\n.", True),
    ("pop_and_dup", b"(I1\nI2\n0I3\n2t.", [1, 3, 3]),
    ("pop_mark", b"I9\n(I1\nI2\n1.", 9),
    ("pop_of_a_mark", b"I9\n(0.", 9),
    ("duplicate_keys", b"}(Va\nI1\nVb\nI2\nVa\nI3\nu.", {"a": 3, "b": 2}),
    ("equal_number_keys", b"}(I1\nVx\nF1.0\nVy\nI01\nVz\nu.", {"1": "z"}),
    ("late_append", b"(]q\x00h\x00K\x01at.", [[1], [1]]),
    (
        "longdouble_is_kept",
        b"cnumpy._core.multiarray\nscalar\n(cnumpy\ndtype\n(Vf16\nI00\nI01\ntRC\x02abtR.",
        thing("numpy._core.multiarray.scalar", thing("numpy.dtype", "f16"), raw(b"ab")),
    ),
    ("functions_are_no_enums", b"cposix\n_exit\n(I1\ntR.", thing("posix._exit", 1)),
]


def canonical(value: Any) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"))


def write_pickles() -> None:
    lines = []
    for name, value, expected, lowest in CASES:
        for protocol in PROTOCOLS:
            if protocol < lowest:
                continue
            data = pickle.dumps(value, protocol)
            if name in CLASS_ONLY:
                wanted = f"class {CLASS_ONLY[name] or ''}".rstrip()
            else:
                wanted = canonical(value if expected is SAME else expected)
            lines.append(f"{name}\t{protocol}\t{data.hex()}\t{wanted}\n")
            if name.startswith("numpy_scalars") and protocol <= 2:
                # NumPy 1 has the same function under another name.
                old = data.replace(b"numpy._core", b"numpy.core")
                lines.append(f"{name}_numpy1\t{protocol}\t{old.hex()}\t{wanted}\n")
    for name, data, expected in BY_HAND:
        lines.append(f"{name}\t-\t{data.hex()}\t{canonical(expected)}\n")
    (HERE / "pickles.tsv").write_text("".join(lines), encoding="ascii")


def encode(value: Any) -> bytes:
    """The bytes that encode_pickle promises, written independently of it."""
    if value is None:
        return b"N"
    if value is True or value is False:
        return b"\x88" if value else b"\x89"
    if isinstance(value, int):
        if 0 <= value < 256:
            return b"K" + struct.pack("<B", value)
        if 0 <= value < 65536:
            return b"M" + struct.pack("<H", value)
        if -(2**31) <= value < 2**31:
            return b"J" + struct.pack("<i", value)
        data = pickle.encode_long(value)
        if len(data) < 256:
            return b"\x8a" + struct.pack("<B", len(data)) + data
        return b"\x8b" + struct.pack("<I", len(data)) + data
    if isinstance(value, float):
        return b"G" + struct.pack(">d", value)
    if isinstance(value, (str, bytes)):
        data = value.encode("utf-8", "surrogatepass") if isinstance(value, str) else value
        small, large = (b"\x8c", b"X") if isinstance(value, str) else (b"C", b"B")
        if len(data) < 256:
            return small + struct.pack("<B", len(data)) + data
        return large + struct.pack("<I", len(data)) + data
    if isinstance(value, list):
        items = b"".join(map(encode, value))
        return b"](" + items + b"e" if value else b"]"
    if isinstance(value, tuple):
        items = b"".join(map(encode, value))
        if len(value) <= 3:
            return items + (b")", b"\x85", b"\x86", b"\x87")[len(value)]
        return b"(" + items + b"t"
    assert isinstance(value, dict)
    items = b"".join(encode(k) + encode(v) for k, v in value.items())
    return b"}(" + items + b"u" if value else b"}"


def write_encoded() -> None:
    values: list[tuple[str, Any]] = [
        ("scalars", [None, True, False, 0, 255, 256, 65535, 65536, -1, 2**31 - 1, -(2**31)]),
        ("long_ints", [2**31, -(2**31) - 1, 2**39 - 1, 2**39, -(2**39), -(2**39) - 1, 2**47,
                       -(2**55), 2**63 - 1, -(2**63), 2**63, -(2**63) - 1, 2**64 - 1, 2**80,
                       -(2**80), 255**40, -(256**40), 2**2039 - 1, 2**2039, -(2**2100)]),
        ("floats", [0.0, -0.0, 1.5, math.inf, -math.inf, 5e-324]),
        ("text", ["", "é", "\ud800", "x" * 255, "x" * 256]),
        ("bytes", [b"", b"\0\xff", b"x" * 256]),
        ("lists", [[], [1], [[2]]]),
        ("tuples", ((), (1,), (1, 2), (1, 2, 3), (1, 2, 3, 4))),
        ("dicts", {"a": {}, 1: "int", None: "none", 2.5: "float", (1, "t"): "tuple", b"k": 1}),
        ("metadata", {"source": {"data": {"id": "1", "spacing": [1.0, 1.5]}}, "is_seg": None}),
    ]  # fmt: skip
    lines = []
    for name, value in values:
        data = b"\x80\x04" + encode(value) + b"."
        again = pickle.loads(data)
        assert again == value, name
        assert repr(again) == repr(value), name
        lines.append(f"{name}\t{pickle.dumps(value, 4).hex()}\t{data.hex()}\n")
    (HERE / "encoded.tsv").write_text("".join(lines), encoding="ascii")


def write_dtypes() -> None:
    stored = [
        "?", "i1", "u1", "<i2", ">i2", "<u4", "<i8", "<f2", "<f4", ">f8", "<c8", ">c16", "U3", ">U3",
        "S5", "V7", "M8[ns]", ">M8[D]", "M8[25s]", "m8", "m8[us]",
        [("a", "<i4"), ("b", "<f8", (3,))],
        [("n", [("x", "u1"), ("y", ">i2")]), ("z", "U2")],
        [("n", [("x", "u1"), ("y", "<i4", (2, 2))], (3,)), ("t", "M8[us]"), ("s", "S3"), ("v", "V4")],
        [(("title", "a"), "<i4")],
        [("é'\"\\", "<i4"), ("q", "?")],
        {"names": ["a", "b"], "formats": ["i2", "f4"], "offsets": [4, 0], "itemsize": 16},
        np.dtype([("a", "u1"), ("b", "<f8")], align=True),
    ]  # fmt: skip
    texts: list[str] = []
    for spelling in stored:
        array = blosc2.asarray(np.zeros((2,), np.dtype(spelling)))
        texts.append(array.schunk.meta["b2nd"][-1])  # as python-blosc2 stores it
    texts += [np.dtype(s).str for s in ("longdouble", "clongdouble", "<M8", "=i4")]
    texts += [
        "bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "float16",
        "float32", "float64", "complex64", "complex128", "longdouble", "datetime64[ms]",
        "timedelta64", "int", "float", "half", "double", "=i4", "|i2", "<b1", "h", "d", "B", "?",
        ">i1", ">S3", "S1", "M8[generic]",
        "{'names': ['a', 'b'], 'formats': ['u1', '<i4']}",
        "{'names': ['a', 'b'], 'formats': ['u1', '<i4'], 'aligned': True}",
        "{'names': ['a', 'b'], 'formats': ['<i4', 'u1'], 'aligned': True}",
        "{'names': ['a', 'b'], 'formats': ['<c16', ('<i2', (3,))], 'offsets': [0, 16], "
        "'itemsize': 32, 'aligned': True}",
        "{'names': ['a', 'b'], 'formats': ['<U2', '<M8[ns]'], 'titles': ['x', None]}",
        "[('a', 'S0'), ('b', '<i2', ()), ('c', '<i2', 2), ('', 'u1')]",
        "[('x', {'names': ['a'], 'formats': ['<i4'], 'offsets': [4], 'itemsize': 12})]",
    ]  # fmt: skip
    lines = []
    for text in texts:
        is_literal = text.startswith(("[", "{"))
        dtype = np.dtype(ast.literal_eval(text) if is_literal else text)
        big = dtype.byteorder == ">"
        fields = (dtype.kind, dtype.itemsize, int(big), int(dtype.names is not None))
        lines.append("\t".join([text.encode("utf-8").hex(), *map(str, fields)]) + "\n")
    (HERE / "dtypes.tsv").write_text("".join(lines), encoding="ascii")


if __name__ == "__main__":
    write_pickles()
    write_encoded()
    write_dtypes()
