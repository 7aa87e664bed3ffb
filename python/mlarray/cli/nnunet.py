"""``mlarray nnunet``: how nnU-Net trains with our loader."""

from __future__ import annotations

import argparse
import json
import os

from ._run import add_json, printable

__all__ = ["TRAINERS", "add_arguments", "command", "trainers_folder"]

# What `nnUNetv2_train -tr` can be told.
TRAINERS = ("nnUNetTrainerMLArray", "nnUNetTrainerMLArray_5epochs")

DESCRIPTION = (
    "Say how nnU-Net v2 trains with this package's loader. Nothing of it is patched: an "
    "environment variable names the folder of our trainers, for training and for prediction."
)
EXAMPLES = """\
examples:
  mlarray nnunet                           what to type
  export nnUNet_extTrainer=$(mlarray nnunet --path)
  nnUNetv2_train 1 3d_fullres 0 -tr nnUNetTrainerMLArray
"""


def trainers_folder() -> str:
    """The folder that the environment variable ``nnUNet_extTrainer`` is to name.

    PyTorch is not imported for it.
    """
    package = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    return os.path.join(package, "torch", "trainers")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--path", action="store_true", help="print the folder of the trainers and nothing else"
    )
    add_json(parser, "print folder and trainers as JSON")


def command(options: argparse.Namespace) -> int | None:
    path = trainers_folder()
    if options.json:
        print(json.dumps({"path": path, "trainers": list(TRAINERS)}, indent=2))
    elif options.path:
        print(printable(path))
    else:
        print("export nnUNet_extTrainer=$(mlarray nnunet --path)")
        for trainer in TRAINERS:
            print(f"nnUNetv2_train DATASET CONFIGURATION FOLD -tr {trainer}")
    return None
