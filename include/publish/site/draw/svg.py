"""Drawn SVG, made small and accessible: one image with a text, and a tip for each mark."""

from __future__ import annotations

import re
from xml.etree import ElementTree

_SVG = "http://www.w3.org/2000/svg"
_NUMBER = re.compile(r"-?\d+\.\d{2,}")
_MARKS = ("point", "bar")
_EMPTY_PATHS = ("", "M0,0h0v0h0Z")
_DROPPED = (
    *("class", "role", "aria-hidden", "aria-label", "aria-roledescription", "pointer-events"),
    *("stroke-miterlimit", "font-family", "version", "width", "height"),
)
_ROUNDED = ("d", "transform", "x", "y", "x2", "y2")

ElementTree.register_namespace("", _SVG)


def finished(drawn: str, title: str) -> str:
    """The SVG as it appears in a page: scalable, without styles, named by the title.

    The description of a mark becomes its `data-tip`, which the site's script shows.
    """
    root = ElementTree.fromstring(drawn)  # noqa: S314 - drawn by our own library
    for element in root.iter():
        _clean(element)
    _prune(root)
    root.attrib.update({"role": "img", "aria-label": title, "class": "chart"})
    return ElementTree.tostring(root, encoding="unicode")


def _clean(element: ElementTree.Element) -> None:
    tip = element.get("aria-label") if element.get("aria-roledescription") in _MARKS else None
    is_root = element.tag == f"{{{_SVG}}}svg"
    for name in _DROPPED:
        if name in ("width", "height") and not is_root:
            continue
        element.attrib.pop(name, None)
    for name in _ROUNDED:
        if name in element.attrib:
            element.set(name, _NUMBER.sub(_rounded, element.attrib[name]))
    if tip:
        element.set("data-tip", tip)


def _rounded(found: re.Match[str]) -> str:
    return f"{float(found.group()):.1f}".removesuffix(".0")


def _prune(parent: ElementTree.Element) -> None:
    """Remove what draws nothing."""
    for child in list(parent):
        _prune(child)
        is_path = child.tag == f"{{{_SVG}}}path"
        is_group = child.tag == f"{{{_SVG}}}g"
        unseen = is_path and (child.get("d") in _EMPTY_PATHS or child.get("display") == "none")
        background = is_path and not child.get("fill") and not child.get("stroke")
        if (
            unseen
            or (background and "data-tip" not in child.attrib)
            or (is_group and not len(child))
        ):
            parent.remove(child)
