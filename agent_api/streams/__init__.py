"""Answers that go on: lines to one reader, as they come, for as long as the client stays."""
