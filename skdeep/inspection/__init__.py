"""Diagnostics: what goes on in a network in training, in plain words and pictures."""

from skdeep.inspection.gradient_flow import GradientFlowReport
from skdeep.inspection.learning_rate import LearningRateRangeTest, learning_rate_range_test

__all__ = ["GradientFlowReport", "LearningRateRangeTest", "learning_rate_range_test"]
