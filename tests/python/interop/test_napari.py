"""A plug-in of napari: layers from files, and files from layers.

Once with a reader and a writer of our own that use no more than the names that such plug-ins
use, and once with those of the package napari-mlarray itself. napari is not needed: a layer is
data, a dict of attributes and the name of its kind.
"""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from mlarray import Meta, MLArray

if TYPE_CHECKING:
    from collections.abc import Callable

Layer = tuple[Any, dict[str, Any], str]
BOXES = {2: [[[1, 4], [2, 6]], [[3, 5], [0, 2]]], 3: [[[0, 4], [1, 5], [2, 6]]]}
LABELS = ["channel", "spatial_z", "spatial_y", "spatial_x"]


def read(path: str) -> list[Layer]:
    """What a reader gives to napari."""
    image = MLArray.open(path)
    attributes: dict[str, Any] = {"affine": image.affine, "metadata": image.meta.to_mapping()}
    layers: list[Layer] = []
    if image.meta._has_array.has_array:
        kind = "labels" if image.meta.is_seg.is_seg else "image"
        layers.append((image, {"name": Path(path).stem, **attributes}, kind))
    if image.meta.bbox.bboxes is not None:
        corners = np.asarray(image.meta.bbox.bboxes, float)
        features = {"label": image.meta.bbox.labels, "score": image.meta.bbox.scores}
        layers.append((corners, {**attributes, "features": features}, "shapes"))
    return layers


def write(path: str, data: Any, attributes: dict[str, Any]) -> list[str]:
    """What a writer does with a layer."""
    MLArray(data, meta=Meta.from_mapping(attributes["metadata"])).save(path)
    return [path]


def images() -> dict[str, MLArray]:
    """Files that a viewer meets."""
    rng = np.random.default_rng(4)
    voxels = rng.integers(-900, 900, (12, 13, 14)).astype("i2")
    affine = [[0.0, -2.0, 0.1, 4], [1.0, 0, 0, 5], [0, 0.2, 3.0, 6], [0, 0, 0, 1]]
    return {
        "scan": MLArray(voxels, spacing=(3, 0.5, 0.7), origin=(1, 2, 3), meta={"a": [1, None]}),
        "affine": MLArray(voxels, affine=affine),
        "labels": MLArray((voxels > 0).astype("u1"), meta=Meta(is_seg=True)),
        "boxes": MLArray(
            voxels, meta=Meta(bbox={"bboxes": BOXES[3], "labels": ["a"], "scores": [0.5]})
        ),
        "slice": MLArray(voxels[0], spacing=(2, 3), meta=Meta(bbox={"bboxes": BOXES[2]})),
        "channels": MLArray(
            rng.random((2, 9, 8, 7), "f4"), spacing=(1, 2, 3), axis_labels=LABELS
        ),
        "only boxes": MLArray(
            meta=Meta(bbox={"bboxes": BOXES[3], "labels": [1]}), spacing=(3, 0.5, 0.7)
        ),
        "only boxes, no place": MLArray(meta=Meta(bbox={"bboxes": BOXES[2]})),
    }


KINDS = {
    "labels": ["labels"],
    "boxes": ["image", "shapes"],
    "slice": ["image", "shapes"],
    "only boxes": ["shapes"],
    "only boxes, no place": ["shapes"],
}


def look_at(data: Any) -> None:
    """Ask a layer's data what a viewer asks: facts, planes, corners, thumbnails, all of it."""
    shape, ndim, dtype = data.shape, data.ndim, data.dtype
    whole = np.asarray(data)
    assert (whole.shape, whole.ndim, whole.dtype) == (shape, ndim, dtype)
    middle = tuple(length // 2 for length in shape)
    for axis in range(ndim):
        key = tuple(slice(None) if i in (axis, ndim - 1) else middle[i] for i in range(ndim))
        assert np.array_equal(np.asarray(data[key]), whole[key])
    thin = tuple(slice(None, None, 3) for _ in shape)
    assert np.array_equal(np.asarray(data[thin]), whole[thin])
    assert np.asarray(data[middle]) == whole[middle]


@pytest.mark.parametrize("name", images())
def test_a_file_becomes_layers_and_a_file_again(name: str, tmp_path: Path) -> None:
    path, copy = str(tmp_path / "a.mla"), str(tmp_path / "b.mla")
    images()[name].save(path)
    layers = read(path)
    assert [kind for _, _, kind in layers] == KINDS.get(name, ["image"])
    spatial = 3 if name != "slice" else 2
    for data, attributes, kind in layers:
        affine = attributes["affine"]
        assert affine is None or np.shape(affine) == (spatial + 1, spatial + 1)
        assert (affine is None) == ("no place" in name)
        if kind == "shapes":
            assert data.tolist() == MLArray(path).meta.bbox.bboxes
            continue
        look_at(data)
        for target in (copy, path):  # "Save as", and "Save" over the file that is shown
            assert write(target, data, attributes) == [target]
            again = MLArray(target)
            assert np.array_equal(again.to_numpy(), images()[name].to_numpy())
            assert again.dtype == data.dtype
            assert _known(again) == _known(images()[name])
            look_at(data)


def test_what_a_user_drew_is_a_plain_array(tmp_path: Path) -> None:
    path = str(tmp_path / "a.mla")
    images()["scan"].save(path)
    _, attributes, _ = read(path)[0]
    drawn = np.zeros((12, 13, 14), np.int64)
    write(path, drawn, attributes)
    assert MLArray(path).dtype == np.int64
    assert MLArray(path).spacing == [3, 0.5, 0.7]


def _known(image: MLArray) -> dict[str, Any]:
    """The metadata that is the user's."""
    plain = image.meta.to_plain()
    for name in ("blosc2", "_mlarray_version"):
        plain.pop(name, None)
    for name in ("_num_spatial_axes", "_num_non_spatial_axes"):
        plain.get("spatial", {}).pop(name, None)
    return plain


# The plug-in's own functions, with its import of napari's layer of boxes taken away.
SCRIPT = """
import json, sys, types
sys.path.append(sys.argv[1])
sys.modules["napari_bbox"] = types.ModuleType("napari_bbox")
import numpy as np
from napari_mlarray import napari_get_reader, write_single_image
import mlarray
facts = []
for data, attributes, kind in napari_get_reader(sys.argv[2])(sys.argv[2]):
    facts.append([kind, attributes["name"], np.asarray(data).shape])
    if kind != "shapes" and kind != "boundingboxlayer":
        write_single_image(sys.argv[3], data, attributes)
        write_single_image(sys.argv[2], data, attributes)
print(json.dumps({"layers": facts, "from": mlarray.__file__}))
"""


@pytest.mark.parametrize("name", images())
def test_the_plug_in_itself(
    name: str, reference: Callable[[str], Path], tmp_path: Path
) -> None:
    python = reference("napari-mlarray-0.0.3")
    site = json.loads(
        subprocess.run(
            [python, "-c", "import site, json; print(json.dumps(site.getsitepackages()[0]))"],
            check=True,
            capture_output=True,
            text=True,
        ).stdout
    )
    path, copy = tmp_path / "a.mla", tmp_path / "b.mla"
    images()[name].save(path)
    done = subprocess.run(
        [sys.executable, "-I", "-c", SCRIPT, site, path, copy], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    spec = importlib.util.find_spec("mlarray")
    assert spec is not None
    assert answer["from"] == spec.origin
    kinds = [kind for kind, _, _ in answer["layers"]]
    boxes = "shapes" if "slice" in name or "no place" in name else "boundingboxlayer"
    assert kinds == [boxes if kind == "shapes" else kind for kind in KINDS.get(name, ["image"])]
    if "only" not in name:
        for target in (copy, path):
            assert np.array_equal(MLArray(target).to_numpy(), images()[name].to_numpy())
            assert _known(MLArray(target)) == _known(images()[name])
