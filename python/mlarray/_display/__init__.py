"""How an image is shown: in one line, in a notebook, in a terminal."""
