"""mlarray.training.augment on NumPy arrays: shapes, types, JSON, errors."""

from __future__ import annotations

import json
import pickle
import threading
from collections.abc import Callable

import numpy as np
import pytest

from mlarray.errors import InvalidTypeError, InvalidValueError
from mlarray.training import augment

SHAPE = (12, 14, 20)


def sample(shape: tuple[int, ...], channels: int = 1) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    image = rng.normal(size=(channels, *shape)).astype(np.float32)
    return image, rng.integers(0, 4, size=(1, *shape)).astype(np.int16)


def test_preset() -> None:
    pipeline = augment.nnunet(SHAPE, scales=[[1, 1, 1], [0.5, 0.5, 0.5]])
    image, label = sample(pipeline.initial, 2)
    for seed in range(20):
        made, labels = pipeline.apply(image, label, seed=seed)
        assert made.shape == (2, *SHAPE)
        assert made.dtype == np.float32
        assert [one.shape for one in labels] == [(1, *SHAPE), (1, 6, 7, 10)]
        assert all(one.dtype == np.int16 for one in labels)
        again, _ = pipeline.apply(image, label, drawn=pipeline.draw(seed, 2))
        np.testing.assert_array_equal(made, again)
        assert pipeline.apply(image, seed=seed)[1] is None


def test_identity() -> None:
    pipeline = augment.nnunet(SHAPE, validation=True)
    image, label = sample(SHAPE)
    made, labels = pipeline.apply(image, label, seed=0)
    np.testing.assert_array_equal(made, image)
    np.testing.assert_array_equal(labels, label)


def test_what_is_outside_the_support_is_not_used() -> None:
    pipeline = augment.nnunet(SHAPE)
    image, _ = sample(pipeline.initial)
    for seed in range(10):
        drawn = pipeline.draw(seed)
        start, stop = pipeline.support(drawn)
        box = (slice(None), *map(slice, start, stop))
        poisoned = np.full_like(image, np.nan)
        poisoned[box] = image[box]
        made, _ = pipeline.apply(poisoned, drawn=drawn)
        np.testing.assert_array_equal(made, pipeline.apply(image, drawn=drawn)[0])


def test_views_and_other_types() -> None:
    pipeline = augment.nnunet(SHAPE)
    image, label = sample(pipeline.initial)
    wanted, labels = pipeline.apply(image, label, seed=1)
    for view in (image[:, ::-1].copy()[:, ::-1], np.asfortranarray(image), image.astype("f8")):
        np.testing.assert_array_equal(pipeline.apply(view, seed=1)[0], wanted)
    for dtype in ("u1", "i8", ">i2"):
        made = pipeline.apply(image, label.astype(dtype), seed=1)[1]
        np.testing.assert_array_equal(made, labels)


def test_plain_data() -> None:
    pipeline = augment.nnunet((20, 80, 80), regions=[1, (1, 2)], ignore_label=3)
    assert augment.Pipeline.from_json(pipeline.to_json()) == pipeline
    assert pickle.loads(pickle.dumps(pipeline)) == pipeline
    assert pipeline.value["labels"]["regions"] == [[1], [1, 2], [3]]
    value = pipeline.value
    value["intensity"][0]["p"] = 0.9
    other = augment.Pipeline(value)
    assert other != pipeline
    assert hash(other) != hash(pipeline)
    assert pipeline.value["intensity"][0]["p"] == 0.1
    assert "gaussian_noise" in repr(pipeline)
    drawn = json.loads(json.dumps(pipeline.draw(3)))
    assert drawn == pipeline.draw(3)
    assert pipeline.draw(2**63 + 5) == pipeline.draw(2**63 + 5 - 2**64)


def test_cascade_and_regions() -> None:
    pipeline = augment.nnunet(SHAPE, previous=[1, 2], regions=[(1, 2, 3), 2])
    image, label = sample(pipeline.initial)
    made, labels = pipeline.apply(image, np.concatenate([label, label]), seed=4)
    assert made.shape == (3, *SHAPE)
    assert labels.shape == (2, *SHAPE)
    np.testing.assert_array_equal(made[2], labels[1])
    assert set(np.unique(made[1:])) == {0, 1}


def test_many_threads_make_the_same() -> None:
    pipeline = augment.nnunet(SHAPE)
    image, _ = sample(pipeline.initial)
    wanted = [pipeline.apply(image, seed=seed)[0] for seed in range(8)]
    found: dict[int, np.ndarray] = {}

    def make(seed: int) -> None:
        found[seed] = pipeline.apply(image, seed=seed)[0]

    threads = [threading.Thread(target=make, args=(seed,)) for seed in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for seed in range(8):
        np.testing.assert_array_equal(found[seed], wanted[seed])


def test_elements_that_lie_askew() -> None:
    pipeline = augment.nnunet(SHAPE)
    image, label = sample(pipeline.initial)
    wanted, labels = pipeline.apply(image, label, seed=3)
    fields = np.zeros(image.shape, [("a", "u1"), ("image", "f4"), ("label", "i2")])
    fields["image"], fields["label"] = image, label
    made, others = pipeline.apply(fields["image"], fields["label"], seed=3)
    np.testing.assert_array_equal(made, wanted)
    np.testing.assert_array_equal(others, labels)


def test_what_was_drawn_by_another_pipeline() -> None:
    """It would read voxels beyond the patch."""
    flat = augment.nnunet((8, 32, 32))
    other = augment.nnunet((8, 32, 32), planar=False, initial=flat.initial)
    drawn = next(one for one in map(other.draw, range(99)) if one["matrix"])
    image, _ = sample(flat.initial)
    with pytest.raises(InvalidValueError, match="another pipeline"):
        flat.apply(image, drawn={**drawn, "steps": []})
    with pytest.raises(InvalidValueError, match="another pipeline"):
        flat.support(drawn)
    with pytest.raises(InvalidValueError, match="4 numbers; 9 are needed"):
        other.apply(image, drawn={**drawn, "matrix": [1, 0, 0, 1]})


def test_noise_as_large_as_images_are() -> None:
    value = augment.nnunet(SHAPE).value
    value["intensity"][0]["sigma"] = [0, 3000]
    assert augment.Pipeline(value).value["intensity"][0]["sigma"] == [0, 3000]
    value["intensity"][1]["sigma"] = [0, 101]
    with pytest.raises(InvalidValueError, match=r"up to 100\.0, are needed"):
        augment.Pipeline(value)
    noisy = augment.Pipeline.of(SHAPE, intensity=[augment.RicianNoise(sigma=(0.0, 3000.0))])
    assert noisy.value["intensity"][0]["sigma"] == [0, 3000]


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda: augment.nnunet(128), "patch_size=128"),  # type: ignore[arg-type]
        (lambda: augment.nnunet((2.5, 8)), "patch_size="),  # type: ignore[arg-type]
        (lambda: augment.nnunet(SHAPE, initial=5), "initial=5"),  # type: ignore[arg-type]
        (lambda: augment.nnunet(SHAPE, max_angle="a"), "max_angle='a'"),  # type: ignore[arg-type]
        (lambda: augment.nnunet(SHAPE, mirror_axes=1), "mirror_axes=1"),  # type: ignore[arg-type]
        (lambda: augment.nnunet(SHAPE, regions=5), "regions=5"),  # type: ignore[arg-type]
        (lambda: augment.nnunet(SHAPE, scales=[1]), "scales="),  # type: ignore[list-item]
        (lambda: augment.nnunet(SHAPE, planar="x"), "planar='x'"),  # type: ignore[arg-type]
        (lambda: augment.nnunet(SHAPE, ignore_label=2.5), "ignore_label=2.5"),  # type: ignore[arg-type]
        (lambda: augment.Pipeline(5), "pipeline is a int"),  # type: ignore[arg-type]
        (lambda: augment.Pipeline.from_json("{"), "no JSON"),
        (lambda: augment.nnunet(SHAPE).draw("a"), "seed='a'"),  # type: ignore[arg-type]
        (lambda: augment.nnunet(SHAPE).draw(0, -1), "channels is -1"),
        (lambda: augment.nnunet(SHAPE).support(5), "drawn is a int"),  # type: ignore[arg-type]
        (lambda: augment.nnunet(SHAPE).placement(5), "drawn is a int"),  # type: ignore[arg-type]
        (lambda: augment.Pipeline.of(8), "patch_size=8"),  # type: ignore[arg-type]
        (lambda: augment.Pipeline.of(SHAPE, initial=9), "initial=9"),  # type: ignore[arg-type]
        (lambda: augment.Pipeline.of(SHAPE, mirror_axes=1), "mirror_axes=1"),  # type: ignore[arg-type]
        (lambda: augment.Pipeline.of(SHAPE, p_mirror="a"), "p_mirror='a'"),  # type: ignore[arg-type]
        (lambda: augment.monai_basic(8), "patch_size=8"),  # type: ignore[arg-type]
        (lambda: augment.monai_basic(SHAPE, p_flip="a"), "p_flip='a'"),  # type: ignore[arg-type]
        (lambda: augment.monai_basic(SHAPE, rot90_axes=1), "rot90_axes=1"),  # type: ignore[arg-type]
        (lambda: augment.nnunet(SHAPE).apply("abc", seed=0), "image has dtype"),
        (lambda: augment.nnunet(SHAPE).apply(np.ones(SHAPE, complex), seed=0), "complex128"),
    ],
)
def test_errors_name_the_argument(call: Callable[[], object], text: str) -> None:
    with pytest.raises((InvalidTypeError, InvalidValueError), match=text):
        call()


def test_regions_of_numpys_ints() -> None:
    pipeline = augment.nnunet(SHAPE, regions=list(np.array([1, 2])))
    assert pipeline == augment.nnunet(SHAPE, regions=[1, 2])


def test_errors() -> None:
    pipeline = augment.nnunet(SHAPE)
    image, label = sample(pipeline.initial)
    with pytest.raises(InvalidValueError, match="either a seed"):
        pipeline.apply(image)
    with pytest.raises(InvalidValueError, match="initial patch"):
        pipeline.apply(image[:, 1:], seed=0)
    with pytest.raises(InvalidValueError, match="3 axes"):
        pipeline.apply(image[0], seed=0)
    with pytest.raises(InvalidValueError, match="initial patch"):
        pipeline.apply(image, label[:, 1:], seed=0)
    with pytest.raises(InvalidTypeError, match="float32"):
        pipeline.apply(image, label.astype(np.float32), seed=0)
    with pytest.raises(InvalidValueError, match="40000"):
        pipeline.apply(image, label.astype(np.int64) + 40000, seed=0)
    with pytest.raises(InvalidValueError, match="patsch"):
        augment.Pipeline({"patsch": [1, 2]})
    with pytest.raises(InvalidTypeError, match="patch is a str"):
        augment.Pipeline({"patch": "big"})
    with pytest.raises(InvalidValueError, match="flips"):
        pipeline.apply(image, drawn={**pipeline.draw(0), "flips": [7]})
    with pytest.raises(InvalidValueError, match="instruction set"):
        augment.use_instruction_set("mmx")
    assert augment.instruction_sets()
