"""What is done with whole files: repack, tune, verify, salvage."""
