"""Whether two samples can come from one distribution."""

import numpy as np
from scipy import stats


def same_distribution(first, second):
    """A p-value: Kolmogorov-Smirnov for continuous values, chi-square where few values repeat."""
    first, second = np.asarray(first, float), np.asarray(second, float)
    values, counts = np.unique(np.concatenate([first, second]), return_counts=True)
    if len(values) == 1:
        return 1.0
    if len(values) > 0.2 * (len(first) + len(second)):
        return stats.ks_2samp(first, second).pvalue
    # Neighbouring values are pooled until each cell expects ten in the smaller sample.
    least = 10 * (len(first) + len(second)) / min(len(first), len(second))
    edges, pooled = [], 0
    for value, count in zip(values, counts, strict=True):
        pooled += count
        if pooled >= least:
            edges.append(value)
            pooled = 0
    if pooled:
        edges = edges[:-1]
    cells = len(edges) + 1
    table = [
        np.bincount(np.searchsorted(edges, sample, side="left"), minlength=cells)
        for sample in (first, second)
    ]
    table = np.array(table)
    table = table[:, table.sum(0) > 0]
    return stats.chi2_contingency(table).pvalue if table.shape[1] > 1 else 1.0
