"""The statistics of the loop: rates, intervals, agreement, calibration. Pure, and each formula with its source."""
