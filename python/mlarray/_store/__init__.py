"""Where the voxels and the metadata of an image are: `base` says what a store can do."""
