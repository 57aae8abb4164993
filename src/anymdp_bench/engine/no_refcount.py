"""Views of arrays without reference counts, for the inside of kernels.

Numba counts the references to an array with atomic instructions. It does so where a function that takes the
array starts and where it ends, unless the function is inlined. Around a learner's two short functions this
counting took two thirds of the time of a step.
"""

from __future__ import annotations

from typing import Any

from numba import config
from numba.extending import intrinsic
from numba.np.arrayobj import make_array


def _make_view(typing_context, array):
    """Builds a view of an array that has no owner, so that counting its references costs nothing."""

    def generate(context, builder, signature, arguments):
        view = make_array(signature.args[0])(context, builder, arguments[0])
        view.meminfo = view.meminfo.type(None)
        view.parent = view.parent.type(None)
        return view._getvalue()

    return array(array), generate


_is_jit_off: bool = config.DISABLE_JIT  # type: ignore[attr-defined, unused-ignore]
no_refcount: Any = (lambda array: array) if _is_jit_off else intrinsic(_make_view)
"""no_refcount(array) returns a view of the array without an owner. It is called inside a kernel.

The caller of the kernel must hold the array until the kernel returns. The view must not leave the kernel.
"""
