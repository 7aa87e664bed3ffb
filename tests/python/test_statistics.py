"""compute_statistics against NumPy in float64: docs/statistics.md, line by line."""

from __future__ import annotations

import decimal
import subprocess
import sys
import warnings
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mlarray import MLArray

DTYPES = ["?", "u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8", "f2", "f4", "f8"]
NARROW = {"chunk_size": (8, 16, 20), "block_size": (4, 8, 12)}


def expected(voxels: np.ndarray[Any, Any], pair: tuple[float, float]) -> dict[str, float]:
    """What NumPy says, in float64."""
    reals = voxels.astype(np.float64).ravel()
    low, high = np.quantile(reals, pair)
    inside = reals[(low <= reals) & (reals <= high)]
    if inside.size == 0:
        inside = np.array([np.nan])  # of nothing there is nothing to say
    return {
        "min": voxels.min().item(),
        "max": voxels.max().item(),
        "mean": reals.mean(),
        "median": np.median(reals),
        "std": reals.std(),
        "percentile_min": low,
        "percentile_max": high,
        "percentile_mean": inside.mean(),
        "percentile_median": np.median(inside),
        "percentile_std": inside.std(),
        "percentile_min_key": pair[0],
        "percentile_max_key": pair[1],
    }


def check(stats: Any, voxels: np.ndarray[Any, Any], pair: tuple[float, float]) -> None:
    """Sums to the last digits, and everything else to the bit."""
    found = stats.to_mapping()
    for name, value in expected(voxels, pair).items():
        if name.endswith(("mean", "std")):
            size = np.abs(voxels.astype(np.float64)).max()
            close = pytest.approx(value, rel=1e-12, abs=1e-13 * size, nan_ok=True)
            assert found[name] == close, name
        else:
            assert found[name] == value or np.isnan(value), name


def sample(dtype: str, seed: int = 0) -> np.ndarray[Any, Any]:
    """Values over all of the type's range, with ties, of a shape that no block divides."""
    random = np.random.default_rng(seed)
    shape = (19, 29, 33)
    kind = np.dtype(dtype)
    if kind.kind == "b":
        return random.random(shape) < 0.3
    if kind.kind in "iu":
        info = np.iinfo(kind)
        wide = random.integers(info.min, info.max, shape, kind.newbyteorder("="), endpoint=True)
        few = random.integers(3, 40, shape).astype(kind)
        return np.where(random.random(shape) < 0.5, wide, few).astype(kind)
    reals = random.normal(0, 3, shape) * 10.0 ** random.integers(-3, 3, shape)
    reals[random.random(shape) < 0.3] = 0
    reals[random.random(shape) < 0.2] = -0.5
    return reals.astype(kind)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("pair", [(0.005, 0.995), (0.0, 1.0), (0.3, 0.31)])
def test_every_dtype_in_memory_and_in_a_file(
    dtype: str, pair: tuple[float, float], tmp_path: Path
) -> None:
    voxels = sample(dtype)
    check(MLArray(voxels).compute_statistics(percentiles=pair), voxels, pair)
    MLArray(voxels).save(tmp_path / "a.mla", **NARROW)
    for image in (MLArray.open(tmp_path / "a.mla"), MLArray.load(tmp_path / "a.mla")):
        check(image.compute_statistics(percentiles=pair, store=False), voxels, pair)


@pytest.mark.parametrize("dtype", [">u2", ">i4", ">f4", ">f8", ">f2"])
def test_big_endian(dtype: str, tmp_path: Path) -> None:
    voxels = sample(dtype)
    MLArray(voxels).save(tmp_path / "a.mla", **NARROW)
    for image in (MLArray(voxels), MLArray.open(tmp_path / "a.mla")):
        check(image.compute_statistics(store=False), voxels, (0.005, 0.995))


@pytest.mark.parametrize("dtype", ["i2", "i8", "f4", "f8"])
@pytest.mark.parametrize(
    "make",
    [
        lambda n: np.sort(n),  # the sample knows little of a sorted array
        lambda n: np.where(np.arange(len(n)) % 997 == 0, n * 1000, n),  # outliers
        lambda n: np.full_like(n, 7),
        lambda n: np.where(np.arange(len(n)) < len(n) // 2, n * 0, n),
        lambda n: n[:1],
        lambda n: n[:2],
        lambda n: np.where(np.arange(len(n)) == 3, n, n * 0),
    ],
)
def test_distributions(dtype: str, make: Any, tmp_path: Path) -> None:
    voxels = make((np.random.default_rng(1).normal(0, 9, 40_000)).astype(dtype))
    MLArray(voxels).save(tmp_path / "a.mla", chunk_size=3000, block_size=300)
    for image in (MLArray(voxels), MLArray.open(tmp_path / "a.mla")):
        for pair in ((0.005, 0.995), (0.25, 0.5)):
            check(image.compute_statistics(percentiles=pair, store=False), voxels, pair)


def test_values_that_only_the_last_bits_tell_apart() -> None:
    """As many passes as it takes: the quantiles lie among neighbouring doubles."""
    keys = np.random.default_rng(2).integers(0, 1 << 20, 600_000)
    voxels = (np.float64(1).view(np.int64) + keys).view(np.float64)
    voxels[:1000] = np.logspace(-100, 100, 1000)
    check(MLArray(voxels).compute_statistics(), voxels, (0.005, 0.995))


def test_large_integers_are_exact() -> None:
    top = 2**64 - 1
    stats = MLArray(np.array([0, top, 5, 5], "u8")).compute_statistics()
    assert (stats.min, stats.max, stats.median) == (0, top, 5.0)
    stats = MLArray(np.array([-(2**63), 2**63 - 1, 9], "i8")).compute_statistics()
    assert (stats.min, stats.max) == (-(2**63), 2**63 - 1)


def truth(voxels: np.ndarray[Any, Any]) -> tuple[Fraction, Fraction]:
    """Mean and variance without rounding."""
    numbers = [Fraction(number) for number in voxels.ravel().tolist()]
    mean = sum(numbers, Fraction(0)) / len(numbers)
    return mean, sum(((n - mean) ** 2 for n in numbers), Fraction(0)) / len(numbers)


def root(square: Fraction) -> float:
    """Rounded root of a number that a float need not hold."""
    digits = decimal.Context(prec=40)
    number = digits.divide(decimal.Decimal(square.numerator), square.denominator)
    return float(digits.sqrt(number))


@pytest.mark.parametrize("dtype", ["i8", "u8", ">i8"])
def test_great_integers_that_cancel(dtype: str, tmp_path: Path) -> None:
    """The sum is exact, so the mean is rounded once."""
    random = np.random.default_rng(5)
    info = np.iinfo(dtype)
    half = random.integers(info.min, info.max, 5_000, np.dtype(dtype).newbyteorder("="))
    pairs = [half, -half + 1] if info.min else [half, (info.max - half) + half % 3]
    voxels = random.permutation(np.concatenate(pairs)).astype(dtype).reshape(10, 1000)
    voxels[0, :2] = info.min, info.max
    MLArray(voxels).save(tmp_path / "a.mla", chunk_size=(4, 1000), block_size=(2, 100))
    mean, variance = truth(voxels)
    mask = np.ones(voxels.shape, "?")
    for image in (MLArray(voxels), MLArray.open(tmp_path / "a.mla")):
        for given in (None, mask):
            stats = image.compute_statistics(given, (0.0, 1.0), store=False)
            assert stats.mean == stats.percentile_mean
            assert abs(Fraction(stats.mean) - mean) <= abs(mean) / 2**52
            assert stats.std == pytest.approx(root(variance), rel=1e-12)
    few = np.full((40, 1000), info.min, dtype)
    few[20:] = info.max
    few[0, 0] += 5
    image = MLArray(few, compressed=True, chunk_size=(10, 1000), block_size=(10, 1000))
    expected_mean = (20_000 * (info.min + info.max) + 5) / 40_000
    assert image.compute_statistics().mean == expected_mean
    stats = image.compute_statistics(percentiles=(0.4, 0.6))
    assert stats.percentile_mean == expected_mean


@pytest.mark.parametrize("size", [1e-323, 1e-310, 1e-200, 1e-150, 1e150, 1e200, 1e300, 1.7e308])
@pytest.mark.parametrize("shape", [(3,), (6_000,)])
def test_numbers_whose_sums_or_squares_leave_the_range(
    size: float, shape: tuple[int, ...], tmp_path: Path
) -> None:
    voxels = np.random.default_rng(6).uniform(-1, 1, shape) * size
    voxels[:2] = size, -size / 3
    MLArray(voxels).save(tmp_path / "a.mla", chunk_size=1000, block_size=100)
    for given in (voxels, np.abs(voxels)):
        mean, variance = truth(given)
        low, high = np.sort(given)[[len(given) // 5, -1 - len(given) // 5]]
        tenths = (len(given) // 5 / (len(given) - 1), 1 - len(given) // 5 / (len(given) - 1))
        stats = MLArray(given).compute_statistics(percentiles=tenths)
        least = max(1e-12 * size, 5e-324)
        assert stats.mean == pytest.approx(float(mean), rel=1e-12, abs=least)
        assert stats.std == pytest.approx(root(variance), rel=1e-12, abs=least)
        assert (stats.percentile_min, stats.percentile_max) == (
            pytest.approx(low, rel=1e-12, abs=least),
            pytest.approx(high, rel=1e-12, abs=least),
        )
        inside = given[(given >= stats.percentile_min) & (given <= stats.percentile_max)]
        if inside.size:
            mean, variance = truth(inside)
            assert stats.percentile_mean == pytest.approx(float(mean), rel=1e-12, abs=least)
            found = pytest.approx(root(variance), rel=1e-12, abs=least)
            assert stats.percentile_std == found
    with MLArray.open(tmp_path / "a.mla") as image:
        a = image.compute_statistics(store=False)
    b = MLArray(voxels).compute_statistics()
    assert a.std == pytest.approx(b.std, rel=1e-12, abs=0)
    middle = MLArray(np.array([size, size * 0.9])).compute_statistics(percentiles=(0.25, 0.75))
    assert middle.median == pytest.approx(size * 0.95, rel=1e-12, abs=5e-324)
    if size > 1e300:
        ends = MLArray(np.array([-size, size])).compute_statistics(percentiles=(0.25, 0.75))
        assert ends.percentile_min == pytest.approx(-size / 2, rel=1e-12)
        assert ends.percentile_max == pytest.approx(size / 2, rel=1e-12)


def test_small_numbers_between_the_percentiles_of_great_ones() -> None:
    """What lies between the percentiles has a scale of its own."""
    random = np.random.default_rng(7)
    inside = random.uniform(1, 2, 9_000) * 1e-200
    voxels = random.permutation(np.concatenate([inside, [1.0] * 100, [-1e300] * 100]))
    stats = MLArray(voxels).compute_statistics(percentiles=(0.1, 0.9))
    between = voxels[(voxels >= stats.percentile_min) & (voxels <= stats.percentile_max)]
    mean, variance = truth(between)
    assert stats.percentile_mean == pytest.approx(float(mean), rel=1e-12, abs=0)
    assert stats.percentile_std == pytest.approx(root(variance), rel=1e-12, abs=0)


def test_nan_goes_everywhere_as_in_numpy(tmp_path: Path) -> None:
    for dtype in ("f2", "f4", "f8"):
        voxels = sample(dtype)
        voxels[15, 20, 30] = np.nan
        MLArray(voxels).save(tmp_path / "a.mla", **NARROW)
        stats = MLArray.open(tmp_path / "a.mla").compute_statistics(store=False)
        for name in expected(np.zeros(1), (0.0, 1.0)):
            if not name.endswith("key"):
                assert np.isnan(getattr(stats, name)), (dtype, name)
        # What the mask leaves out does not count.
        check(
            MLArray(voxels).compute_statistics(~np.isnan(voxels)),
            voxels[~np.isnan(voxels)],
            (0.005, 0.995),
        )


@pytest.mark.parametrize("values", [[1, np.inf, 2], [-np.inf, 1, 2, 3], [-np.inf, 4, np.inf]])
@pytest.mark.parametrize("dtype", ["f2", "f4", "f8"])
def test_infinities(values: list[float], dtype: str) -> None:
    voxels = np.array(values, dtype)
    stats = MLArray(voxels).compute_statistics(percentiles=(0.0, 0.5))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # NumPy warns of inf - inf
        for name in ("min", "max", "mean", "median", "std"):
            np.testing.assert_equal(getattr(stats, name), float(getattr(np, name)(voxels)))
    assert stats.percentile_min == min(values)
    # Between a finite value and an infinite one there is the infinite one.
    half = MLArray(np.array([1, np.inf], dtype)).compute_statistics(percentiles=(0.3, 0.6))
    assert half.percentile_min == half.percentile_max == np.inf


def test_masks(tmp_path: Path) -> None:
    voxels = sample("i2")
    labels = np.random.default_rng(3).integers(0, 5, voxels.shape)
    labels[:9] = 0
    for dtype in ("?", "u1", "<i4", ">i8", "f4", "f8"):
        mask = labels.astype(dtype)
        MLArray(mask).save(tmp_path / "mask.mla", chunk_size=(10, 20, 20), block_size=(5, 9, 7))
        MLArray(voxels).save(tmp_path / "a.mla", **NARROW)
        for image in (MLArray(voxels), MLArray.open(tmp_path / "a.mla")):
            for given in (mask, MLArray(mask), MLArray.open(tmp_path / "mask.mla")):
                stats = image.compute_statistics(given, store=False)
                check(stats, voxels[mask != 0], (0.005, 0.995))
                if dtype != "?":
                    stats = image.compute_statistics(given, mask_values=[2, 4], store=False)
                    check(stats, voxels[np.isin(mask, [2, 4])], (0.005, 0.995))
                    stats = image.compute_statistics(given, mask_values=3, store=False)
                    check(stats, voxels[mask == 3], (0.005, 0.995))


def test_values_of_a_mask_are_not_rounded() -> None:
    """2^53 is no value 2^53 + 1, though the float next to that is the same."""
    voxels = np.arange(4.0)
    for dtype in ("f8", "i8", "u8", "f4"):
        mask = np.array([2**53, 0, 2**62, 1], dtype)
        image = MLArray(voxels)
        assert image.compute_statistics(mask, mask_values=2**53).mean == 0
        assert image.compute_statistics(mask, mask_values=[1, 2**62]).mean == 2.5
        for value in (2**53 + 1, 2**62 + 1, 2**63 - 1, -(2**63)):
            with pytest.raises(ValueError, match="selects nothing"):
                image.compute_statistics(mask, mask_values=value)


def test_strides_do_not_matter() -> None:
    voxels = sample("f4")
    mask = sample("?")
    for view in (voxels.T, voxels[::-1, ::3], np.asfortranarray(voxels), voxels[5, 3, 2:3]):
        check(MLArray(view).compute_statistics(), view, (0.005, 0.995))
    check(
        MLArray(voxels.T).compute_statistics(np.asfortranarray(mask.T)),
        voxels.T[mask.T],
        (0.005, 0.995),
    )
    check(MLArray(np.array(3.5)).compute_statistics(), np.array(3.5), (0.005, 0.995))


def test_chunks_that_hold_one_value(tmp_path: Path) -> None:
    with MLArray.create(tmp_path / "a.mla", (40, 40, 40), "f4", **NARROW) as image:
        image[:3, 5:9, 7:33] = 2.5
        voxels = image[...]
        mask = voxels == 0
        check(image.compute_statistics(store=False), voxels, (0.005, 0.995))
        check(image.compute_statistics(mask, store=False), voxels[mask], (0.005, 0.995))
    with MLArray.create(tmp_path / "b.mla", (1 << 17, 1 << 17), "u1", patch_size=4096) as image:
        image[5, 5] = 7
        stats = image.compute_statistics(store=False)
        assert (stats.min, stats.max, stats.mean) == (0, 7, 7 / 2**34)


def test_the_number_of_threads_does_not_change_a_bit(tmp_path: Path) -> None:
    MLArray(sample("f4")).save(tmp_path / "a.mla", **NARROW)
    found = [
        MLArray.open(tmp_path / "a.mla", num_threads=n).compute_statistics(store=False)
        for n in (1, 2, 5)
    ]
    assert found[0] == found[1] == found[2]


def test_stats_are_stored(tmp_path: Path) -> None:
    voxels = sample("i2")
    MLArray(voxels, spacing=(1, 2, 3)).save(tmp_path / "a.mla", **NARROW)
    with MLArray.open(tmp_path / "a.mla", mmap="r+") as image:
        image.meta.stats.mean = -1.0
        assert image.compute_statistics(store=False).mean != -1.0
        assert image.meta.stats.mean == -1.0
        returned = image.compute_statistics()
        returned.mean = 0.0
    with MLArray.open(tmp_path / "a.mla") as image:
        check(image.meta.stats, voxels, (0.005, 0.995))
        assert image.spacing == [1, 2, 3]


def test_bad_input() -> None:
    image = MLArray(sample("i2"))
    zeros = np.zeros(image.shape, np.uint8)
    with pytest.raises(ValueError, match="selects nothing"):
        image.compute_statistics(zeros)
    with pytest.raises(ValueError, match="is empty"):
        MLArray(np.zeros((0, 3), "f4")).compute_statistics()
    with pytest.raises(ValueError, match=r"shape \(19, 29, 1\)"):
        image.compute_statistics(zeros[..., :1])
    with pytest.raises(TypeError, match="mask is a list"):
        image.compute_statistics([1])
    with pytest.raises(ValueError, match="without a mask"):
        image.compute_statistics(mask_values=3)
    for values in ([], 1.5, "a"):
        with pytest.raises(TypeError, match="mask_values"):
            image.compute_statistics(zeros, mask_values=values)  # type: ignore[arg-type]
    for beyond in (2**63, -(2**63) - 1, [-1, 2**64 - 1], np.uint64(2**63)):
        with pytest.raises(ValueError, match="beyond -2"):
            image.compute_statistics(zeros, mask_values=beyond)  # type: ignore[arg-type]
    for pair in ((0.5, 99.5), (0.9, 0.1), (-0.1, 1.0), (float("nan"), 1.0)):
        with pytest.raises(ValueError, match=r"give 0\.005 and 0\.995"):
            image.compute_statistics(percentiles=pair)
    for wrong in (3, ("a", "b"), (0.1, 0.2, 0.3)):
        with pytest.raises(TypeError, match="pair of numbers"):
            image.compute_statistics(percentiles=wrong)  # type: ignore[arg-type]
    for dtype in ("c8", "S3", "M8[s]", "i4,f4", np.longdouble):
        with pytest.raises(TypeError, match="have no statistics"):
            MLArray(np.zeros(3, dtype)).compute_statistics()
    with pytest.raises(TypeError, match="have no statistics"):
        image.compute_statistics(np.zeros(image.shape, "c8"))


def test_damage_is_an_error_and_names_the_file(tmp_path: Path) -> None:
    path = tmp_path / "a.mla"
    MLArray(sample("i2")).save(path, cparams={"clevel": 0}, **NARROW)
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 255
    path.write_bytes(data)
    with pytest.raises(RuntimeError, match=r"a\.mla.*damaged"):
        MLArray.open(path).compute_statistics()
    whole = np.zeros((19, 29, 33), "i2")
    with pytest.raises(RuntimeError, match=r"a\.mla.*damaged"):
        MLArray(whole).compute_statistics(MLArray.open(path))


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc/self/status")
def test_memory_is_bounded(tmp_path: Path) -> None:
    """Of 32 MB of voxels and 8 MB of mask, both in files without a map: less than 20 MB."""
    random = np.random.default_rng(4)
    MLArray(random.random((64, 256, 512), "f4")).save(tmp_path / "a.mla", cparams={"clevel": 0})
    MLArray(random.integers(0, 2, (64, 256, 512), "u1")).save(tmp_path / "m.mla")
    code = """if True:
        import sys
        from mlarray import MLArray
        def peak():
            for line in open("/proc/self/status"):
                if line.startswith("VmHWM"):
                    return int(line.split()[1])
        image = MLArray.open(sys.argv[1], mmap=None, num_threads=2)
        mask = MLArray.open(sys.argv[2], mmap=None)
        image[0, 0, 0], mask[0, 0, 0], image.meta
        before = peak()
        image.compute_statistics(mask, store=False)
        image.compute_statistics(store=False)
        print((peak() - before) // 1024)"""
    paths = [str(tmp_path / name) for name in ("a.mla", "m.mla")]
    out = subprocess.run(
        [sys.executable, "-c", code, *paths], capture_output=True, text=True, check=True
    )
    assert int(out.stdout) < 20


def test_a_percentile_between_two_voxels_says_nothing_of_those_inside() -> None:
    """The lower one is -9e307 here, and the voxels above it are small."""
    voxels = np.array([-1.7e308, *range(20)])
    stats = MLArray(voxels).compute_statistics(percentiles=(0.025, 1.0))
    assert stats.percentile_min < -1e307
    assert stats.percentile_std == pytest.approx(np.arange(20).std(), rel=1e-12)


@pytest.mark.parametrize("infinite", [np.inf, -np.inf])
def test_an_infinity_among_tiny_voxels(infinite: float) -> None:
    """It lies between the percentiles, and something that does not lies in its chunk."""
    voxels = np.array([infinite, *np.arange(1, 21) * 1e-244])
    low, high = (0.1, 1.0) if infinite > 0 else (0.0, 0.9)
    stats = MLArray(voxels).compute_statistics(percentiles=(low, high))
    assert stats.percentile_mean == stats.mean == infinite
