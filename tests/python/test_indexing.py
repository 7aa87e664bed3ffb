"""Every NumPy key reads and assigns as NumPy does, wherever the voxels are."""

from __future__ import annotations

import array
import collections
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from mlarray import MLArray, _core
from mlarray._index.keys import select

if TYPE_CHECKING:
    from collections.abc import Iterator

FOLDER = tempfile.TemporaryDirectory()


@st.composite
def layouts(draw: st.DrawFn, shape: tuple[int, ...]) -> dict[str, Any]:
    blocks = [draw(st.integers(1, max(1, length))) for length in shape]
    chunks = [
        draw(st.integers(block, max(block, length)))
        for block, length in zip(blocks, shape, strict=True)
    ]
    return {"chunk_size": chunks, "block_size": blocks}


@st.composite
def mixed_keys(draw: st.DrawFn, shape: tuple[int, ...]) -> Any:
    """Ints, slices, lists, masks, newaxis and ellipsis in one key."""
    items: list[Any] = []
    axis = 0
    length_of_lists = draw(st.integers(1, 3))
    while axis < len(shape):
        length = shape[axis]
        kind = draw(
            st.sampled_from(
                [
                    "slice",
                    "int",
                    "list",
                    "array",
                    "zero",
                    "mask",
                    "masks",
                    "new",
                    "dots",
                    "stop",
                ]
            )
        )
        inside = st.integers(-length, length - 1) if length else st.nothing()
        if kind == "new":
            items.append(None)
            continue
        if kind == "stop" or (length == 0 and kind != "slice"):
            break
        if kind == "dots":
            items.append(Ellipsis)
            break
        if kind == "slice":
            items.append(draw(st.slices(length)))
        elif kind == "int":
            items.append(draw(inside.flatmap(lambda i: st.sampled_from([i, np.int32(i)]))))
        elif kind == "list":
            items.append(
                draw(st.lists(inside, min_size=length_of_lists, max_size=length_of_lists))
            )
        elif kind == "array":
            items.append(draw(hnp.arrays(np.int16, (2, 1), elements=inside)))
        elif kind == "zero":
            items.append(np.array(draw(inside)))
        else:
            count = 1 if kind == "mask" else draw(st.integers(1, len(shape) - axis))
            mask = np.zeros(shape[axis : axis + count], bool)
            if mask.size:
                mask.flat[draw(st.integers(0, mask.size - 1))] = True
            items.append(mask)
            axis += count - 1
        axis += 1
    if draw(st.integers(0, 9)) == 0:
        items.append(draw(st.booleans()))
    return tuple(items)


@st.composite
def keys(draw: st.DrawFn, shape: tuple[int, ...]) -> Any:
    if draw(st.booleans()):
        return draw(mixed_keys(shape))
    return draw(hnp.basic_indices(shape, allow_newaxis=True, max_dims=6))


shapes = hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=9)


@st.composite
def cases(draw: st.DrawFn) -> tuple[np.ndarray[Any, Any], dict[str, Any], list[Any]]:
    shape = draw(shapes)
    array = np.arange(1, int(np.prod(shape)) + 1, dtype=np.int32).reshape(shape)
    return array, draw(layouts(shape)), draw(st.lists(keys(shape), min_size=1, max_size=6))


def images(array: np.ndarray[Any, Any], layout: dict[str, Any]) -> Iterator[MLArray]:
    """The same voxels from every kind of source."""
    path = Path(FOLDER.name) / "case.mla"
    MLArray(array).save(path, **layout)
    yield MLArray(array.copy())
    yield MLArray(path)
    for mode in ("r", "c", "r+"):
        yield MLArray.open(path, mmap=mode)
    yield MLArray.open(path, mmap_mode=None)
    created = MLArray.open(
        Path(FOLDER.name) / "created.mla",
        shape=array.shape,
        dtype=array.dtype,
        mmap="w+",
        **layout,
    )
    created[...] = array
    yield created


def outcome(action: Any) -> Any:
    """The result, or the error's kind."""
    try:
        return action()
    except (IndexError, ValueError, TypeError) as error:
        return error


def assert_same(found: Any, expected: Any) -> None:
    if isinstance(expected, Exception):
        kind = IndexError if isinstance(expected, IndexError) else (ValueError, TypeError)
        assert isinstance(found, kind), (found, expected)
        return
    assert type(found) is type(expected)
    assert found.dtype == expected.dtype
    np.testing.assert_array_equal(found, expected, strict=True)


ENDS = st.none() | st.integers(-7, 7) | st.sampled_from([2**63, -(2**63) - 1, 2**200])


@settings(deadline=None)
@given(st.data())
def test_plain_boxes_are_those_of_slices(data: st.DataObject) -> None:
    shape = tuple(data.draw(st.lists(st.integers(0, 5), max_size=3)))
    steps = st.sampled_from([None, None, None, 1, 2, -1])
    key = tuple(data.draw(st.builds(slice, ENDS, ENDS, steps)) for _ in shape)
    ranges = [range(length)[one] for one, length in zip(key, shape)]
    if not shape or any(len(one) == 0 or one.step != 1 for one in ranges):
        assert _core.plain_box(key, shape) is None
        return
    starts, stops, lengths = _core.plain_box(key, shape) or ([], [], [])
    assert starts == [one.start for one in ranges]
    assert stops == [one.stop for one in ranges]
    assert lengths == [len(one) for one in ranges]


@pytest.mark.parametrize(
    "key",
    [
        None,
        ...,
        slice(1, 2),
        [slice(1, 2), slice(1, 2)],
        (slice(1, 2),),
        (slice(1, 2), slice(1, 2), slice(1, 2)),
        (slice(1, 2), 1),
        (slice(1, 2), ...),
        (slice(1, 2), None),
        (slice(1, 2), np.array([1])),
        np.ones((4, 4), np.bool_),
    ],
)
def test_other_keys_are_no_plain_box(key: Any) -> None:
    assert _core.plain_box(key, (4, 4)) is None


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(cases())
def test_reads_as_numpy_does(case: Any) -> None:
    array, layout, asked = case
    for image in images(array, layout):
        with image:
            for key in asked:
                assert_same(
                    outcome(lambda k=key, i=image: i[k]), outcome(lambda k=key: array[k])
                )


@st.composite
def assignments(draw: st.DrawFn) -> Any:
    array, layout, asked = draw(cases())
    edits = []
    for key in asked:
        try:
            shape = np.shape(array[key])
        except (IndexError, ValueError):
            continue
        kind = draw(
            st.sampled_from(
                ["int", "float", "full", "broadcast", "fortran", "list", "steps", "wide"]
            )
        )
        size = int(np.prod(shape))
        full = np.arange(size).reshape(shape) * 3 - 7
        value: Any = {
            "int": 5,
            "float": 2.75,
            "full": full.astype(np.int32),
            "broadcast": full.astype(np.int32)[..., :1] if shape else full,
            "fortran": np.asfortranarray(full.astype(np.int32)),
            "list": full.tolist(),
            "steps": np.repeat(full.astype(np.int32)[..., None], 2, axis=-1)[..., 0],
            "wide": full.astype(np.float64)[None],
        }[kind]
        edits.append((key, value))
    return array, layout, edits


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(assignments())
def test_assigns_as_numpy_does(case: Any) -> None:
    array, layout, edits = case
    for image in images(array, layout):
        with image:
            if image.mode == "r" and image.mmap_mode != "c":
                continue
            twin = array.copy()
            for key, value in edits:

                def assign(target: Any, key: Any = key, value: Any = value) -> None:
                    target[key] = value

                expected = outcome(lambda t=twin: assign(t))
                found = outcome(lambda i=image: assign(i))
                if isinstance(expected, Exception):
                    # Where nothing is selected, NumPy refuses values that would broadcast.
                    assert isinstance(found, type(expected)) or np.size(array[key]) == 0
                else:
                    assert found is None
            np.testing.assert_array_equal(image[...], twin, strict=True)
            path = image.filepath
            writes = image.mode in ("a", "w")
        if writes:
            with MLArray.open(path) as again:
                np.testing.assert_array_equal(again[...], twin, strict=True)


@pytest.mark.parametrize(
    "key",
    [
        5,
        -6,
        (0, 9),
        (slice(None), -10),
        (0, 0, 0),
        (..., ...),
        1.5,
        "a",
        ([0, 9],),
        (np.array([True] * 4),),
        ([0, 1], [0, 1, 2]),
        (slice(1.5),),
        (None, 0, 1, 2),
    ],
)
def test_wrong_keys_fail_as_in_numpy(tmp_path: Path, key: Any) -> None:
    array = np.arange(45).reshape(5, 9)
    path = tmp_path / "a.mla"
    MLArray(array).save(path)
    with pytest.raises((IndexError, TypeError, ValueError)) as expected:
        array[key]
    with MLArray.open(path) as image, pytest.raises(expected.type) as found:
        image[key]
    assert str(found.value) == str(expected.value)


def test_a_full_index_is_a_scalar(saved: Path, volume: np.ndarray[Any, Any]) -> None:
    with MLArray.open(saved) as image:
        assert isinstance(image[3, 4, 5], np.int16)
        assert image[3, 4, 5] == volume[3, 4, 5]
        assert isinstance(image[3, 4, 5, ...], np.ndarray)


def test_answers_are_writable_and_own(saved: Path, volume: np.ndarray[Any, Any]) -> None:
    with MLArray.open(saved) as image:
        for key in (..., slice(3, 9), (0, slice(None, None, 5)), ([1, 4],), (2, 3)):
            answer = image[key]
            answer[...] = 0
            np.testing.assert_array_equal(image[key], volume[key])
    in_memory = MLArray(volume.copy())
    in_memory[2:4][...] = 0
    np.testing.assert_array_equal(in_memory[2:4], volume[2:4])


def test_steps_do_not_keep_what_they_skip(saved: Path) -> None:
    with MLArray.open(saved) as image:
        answer = image[::4, ::4]
        assert answer.base is None or answer.base.nbytes <= 2 * answer.nbytes


def test_distant_indices_do_not_read_between() -> None:
    assert select(([0, 999_999, 1],), (1_000_000, 8), (10, 8)).shape == (3, 8)
    assert select((slice(None, None, 1000),), (1_000_000,), (10,)).shape == (1000,)
    assert select(([0, 5],), (1_000_000,), (10,)).shape == (6,)


class OldSequence:
    """A sequence by `__getitem__` alone."""

    def __len__(self) -> int:
        return 2

    def __getitem__(self, index: int) -> int:
        return [1, 3][index]


@pytest.mark.parametrize(
    "key",
    [
        [[]],
        [[], []],
        ([[]], 0),
        ([[]], [[]]),
        [[[]]],
        [np.zeros(0)],
        (slice(None), [[]]),
        range(3),
        (range(3), range(2, 5)),
        array.array("i", [1, 2]),
        collections.deque([1, 2]),
        memoryview(bytes([1, 2])),
        OldSequence(),
        (OldSequence(), 1),
        ((1, 2), (3, 4)),
        MLArray(np.array([1, 2])),
    ],
    ids=lambda key: type(key).__name__,
)
def test_sequences_of_any_kind(key: Any) -> None:
    voxels = np.arange(6 * 7 * 3).reshape(6, 7, 3)
    image = MLArray(voxels, compressed=True, chunk_size=(3, 4, 3), block_size=(2, 2, 2))
    np.testing.assert_array_equal(image[key], voxels[key])
    assert image[key].shape == voxels[key].shape
    twin = voxels.copy()
    twin[key] = -1
    image[key] = -1
    np.testing.assert_array_equal(image, twin)


@pytest.mark.parametrize(
    "key", ["a", [""], 1.0, [1.0], {}, {1: 2}, np.zeros(0), iter([1]), [1, None], [2**70], 1j]
)
def test_what_is_no_key(key: Any) -> None:
    image = MLArray(np.zeros((6, 7)), compressed=True)
    with pytest.raises(IndexError):
        image[key]
    with pytest.raises(IndexError):
        image[key, 0]


@pytest.mark.parametrize("mode", ["r+", "c"])
def test_edit_in_place(saved: Path, volume: np.ndarray[Any, Any], mode: Any) -> None:
    twin = volume.copy()
    twin[10:20, 20:30] *= 5
    twin[::3, 1, [0, 5, 9]] += 1
    with MLArray.open(saved, mmap=mode) as image:
        image[10:20, 20:30] *= 5
        image[::3, 1, [0, 5, 9]] += 1
        np.testing.assert_array_equal(image[...], twin)
    expected = twin if mode == "r+" else volume
    np.testing.assert_array_equal(MLArray(saved).to_numpy(), expected)


def test_assigning_in_mode_r_is_refused(saved: Path, volume: np.ndarray[Any, Any]) -> None:
    with MLArray.open(saved) as image:
        with pytest.raises(ValueError, match=r"open it with 'r\+'"):
            image[0] = 1
        np.testing.assert_array_equal(image[...], volume)


def test_values_that_do_not_fit(saved: Path) -> None:
    with MLArray.open(saved, mmap="c") as image:
        with pytest.raises(ValueError, match="could not broadcast"):
            image[0:2, 0:3] = np.zeros((5, 5))
        with pytest.raises((OverflowError, DeprecationWarning)):  # NumPy 2, NumPy 1
            image[0] = 40_000
        with pytest.raises(ValueError, match="invalid literal"):
            image[0, 0, 0] = "seven"


def test_assigning_an_image_or_anything_like_an_array(saved: Path) -> None:
    class Like:
        def __array__(self, dtype: Any = None, copy: Any = None) -> np.ndarray[Any, Any]:
            return np.full((2, 2), 4.6)

    with MLArray.open(saved) as source, MLArray.open(saved, mmap="c") as image:
        image[::-1] = source
        np.testing.assert_array_equal(image[0], source[-1])
        image[0, :2, :2] = Like()
        np.testing.assert_array_equal(image[0, :2, :2], 4)


def test_iteration_and_length(saved: Path, volume: np.ndarray[Any, Any]) -> None:
    with MLArray.open(saved) as image:
        assert len(image) == len(volume)
        np.testing.assert_array_equal(np.stack(list(image)), volume)
    for scalar in (MLArray(np.array(3)), np.array(3)):
        with pytest.raises(TypeError, match="unsized"):
            len(scalar)
        with pytest.raises(TypeError, match="0-d"):
            iter(scalar)


@pytest.mark.parametrize("holds", [False, True])
@pytest.mark.parametrize("given", [False, True])
def test_an_image_of_one_voxel_is_a_value(holds: bool, given: bool) -> None:
    image = MLArray(np.zeros((2, 3), ">i2"), compressed=holds)
    image[1, 2] = MLArray(np.array(7.0), compressed=given)
    image.oindex[0, 1] = MLArray(np.array(8), compressed=given)
    image[0, :1] = MLArray(np.array([[9]]), compressed=given)
    assert image[...].tolist() == [[9, 8, 0], [0, 0, 7]]
    flag = MLArray(np.array(True), compressed=holds)
    with pytest.raises(ValueError, match="sequence"):
        flag[()] = MLArray(np.arange(7), compressed=given)  # it is true, but no bool
    assert flag[()]
