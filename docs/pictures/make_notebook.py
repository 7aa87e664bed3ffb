"""Take the picture of a notebook's cell: what `mlarray.show` gives, photographed by Chromium.

    python docs/pictures/make_notebook.py

Needs chromium, and the scan of `make demo`.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from mlarray import MLArray, show
from mlarray.convert import convert

sys.path.insert(0, str(Path(__file__).parents[2] / "examples" / "python"))

from demo import find_scan

FOLDER = Path(__file__).parent

PAGE = """<style>
body { margin: 14px 16px; width: 610px; font: 14px sans-serif; color: #1f2933 }
body > div { display: flex; margin-bottom: 10px }
i, pre { font: 13px monospace }
i { width: 54px; flex: none; color: #1b66c9; padding-top: 8px }
pre { margin: 0; flex: 1; background: #f5f6f8; border: 1px solid #dfe3e8; padding: 8px 10px }
</style>
<div><i>[1]:</i><pre>scan, tissues = MLArray.open("scan.mla"), MLArray.open("tissues.mla")
mlarray.show(scan, tissues)</pre></div>
<div><i>[1]:</i><div>CELL</div></div>"""


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        path, page = folder / "scan.mla", folder / "page.html"
        convert(find_scan(), path)
        with MLArray.open(path) as image:
            share = image[...] / np.float32(np.max(image[...]))
            # Fluid and white matter, by the brightness of the template.
            labels = ((share >= 0.01) & (share < 0.56)) + 2 * (share >= 0.75)
            cell = show(image, labels.astype(np.uint8))._repr_html_()
        page.write_text(PAGE.replace("CELL", cell.replace(str(folder) + "/", "")))
        options = ["--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"]
        options += ["--force-device-scale-factor=1.5", "--window-size=642,410"]
        options += [f"--screenshot={FOLDER / 'notebook.png'}"]
        subprocess.run(["chromium", *options, page.as_uri()], check=True)


if __name__ == "__main__":
    main()
