"""What every kernel says of itself, for executors to cut, order and print its calls."""

import inspect

#: The pieces that a call can be cut into, each with scratch memory of its own.
MOST_PIECES = 4


def kernel(axis, *, writes, in_place=False, flops=None, per_piece="", **split):
    """Declare a function of arrays and scalars to be a kernel.

    A kernel writes into the arrays it is given and allocates none. It never
    guesses shapes and never branches on data.

    Parameters
    ----------
    axis : {"rows", "parameters", "features", "sum"} or None
        What its work may be cut along; None where every call needs the whole.
        What a kernel writes along ``"sum"`` is a sum over rows: the results of its
        parts are added up.
    writes : str
        The names of the arguments it writes, separated by spaces. Arguments
        named ``work`` and ``mask`` are scratch: their content means nothing
        before and after the call.
    in_place : bool, default=False
        Whether ``out`` may be the same memory as the input, or ``d_z`` as ``d_out``.
    flops : callable, default=None
        The number of floating-point operations of a call, from its arguments
        by name. Only matrix products declare it: they are what is worth
        cutting for several threads.
    per_piece : str, default=""
        The names of scratch arguments whose first axis has an entry for every piece
        that the work is cut into, separated by spaces. A kernel uses the first one.
    **split : int
        For every argument that is cut with the work: the number of its axis
        along which it is cut. Where the axis is None, it is what a compiled
        kernel of the same name may cut along its rows.
    """

    def declare(function):
        function.axis = axis
        function.writes = frozenset(writes.split())
        function.in_place = in_place
        function.flops = flops
        function.per_piece = frozenset(per_piece.split())
        function.split = split
        function.arguments = tuple(inspect.signature(function).parameters)
        return function

    return declare
