"""Bytes to messages and back, exactly as memberlist puts them on the wire. Pure functions and values."""
