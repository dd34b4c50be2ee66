"""Diagnostics: what goes on in a network in training, in plain words and pictures."""

from skdeep.inspection.gradient_flow import GradientFlowReport
from skdeep.inspection.learning_rate import LearningRateRangeTest, learning_rate_range_test
from skdeep.inspection.margin import MarginDisplay

__all__ = [
    "GradientFlowReport",
    "LearningRateRangeTest",
    "MarginDisplay",
    "learning_rate_range_test",
]
