"""Views of arrays that nobody counts.

Numba counts the references to an array with atomic instructions where a function that takes one starts and
where it ends, unless it was inlined. Around a learner's two short functions that was two thirds of a step.
"""

from __future__ import annotations

from typing import Any

from numba import config
from numba.extending import intrinsic
from numba.np.arrayobj import make_array


def _borrowed(typing_context, array):
    """The same array without an owner, so that counting its references costs nothing.

    Of arrays that the caller of a kernel holds until the kernel returns, and for use inside it alone.
    """

    def generate(context, builder, signature, arguments):
        view = make_array(signature.args[0])(context, builder, arguments[0])
        view.meminfo = view.meminfo.type(None)
        view.parent = view.parent.type(None)
        return view._getvalue()

    return array(array), generate


_off: bool = config.DISABLE_JIT  # type: ignore[attr-defined, unused-ignore]
no_refcount: Any = (lambda array: array) if _off else intrinsic(_borrowed)
"""no_refcount(array), inside a kernel"""
