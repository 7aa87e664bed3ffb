"""How an image shows itself."""

from __future__ import annotations

import base64
import re
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mlarray import Meta, MLArray, _core, show
from mlarray._display.png import png
from mlarray.cli.main import main
from mlarray.errors import InvalidValueError


def pictures(page: str) -> list[np.ndarray[Any, Any]]:
    """The pictures of a page, decoded."""
    found = []
    for data in re.findall(r"data:image/png;base64,([^']+)'", page):
        raw = base64.b64decode(data)
        assert raw[:8] == b"\x89PNG\r\n\x1a\n"
        at, parts = 8, {}
        while at < len(raw):
            (size,) = struct.unpack(">I", raw[at : at + 4])
            name, body = raw[at + 4 : at + 8], raw[at + 8 : at + 8 + size]
            (crc,) = struct.unpack(">I", raw[at + 8 + size : at + 12 + size])
            assert crc == zlib.crc32(name + body)
            parts[name], at = body, at + 12 + size
        width, height, *kind = struct.unpack(">IIBBBBB", parts[b"IHDR"])
        assert kind in ([8, 0, 0, 0, 0], [8, 2, 0, 0, 0])
        colours = () if kind[1] == 0 else (3,)
        rows = np.frombuffer(zlib.decompress(parts[b"IDAT"]), np.uint8).reshape(height, -1)
        assert not rows[:, 0].any()
        found.append(rows[:, 1:].reshape(height, width, *colours))
    return found


def sizes(page: str) -> list[tuple[int, int]]:
    """Height and width of the pictures on the page."""
    found = re.findall(r"width:(\d+)px;height:(\d+)px", page)
    return [(int(height), int(width)) for width, height in found]


def test_one_line(saved: Path, volume: Any) -> None:
    assert repr(MLArray(volume)) == "MLArray(shape=(37, 53, 41), dtype=int16, in memory)"
    image = MLArray(volume, direction=np.eye(3)[::-1], spacing=(3, 2, 1))
    image.meta.spatial.coord_system = "RAS+"
    assert repr(image) == (
        "MLArray(shape=(37, 53, 41), dtype=int16, spacing=[3.0, 2.0, 1.0], "
        "orientation='SAR', in memory)"
    )
    size = saved.stat().st_size
    with MLArray.open(saved) as opened:
        assert repr(opened) == (
            f"MLArray(shape=(37, 53, 41), dtype=int16, spacing=[3.0, 0.5, 0.7], "
            f"{size / 1000:.1f} kB compressed, {str(saved)!r}, mode='r')"
        )
    assert repr(opened) == "MLArray(shape=(37, 53, 41), dtype=int16, closed)"
    loaded = repr(MLArray.load(saved))
    assert re.search(r"\d+\.\d kB compressed, in memory\)$", loaded)
    assert repr(MLArray(meta=Meta(is_seg=True))) == "MLArray(no array, in memory)"


def test_three_slices(volume: Any) -> None:
    image = MLArray(volume, spacing=(4, 1, 1))
    page = image._repr_html_()
    low, high = np.quantile(
        np.concatenate([volume[18].ravel(), volume[:, 26].ravel(), volume[:, :, 20].ravel()]),
        (0.005, 0.995),
    )
    for found, cut in zip(pictures(page), (volume[18], volume[:, 26], volume[:, :, 20])):
        expected = ((cut - low) / (high - low)).clip(0, 1) * 255
        np.testing.assert_array_equal(found, expected.round().astype(np.uint8))
    # 4 x 37 voxels are the longest side: 160 pixels.
    assert sizes(page) == [(57, 44), (160, 44), (160, 57)]
    assert "37 x 53 x 41" in page
    assert "4, 1, 1" in page


def test_stored_percentiles_are_the_contrast(volume: Any) -> None:
    image = MLArray(volume)
    image.compute_statistics(percentiles=(0.3, 0.4))
    (found, *_) = pictures(image._repr_html_())
    stats = image.meta.stats
    assert (found == 0).mean() > 0.2
    assert stats.percentile_min is not None
    np.testing.assert_array_equal(found == 0, volume[18] <= stats.percentile_min + 0.05)


@pytest.mark.parametrize(
    ("shape", "labels", "count"),
    [
        ((30,), None, 0),
        ((), None, 0),
        ((0, 4, 4), None, 0),
        ((30, 20), None, 1),
        ((3, 30, 20), ("channel", "spatial_y", "spatial_x"), 1),
        ((5, 9, 8, 7), ("temporal", "spatial_z", "spatial_y", "spatial_x"), 3),
        ((5, 9, 8, 7), None, 3),
        ((9, 8), ("spatial", "channel"), 1),
        ((700, 20, 30), None, 3),
    ],
)
def test_axes_that_are_shown(shape: Any, labels: Any, count: int) -> None:
    image = MLArray(np.ones(shape, "float32"), axis_labels=labels)
    found = pictures(image._repr_html_())
    assert len(found) == count
    assert all(max(picture.shape) <= 256 for picture in found)


@pytest.mark.parametrize("dtype", ["?", "u1", "i8", "f2", ">f4", "f8", "c8", "S2", "M8[s]"])
def test_every_dtype(dtype: str) -> None:
    page = MLArray(np.zeros((4, 5, 6), dtype))._repr_html_()
    assert len(pictures(page)) == (0 if np.dtype(dtype).kind in "cSM" else 3)


def test_no_number_breaks_it() -> None:
    for value in (np.nan, np.inf, -np.inf, 1e300):
        voxels = np.full((4, 5, 6), value)
        voxels[0] = 1
        assert len(pictures(MLArray(voxels)._repr_html_())) == 3
    for spacing in ((0, 1, 1), (np.nan, 1, 1), (1e-300, 1, 1e300)):
        image = MLArray(np.zeros((4, 5, 6)), spacing=spacing)
        assert len(sizes(image._repr_html_())) == 3


def test_only_what_is_shown_is_read(tmp_path: Path) -> None:
    """All chunks but those of the middle slices are damaged, and nobody notices."""
    path = tmp_path / "a.mla"
    voxels = np.random.default_rng(0).integers(0, 99, (60, 60, 60), "u1")
    sizes = {"chunk_size": (20, 20, 20), "block_size": (20, 20, 20)}
    MLArray(voxels).save(path, cparams={"clevel": 0}, **sizes)
    data = path.read_bytes()
    for corner in np.ndindex(3, 3, 3):
        if 1 not in corner:
            z, y, x = (20 * i for i in corner)
            chunk = voxels[z : z + 20, y : y + 20, x : x + 20].tobytes()
            assert data.count(chunk) == 1
            data = data.replace(chunk, bytes(len(chunk)))
    path.write_bytes(data)
    with MLArray.open(path) as image:
        assert len(pictures(image._repr_html_())) == 3
        with pytest.raises(RuntimeError, match="damaged"):
            image[...]


def test_damage_is_shown_and_no_error(saved: Path) -> None:
    data = bytearray(saved.read_bytes())
    data[2000:-3000] = bytes(len(data) - 5000)
    saved.write_bytes(data)
    with MLArray.open(saved, verify=None) as image:
        page = image._repr_html_()
    assert "cannot be read" in page
    assert not pictures(page)


def test_texts_are_escaped(tmp_path: Path) -> None:
    path = tmp_path / "<b>&.mla"
    MLArray(np.zeros((3, 4))).save(path)
    with MLArray.open(path) as image:
        page = image._repr_html_()
    assert "<b>&.mla" not in page
    assert "&lt;b&gt;&amp;.mla" in page
    assert "closed" in image._repr_html_()
    assert "no array" in MLArray(meta=Meta(is_seg=True))._repr_html_()


def test_a_picture_is_a_whole_png() -> None:
    for shape in ((3, 4), (3, 4, 3)):
        pixels = np.arange(np.prod(shape), dtype=np.uint8).reshape(shape)
        data = base64.b64encode(png(pixels)).decode()
        (found,) = pictures(f"data:image/png;base64,{data}'")
        np.testing.assert_array_equal(found, pixels)


def body(order: str) -> MLArray:
    """Brighter towards the left, the back and the feet, with axes that point as in `order`."""
    shape = (12, 16, 20)
    affine = np.zeros((4, 4))
    affine[3, 3] = 1
    voxels = np.zeros(shape)
    for axis, letter in enumerate(order):
        world, way = divmod("RLAPSI".index(letter), 2)
        affine[world, axis] = 1 - 2 * way
        steps = np.arange(shape[axis])
        towards = steps if letter in "LPI" else steps[::-1]
        voxels += np.expand_dims(towards * 1.0, [a for a in range(3) if a != axis])
    image = MLArray(voxels, affine=affine)
    image.meta.spatial.coord_system = "RAS"
    return image


@pytest.mark.parametrize("order", ["RAS", "LPS", "SAR", "PIR", "ILA"])
def test_slices_stand_upright(order: str) -> None:
    """Head or face at the top, the right side on the left, whatever the array's axes."""
    page = body(order)._repr_html_()
    found = pictures(page)
    assert len(found) == 3
    for picture in found:
        values = picture.astype(int)
        assert (np.diff(values, axis=0) >= 0).all()
        assert (np.diff(values, axis=1) >= 0).all()
        assert values[0, 0] < values[-1, 0] < values[-1, -1]
        assert values[0, 0] < values[0, -1]
    lengths = dict(zip(order, (12, 16, 20)))
    sides = {line: lengths.get(line[0]) or lengths[line[1]] for line in ("LR", "AP", "SI")}
    planes = {
        "axial: R on the left, A at the top": (sides["AP"], sides["LR"]),
        "coronal: R on the left, S at the top": (sides["SI"], sides["LR"]),
        "sagittal: A on the left, S at the top": (sides["SI"], sides["AP"]),
    }
    titles = re.findall("title='([^']+)'", page)
    assert {t: picture.shape for t, picture in zip(titles, found)} == planes


def test_two_axes_and_axes_without_a_frame() -> None:
    image = MLArray(np.arange(12.0).reshape(3, 4), axis_labels=("spatial_x", "spatial_y"))
    image.affine = np.eye(3)
    assert pictures(image._repr_html_())[0].shape == (3, 4)  # no frame: as it lies
    image.meta.spatial.coord_system = "LPS"
    page = image._repr_html_()
    assert pictures(page)[0].shape == (4, 3)
    assert "axial: R on the left, A at the top" in page


def test_labels_are_colours_over_the_image() -> None:
    image = body("SAR")
    labels = np.zeros(image.shape, "u1")
    labels[:, 8:, :] = 1
    labels[:, :, 12:] = 2
    page = show(image, labels)._repr_html_()
    colours = pictures(page)
    for grey, mixed in zip(pictures(image._repr_html_()), colours):
        assert mixed.shape == (*grey.shape, 3)
    # Coronal, where label 2 is on the patient's right, so on the left of the picture.
    coronal = colours[re.findall("title='([a-z]+)", page).index("coronal")].astype(int)
    left, right = coronal[:, :4], coronal[:, -4:]
    assert (left[..., 2] > left[..., 0]).all()  # bluish
    assert (right[..., 0] > right[..., 2]).all()  # 8 is the middle: label 1, orange
    stored = MLArray(labels, copy=image)
    assert show(image, stored)._repr_html_() == page
    whole = show(image, np.zeros(image.shape, bool))
    for grey, same in zip(pictures(image._repr_html_()), pictures(whole._repr_html_())):
        np.testing.assert_array_equal(same, np.repeat(grey[..., None], 3, axis=2))
    assert show(image)._repr_html_() == image._repr_html_()
    with pytest.raises(InvalidValueError, match=r"shape \(3,\), but the image \(12, 16, 20\)"):
        show(image, np.zeros(3, "u1"))
    with pytest.raises(InvalidValueError, match="integers or bools"):
        show(image, np.zeros(image.shape))


def test_a_label_map_is_shown_in_colours() -> None:
    labels = np.zeros((4, 4, 4), "i2")
    labels[2:] = 1
    image = MLArray(labels, meta=Meta(is_seg=True))
    (*_, last) = pictures(image._repr_html_())
    assert last.shape == (4, 4, 3)
    assert not last[:2].any()
    assert last[2:].any()
    assert pictures(MLArray(labels)._repr_html_())[0].ndim == 2


def test_print_reads_the_metadata_once(saved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And makes no copies of what is large in it."""
    with MLArray.open(saved, mmap="r+") as image:
        image.meta.source["large"] = [0.5] * 100_000
        image.spacing = None
        image.affine = np.diag([3, 0.5, 0.7, 1])
        image.meta.spatial.coord_system = "RAS"
    counted = Counted()
    monkeypatch.setattr("mlarray._display.summary._core", counted)
    with MLArray.open(saved) as image:
        for _ in range(2):  # not loaded, then loaded
            text = repr(image)
            assert "spacing=[3.0, 0.5, 0.7], orientation='RAS'" in text
            assert counted.largest < 1000
            _ = image.meta


class Counted:
    """`_core`, with how large the trees are that metadata is made of."""

    largest = 0

    def Metadata(self, tree: Any) -> Any:  # noqa: N802
        self.largest = max(self.largest, len(str(tree)))
        return _core.Metadata(tree)


def test_oblique_is_said_everywhere(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    turned = [[0.8, -0.6, 0], [0.6, 0.8, 0], [0, 0, 1]]
    image = MLArray(np.zeros((3, 4, 5)), spacing=(2, 3, 4), direction=turned)
    image.meta.spatial.coord_system = "RAS"
    image.save(tmp_path / "a.mla")
    assert "orientation='RAS oblique'" in repr(image)
    assert "RAS oblique" in image._repr_html_()
    assert main(["ls", str(tmp_path)]) == 0
    assert "RAS oblique" in capsys.readouterr().out
