"""The sim and explain commands."""
