"""Exact solvers of linear support vector machines, on plain arrays."""
