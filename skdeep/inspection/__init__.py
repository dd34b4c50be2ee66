"""Diagnostics: what goes on in a network, in plain words and pictures."""

from skdeep.inspection.convolution_steps import (
    ConvolutionExplanation,
    ConvolutionStep,
    explain_convolution,
)
from skdeep.inspection.feature_maps import ActivationDisplay, KernelDisplay
from skdeep.inspection.grad_cam import GradCAM, grad_cam
from skdeep.inspection.gradient_check import check_gradient
from skdeep.inspection.gradient_flow import GradientFlowReport
from skdeep.inspection.learning_rate import LearningRateRangeTest, learning_rate_range_test
from skdeep.inspection.margin import MarginDisplay

__all__ = [
    "ActivationDisplay",
    "ConvolutionExplanation",
    "ConvolutionStep",
    "GradCAM",
    "GradientFlowReport",
    "KernelDisplay",
    "LearningRateRangeTest",
    "MarginDisplay",
    "check_gradient",
    "explain_convolution",
    "grad_cam",
    "learning_rate_range_test",
]
