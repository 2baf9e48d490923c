"""A judge's number, recalibrated by a logistic regression of two coefficients."""

from goldloop.numeric import Floats, line_of


def recalibrated(log_odds: Floats, y: Floats) -> tuple[float, float]:
    """(a, b) so that expit(a + b * log_odds) fits the labels y (n,), with a prior of b = 1: see `numeric.line_of`."""
    middle, level, slope = line_of(log_odds, y)
    slope = max(slope, 0.0)
    return level - slope * middle, slope
