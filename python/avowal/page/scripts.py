"""Scripts of the page: what draws its charts, complete and safe to stand in the page itself."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any

from avowal.page.charts import config
from avowal.sweep.looks import Spec

__all__ = ["bundle", "embed_calls", "safe_json"]

_ESCAPES = {ord(mark): f"\\u{ord(mark):04x}" for mark in "<>&\u2028\u2029"}
"""What could end a script element, start a comment in it, or end a line of it: JSON has another way to write each."""


@cache
def bundle() -> str:
    """Return Vega-Embed with Vega and Vega-Lite, and what draws with them.

    Returns
    -------
    str
        A script of about 900 kB, for a script element of its own. It defines ``vegaEmbed`` and ``avowalCharts``, and
        asks nothing of a network.

    Raises
    ------
    RuntimeError
        If the library holds what would end a script element.
    """
    import vl_convert

    library = vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;")
    script = f"{library}\n{files('avowal.page').joinpath('draw.js').read_text(encoding='utf-8')}"
    for mark in ("</script", "<script", "<!--"):
        if mark in script.lower():
            raise RuntimeError(f"vl-convert-python's bundle holds {mark!r}, which no script in a page may hold")
    return script


def embed_calls(charts: Mapping[str, Spec]) -> str:
    """Return the script that draws charts, to stand behind :func:`bundle` and behind the places.

    Parameters
    ----------
    charts
        By the ``id`` of the element that each is drawn into. What those elements hold is replaced. They need a width of
        their own; one that has none yet, as in a closed ``details``, is drawn when it gets one.

    Returns
    -------
    str
        A script. When all is drawn, the root element's ``data-charts`` is ``drawn``, or ``failed``; each place's
        ``data-drawn`` is ``light`` or ``dark``, after the stylesheet's ``color-scheme`` of the root element.
    """
    return f"avowalCharts({safe_json(charts)}, {safe_json({'light': config(False), 'dark': config(True)})});"


def safe_json(value: Any) -> str:
    r"""Write JSON that may stand in a script element of a page.

    Parameters
    ----------
    value
        What JSON can hold; infinite numbers and NaN are none of it.

    Returns
    -------
    str
        JSON on one line.

    Raises
    ------
    ValueError
        For an infinite number or NaN.

    Examples
    --------
    >>> safe_json({"name": "</script>"})
    '{"name":"\\u003c/script\\u003e"}'
    """
    return json.dumps(value, allow_nan=False, ensure_ascii=False, separators=(",", ":")).translate(_ESCAPES)
