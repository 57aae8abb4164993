"""Words of memory that threads share while they run compiled code.

A word is 64 bits of an array, found by the array's address: kernels that took the array itself would count
its references, and so slow each other down. What a thread wrote before `store` or `add`, another one sees
after the `load` or `add` that reads their value. Compiled code only.
"""

from __future__ import annotations

from typing import Any

from numba import types
from numba.core import cgutils
from numba.extending import intrinsic


def _find(builder: Any, address: Any, index: Any) -> Any:
    """Returns the pointer to word `index` of the memory at `address`."""
    return builder.gep(builder.inttoptr(address, address.type.as_pointer()), [index])


def _load(typing_context, address, index):
    def generate(context, builder, signature, arguments):
        return builder.load_atomic(_find(builder, *arguments), "acquire", 8)

    return types.int64(types.int64, types.int64), generate


def _store(typing_context, address, index, value):
    def generate(context, builder, signature, arguments):
        builder.store_atomic(arguments[2], _find(builder, *arguments[:2]), "release", 8)
        return context.get_dummy_value()

    return types.void(types.int64, types.int64, types.int64), generate


def _add(typing_context, address, index, value):
    def generate(context, builder, signature, arguments):
        return builder.atomic_rmw("add", _find(builder, *arguments[:2]), arguments[2], "seq_cst")

    return types.int64(types.int64, types.int64, types.int64), generate


def _pointer(typing_context, address):
    def generate(context, builder, signature, arguments):
        return builder.inttoptr(arguments[0], cgutils.voidptr_t)

    return types.voidptr(types.int64), generate


load: Any = intrinsic(_load)
"""load(address, index) reads word `index` of the memory at `address`, int64."""

store: Any = intrinsic(_store)
"""store(address, index, value) writes word `index` of the memory at `address`."""

add: Any = intrinsic(_add)
"""add(address, index, value) adds to word `index` of the memory at `address`; returns what it was before."""

pointer: Any = intrinsic(_pointer)
"""pointer(address) is what `numba.carray` makes an array of. Nothing keeps the memory alive."""
