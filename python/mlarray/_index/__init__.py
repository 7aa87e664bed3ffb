"""NumPy keys as boxes and points, and values for assignment: pure functions."""
