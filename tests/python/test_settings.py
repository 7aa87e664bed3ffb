"""What holds for the whole process."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

import mlarray
from mlarray.errors import InvalidTypeError, InvalidValueError


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    threads, verified = mlarray.num_threads(), mlarray.verification()
    yield
    mlarray.set_num_threads(threads)
    mlarray.set_verification(verified)


def test_values_are_taken() -> None:
    mlarray.set_num_threads(np.int8(3))  # type: ignore[arg-type]
    assert mlarray.num_threads() == 3
    mlarray.set_num_threads(10**30)
    assert mlarray.num_threads() == 2**31 - 1
    mlarray.set_verification(np.bool_(False))  # type: ignore[arg-type]
    assert mlarray.verification() is False


@pytest.mark.parametrize("value", ["a", 2.0, None, [1]])
def test_other_types_have_a_text_of_ours(value: object) -> None:
    with pytest.raises(InvalidTypeError, match=r"^n=.* give the number of threads, an int"):
        mlarray.set_num_threads(value)  # type: ignore[arg-type]
    with pytest.raises(InvalidTypeError, match=r"^on=.* give True or False"):
        mlarray.set_verification(value)  # type: ignore[arg-type]


def test_no_thread_is_too_few() -> None:
    for count in (0, -5, -(10**30)):
        with pytest.raises(InvalidValueError, match="must be 1 or more"):
            mlarray.set_num_threads(count)
