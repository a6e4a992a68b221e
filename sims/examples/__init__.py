"""Programs on membership, to read, to break and to copy from."""
