"""Pictures over time as SVG: a page with a time axis that can be zoomed and moved in a browser.

Everything is placed by time: elements with a ``data-a`` (and ``data-b``) attribute are moved by the embedded
script when the scale changes. Without scripts the picture is static and complete.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from html import escape

__all__ = ["INK", "STATES", "Picture", "Scale"]

INK = "#2b2f36"
STATES: dict[str, str] = {
    "alive": "#a9d8ab",
    "suspect": "#f5b942",
    "failed": "#d9534f",
    "leaving": "#a9bddb",
    "left": "#7f93b2",
    "unknown": "#eef0f3",
}
"""Colour of each state."""

_FONT = "font-family:ui-sans-serif,system-ui,Helvetica,Arial,sans-serif"
_MARGIN = 14
_TICKS = 10

_SCRIPT = """
(() => {
  const svg = document.documentElement, d = svg.dataset, left = +d.left, right = +d.right;
  const full = [+d.start, +d.end]; let [a, b] = full;
  const x = t => left + (t - a) / (b - a) * (right - left);
  const NS = 'http://www.w3.org/2000/svg', moved = [...svg.querySelectorAll('[data-a]')];
  const ticks = svg.querySelector('#ticks'), bottom = +d.bottom;
  function draw() {
    for (const e of moved) {
      const p = x(+e.dataset.a), q = x(+(e.dataset.b ?? e.dataset.a));
      if (e.tagName === 'line') { e.setAttribute('x1', p); e.setAttribute('x2', q); }
      else if (e.tagName === 'rect') { e.setAttribute('x', p); e.setAttribute('width', Math.max(q - p, .6)); }
      else e.setAttribute('transform', `translate(${p},0)`);
    }
    const raw = (b - a) / 10, mag = 10 ** Math.floor(Math.log10(raw));
    const step = [1, 2, 5, 10].find(m => m * mag >= raw * .999) * mag;
    const digits = Math.max(0, -Math.floor(Math.log10(step) + 1e-9));
    ticks.replaceChildren();
    for (let t = Math.ceil(a / step - 1e-9) * step; t <= b + step / 1e6; t += step) {
      const l = document.createElementNS(NS, 'line'), s = document.createElementNS(NS, 'text');
      for (const [k, v] of [['x1', x(t)], ['x2', x(t)], ['y1', 22], ['y2', bottom]]) l.setAttribute(k, v);
      s.setAttribute('x', x(t)); s.setAttribute('y', 16); s.textContent = t.toFixed(digits) + ' s';
      ticks.append(l, s);
    }
  }
  const at = e => { const p = svg.createSVGPoint(); p.x = e.clientX; p.y = e.clientY;
    return p.matrixTransform(svg.getScreenCTM().inverse()).x; };
  svg.addEventListener('wheel', e => { e.preventDefault();
    const t = a + (at(e) - left) / (right - left) * (b - a), f = Math.exp(e.deltaY / 400);
    a = t - (t - a) * f; b = t + (b - t) * f; draw(); }, { passive: false });
  let from = null;
  svg.addEventListener('pointerdown', e => { from = [at(e), a, b]; });
  svg.addEventListener('pointermove', e => { if (!from || !e.buttons) return;
    const s = (from[0] - at(e)) / (right - left) * (from[2] - from[1]);
    a = from[1] + s; b = from[2] + s; draw(); });
  svg.addEventListener('pointerup', () => { from = null; });
  svg.addEventListener('dblclick', () => { [a, b] = full; draw(); });
})();
"""


class Scale:
    """From seconds to pixels.

    Attributes:
        start: left end of the window, seconds.
        end: its right end.
        left: pixels of the left end.
        right: pixels of the right end.
    """

    __slots__ = ("end", "left", "right", "start")

    def __init__(self, start: float, end: float, left: float, right: float) -> None:
        self.start, self.end, self.left, self.right = start, end, left, right

    def x(self, at: float) -> float:
        """Pixels of a time."""
        share = (at - self.start) / (self.end - self.start)
        return round(self.left + share * (self.right - self.left), 2)

    def ticks(self) -> Iterator[tuple[float, str]]:
        """About ten round times with their labels."""
        raw = (self.end - self.start) / _TICKS
        magnitude = 10.0 ** math.floor(math.log10(raw))
        step = next(m * magnitude for m in (1, 2, 5, 10) if m * magnitude >= raw * 0.999)
        digits = max(0, -math.floor(math.log10(step) + 1e-9))
        for index in range(math.ceil(self.start / step - 1e-9), math.floor(self.end / step + 1e-9) + 1):
            yield index * step, f"{index * step:.{digits}f} s"


class Picture:
    """A picture under construction; elements are drawn in the order in which they are added.

    Elements with a time are clipped at the window's edges; fixed elements are on top.

    Args:
        scale: of the time axis.
        width: pixels.
        title: of the document, shown as its tooltip.
    """

    def __init__(self, scale: Scale, *, width: int, title: str) -> None:
        self.scale = scale
        self._width = width
        self._title = title
        self._timed: list[str] = []
        self._fixed: list[str] = []
        self._defs: list[str] = []

    def define(self, markup: str) -> None:
        """Adds to the definitions: markers, patterns."""
        self._defs.append(markup)

    def line(self, start: float, end: float, y1: float, y2: float, style: str, *, title: str = "") -> None:
        """A straight line between two times."""
        x1, x2 = self.scale.x(start), self.scale.x(end)
        body = f'<line data-a="{start:.6f}" data-b="{end:.6f}" x1="{x1}" x2="{x2}"'
        self._add(f'{body} y1="{y1:g}" y2="{y2:g}" style="{style}"', "line", title)

    def bar(self, start: float, end: float, y: float, height: float, style: str, *, title: str = "") -> None:
        """A rectangle between two times."""
        x, width = self.scale.x(start), max(0.6, round(self.scale.x(end) - self.scale.x(start), 2))
        body = f'<rect data-a="{start:.6f}" data-b="{end:.6f}" x="{x}" width="{width:g}"'
        self._add(f'{body} y="{y:g}" height="{height:g}" style="{style}"', "rect", title)

    def mark(self, at: float, markup: str, *, title: str = "") -> None:
        """Markup at one time, drawn around x = 0."""
        shown = f"<title>{escape(title)}</title>" if title else ""
        x = self.scale.x(at)
        self._timed.append(f'<g data-a="{at:.6f}" transform="translate({x},0)">{shown}{markup}</g>')

    def text(self, x: float, y: float, words: str, style: str = "") -> None:
        """Text at a fixed place."""
        self._fixed.append(f'<text x="{x:g}" y="{y:g}" style="{style}">{escape(words)}</text>')

    def fixed(self, markup: str) -> None:
        """Markup at a fixed place."""
        self._fixed.append(markup)

    def render(self, height: float) -> str:
        """The whole document; ``height`` pixels without the axis' own margin."""
        scale, bottom = self.scale, height - _MARGIN
        ticks = "".join(
            f'<line x1="{scale.x(at)}" x2="{scale.x(at)}" y1="22" y2="{bottom:g}"/>'
            f'<text x="{scale.x(at)}" y="16">{label}</text>'
            for at, label in scale.ticks()
        )
        clip = (
            f'<clipPath id="window"><rect x="{scale.left - 8:g}" y="0" '
            f'width="{scale.right - scale.left + 16:g}" height="{height:g}"/></clipPath>'
        )
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {self._width} {height:g}" '
            f'width="{self._width}" height="{height:g}" data-left="{scale.left:g}" '
            f'data-right="{scale.right:g}" data-start="{scale.start:.6f}" data-end="{scale.end:.6f}" '
            f'data-bottom="{bottom:g}" style="{_FONT};font-size:12px;background:#fff">\n'
            f"<title>{escape(self._title)}</title>\n<defs>{clip}{''.join(self._defs)}</defs>\n"
            f'<rect width="{self._width}" height="{height:g}" fill="#fff"/>\n'
            f'<g id="ticks" stroke="#e4e7eb" fill="#6b7280" text-anchor="middle" '
            f'style="font-size:11px">{ticks}</g>\n'
            f"<style>#ticks text{{stroke:none}}</style>\n"
            + '<g clip-path="url(#window)">\n'
            + "\n".join(self._timed)
            + "\n</g>\n"
            + "\n".join(self._fixed)
            + f"\n<script><![CDATA[{_SCRIPT}]]></script>\n</svg>\n"
        )

    def _add(self, opening: str, tag: str, title: str) -> None:
        end = f"><title>{escape(title)}</title></{tag}>" if title else "/>"
        self._timed.append(opening + end)
