"""What the fronts of a running member share: on trio, on asyncio and for plain threads."""
