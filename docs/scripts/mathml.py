"""A MkDocs hook that turns formulas into MathML, so the pages need no script and no network."""

import re
from html import unescape

from latex2mathml.converter import convert

_FORMULA = re.compile(
    r'<(?P<tag>span|div) class="arithmatex">\\(?P<open>[(\[])(?P<latex>.*?)\\[)\]]</(?P=tag)>',
    re.DOTALL,
)


def _mathml(match: re.Match[str]) -> str:
    display = "inline" if match["open"] == "(" else "block"
    return convert(unescape(match["latex"]), display=display)


def on_page_content(html: str, **_: object) -> str:
    """Replaces the formulas that pymdownx.arithmatex has marked."""
    return _FORMULA.sub(_mathml, html)
