"""Elementwise formulas: each is written once, in Python, as an expression.

From the one expression come its derivative, the NumPy kernel, the compiled kernel, and the
instructions of the register machine that runs a user's formula without a compiler. Nothing
here needs more than Python itself, so that the build can import it.
"""
