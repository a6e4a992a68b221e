"""Clusters to prove things with: simulated in virtual time, and real ones to measure (``sims.bench``)."""
