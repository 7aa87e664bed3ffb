"""Other libraries' ways to open an image; each module needs its library."""
