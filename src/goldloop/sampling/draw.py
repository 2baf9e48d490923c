"""One randomised draw of fixed size, with exact inclusion probabilities."""

import numpy as np

from goldloop.sampling.mixture import Floats


def systematic(pi: Floats, units: list[str], rng: np.random.Generator) -> list[int]:
    """Indices of a sample in which candidate i is with probability pi[i] exactly, of size sum(pi) rounded either way.

    Randomised systematic pi-ps sampling (Hartley & Rao 1962): candidates lie on a line, each as long as its pi, the
    units in random order and each unit's candidates side by side in random order; a comb with teeth one apart is laid
    on it from a uniform start. So no candidate comes twice, and a unit gets at most one more than its share of pi.
    """
    names, unit = np.unique(np.asarray(units), return_inverse=True)
    order = np.lexsort((rng.random(len(pi)), rng.permutation(len(names))[unit]))
    edges = np.cumsum(pi[order])
    # The sum of the pi is a whole number but for rounding; snapped, so that no tooth falls off the end.
    if abs(edges[-1] - round(edges[-1])) < 1e-6:  # noqa: PLR2004 - far above rounding, far below any pi
        edges[-1] = round(edges[-1])
    teeth = np.arange(rng.random(), edges[-1], 1.0)
    hit = np.searchsorted(edges, teeth, side="right")
    return [int(index) for index in order[np.minimum(hit, len(pi) - 1)]]
