"""Plots and diagnostics of fitted estimators."""

from skdeep.inspection.margin import MarginDisplay

__all__ = ["MarginDisplay"]
