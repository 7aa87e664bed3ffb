"""xr.open_dataset(path, engine="mlarray"): names, positions, laziness."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest

from mlarray import Meta, MLArray
from mlarray.convert import convert

xr = pytest.importorskip("xarray", reason="xarray is not installed")


def test_positions_and_names(tmp_path: Path) -> None:
    voxels = np.arange(2 * 3 * 4 * 5).reshape(2, 3, 4, 5).astype("i2")
    image = MLArray(
        voxels,
        spacing=(3.0, 0.5, 0.7),
        origin=(-10.0, 20.0, 5.0),
        direction=np.diag([1, -1, 1]),
        axis_labels=("temporal", "spatial_z", "spatial_y", "spatial_x"),
        meta={"modality": "CT"},
    )
    image.meta.spatial.coord_system = "LPS"
    image.meta.spatial.axis_units = ["s", "mm", "mm", "mm"]
    image.save(tmp_path / "a.mla")
    with xr.open_dataset(tmp_path / "a.mla", engine="mlarray") as dataset:
        found = dataset["image"]
        assert found.dims == ("temporal", "z", "y", "x")
        np.testing.assert_allclose(found.z, [-10, -7, -4])
        np.testing.assert_allclose(found.y, [20, 19.5, 19, 18.5])
        np.testing.assert_allclose(found.x, 5 + 0.7 * np.arange(5))
        assert found.z.attrs == {"long_name": "position", "units": "mm"}
        assert "temporal" not in dataset.coords
        assert found.attrs["coord_system"] == "LPS"
        assert json.loads(found.attrs["meta"])["source"] == {"modality": "CT"}
        np.testing.assert_array_equal(dataset.affine, image.affine)
        np.testing.assert_array_equal(found, voxels)
        near = found.sel(z=-6.8, y=19.4, method="nearest")
        np.testing.assert_array_equal(near, voxels[:, 1, 1])


def test_positions_of_an_oblique_image(tmp_path: Path) -> None:
    turned = [[0.8, -0.6, 0], [0.6, 0.8, 0], [0, 0, 1]]
    image = MLArray(np.zeros((3, 4, 5)), spacing=(2, 3, 4), direction=turned, origin=(7, 8, 9))
    image.save(tmp_path / "a.mla")
    with xr.open_dataset(tmp_path / "a.mla", engine="mlarray") as dataset:
        assert dataset["image"].dims == ("dim_0", "dim_1", "dim_2")
        np.testing.assert_allclose(dataset.dim_0, [0, 2, 4])
        assert dataset.dim_0.attrs["long_name"] == "distance from the first voxel"
        np.testing.assert_allclose(dataset.dim_2, 9 + 4 * np.arange(5))


def test_names_that_are_there_twice(tmp_path: Path) -> None:
    MLArray(np.zeros((3, 4, 5)), axis_labels=("channel", "spatial", "spatial")).save(
        tmp_path / "a.mla"
    )
    with xr.open_dataset(tmp_path / "a.mla", engine="mlarray") as dataset:
        assert dataset["image"].dims == ("channel", "spatial_1", "spatial_2")
        assert not dataset.coords


def test_only_what_is_chosen_is_read(saved: Path, volume: Any, monkeypatch: Any) -> None:
    read = []
    original = MLArray.__getitem__
    monkeypatch.setattr(
        MLArray, "__getitem__", lambda self, key: read.append(key) or original(self, key)
    )
    with xr.open_dataset(saved, engine="mlarray") as dataset:
        part = dataset["image"][5:9, [3, 1], ::4]
        assert not read
        np.testing.assert_array_equal(part, volume[5:9, [3, 1], ::4])
        assert len(read) == 1
        mask = np.arange(37) % 5 == 2
        np.testing.assert_array_equal(
            dataset["image"].isel(dim_0=mask, dim_2=[7, 2]), volume[mask][..., [7, 2]]
        )
        points = dataset["image"].isel(
            dim_0=xr.DataArray([1, 5], dims="p"), dim_1=xr.DataArray([2, 6], dims="p")
        )
        np.testing.assert_array_equal(points, volume[[1, 5], [2, 6]])


def test_opened_by_suffix_dropped_and_closed(saved: Path, volume: Any) -> None:
    dataset = xr.open_dataset(saved)  # the suffix says which engine
    np.testing.assert_array_equal(dataset["image"][0], volume[0])
    dataset.close()
    with xr.open_dataset(saved, engine="mlarray", drop_variables="affine") as dataset:
        assert "affine" not in dataset.variables
        assert "image" in dataset
    with xr.open_dataset(saved, engine="mlarray", chunks={}) as dataset:
        np.testing.assert_array_equal(dataset["image"].sum("dim_0").compute(), volume.sum(0))
        again = pickle.loads(pickle.dumps(dataset))
        np.testing.assert_array_equal(again["image"], volume)


def test_chunks_are_those_of_the_file(saved: Path, volume: Any) -> None:
    pytest.importorskip("dask", reason="dask is not installed")
    with (
        MLArray.open(saved) as image,
        xr.open_dataset(saved, engine="mlarray", chunks={}) as dataset,
    ):
        assert dataset["image"].data.chunksize == image.chunks
        assert dataset["image"].data.numblocks == (3, 3, 2)
        np.testing.assert_array_equal(dataset["image"], volume)
    with xr.open_dataset(saved, engine="mlarray", chunks={"dim_0": 32}) as dataset:
        assert dataset["image"].data.chunksize == (32, 20, 24)  # the others as in the file


@pytest.mark.parametrize("unit", ["sec", "msec"])
def test_times_of_a_converted_series(tmp_path: Path, unit: str) -> None:
    nifti = nibabel.Nifti1Image(np.zeros((2, 3, 4, 5), "i2"), np.eye(4))
    nifti.header.set_xyzt_units("mm", unit)
    nifti.header["pixdim"][4] = 2.5
    nifti.header["toffset"] = 10
    nibabel.save(nifti, tmp_path / "a.nii")
    convert(tmp_path / "a.nii", tmp_path / "a.mla")
    with xr.open_dataset(tmp_path / "a.mla", engine="mlarray") as dataset:
        time = dataset["temporal"]
        np.testing.assert_allclose(time, 10 + 2.5 * np.arange(5))
        assert time.attrs == {"long_name": "time", "units": unit}
        assert dataset["image"].sel(temporal=15).shape == (2, 3, 4)


def test_dask_tells_states_of_a_path_apart(saved: Path, volume: Any) -> None:
    pytest.importorskip("dask", reason="dask is not installed")
    with xr.open_dataset(saved, engine="mlarray") as old:
        MLArray(volume + 1).save(saved)
        with xr.open_dataset(saved, engine="mlarray") as new:
            both = xr.concat([old["image"].chunk({}), new["image"].chunk({})], "state")
            np.testing.assert_array_equal(both.to_numpy(), [volume, volume + 1])


def test_errors_are_ours(tmp_path: Path, saved: Path) -> None:
    MLArray(meta=Meta(is_seg=True)).save(tmp_path / "m.mla")
    with pytest.raises(RuntimeError, match=r"m\.mla.*only metadata"):
        xr.open_dataset(tmp_path / "m.mla", engine="mlarray")
    with pytest.raises(FileNotFoundError):
        xr.open_dataset(tmp_path / "no.mla", engine="mlarray")
