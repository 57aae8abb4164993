"""What a message says of a name that nobody knows: the nearest known one, and all of them."""

from __future__ import annotations

from collections.abc import Iterable


def find_nearest(name: object, known: Iterable[str]) -> str | None:
    """Returns the known name that is spelt most like `name`, whatever its case; None if none is near."""
    from difflib import get_close_matches

    names = {str(each).lower(): str(each) for each in known}
    found = get_close_matches(str(name).lower(), names, n=1)
    return names[found[0]] if found else None


def offer(name: object, known: Iterable[str], more: Iterable[str] = ()) -> str:
    """Returns the part of a message that follows "no agent 'omnir'; ".

    Args:
        name: what was asked for.
        known: the names that there are; the message lists them.
        more: further names that may be meant; the message does not list them.

    Returns:
        "did you mean 'omnirl'? known: ad, omnirl, ...", or only "known: ad, omnirl, ..." if none is near.
    """
    names = [str(each) for each in known]
    nearest = find_nearest(name, [*names, *more])
    guess = "" if nearest is None else f"did you mean {nearest!r}? "
    return f"{guess}known: {', '.join(names)}"
