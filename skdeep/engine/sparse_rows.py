"""Sparse rows as the input of a network's first layers."""

from dataclasses import dataclass

from skdeep.engine.program import Buffer


@dataclass(frozen=True, eq=False)
class SparseRows:
    """A batch in CSR form: row i holds the entries up to ``row_end[i]``.

    ``values`` and ``columns`` are as long as the batch with the most entries.
    """

    values: Buffer
    columns: Buffer
    row_end: Buffer

    @property
    def owner(self):
        """These rows themselves, as for a buffer that is no view of another."""
        return self

    @property
    def arguments(self):
        """The three buffers, by the names that kernels give them."""
        return {
            "values": self.values,
            "columns": self.columns,
            "row_end": self.row_end,
        }
