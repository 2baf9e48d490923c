"""Whether the screen looks as it should: measured on the page, at the widths and in the themes that people have."""

import os
from pathlib import Path

from playwright.sync_api import Page, expect

SIZES = ((1280, 900, "light"), (1920, 1080, "dark"))

_FAULTS = """() => {
  const faults = [];
  const all = selector => [...document.querySelectorAll(selector)].filter(
    x => x.checkVisibility({visibilityProperty: true}) && x.getBoundingClientRect().height > 1);
  const told = x => `${x.className || x.tagName} "${(x.innerText || '').slice(0, 30)}"`;
  const apart = elements => elements.forEach((a, i) => elements.slice(i + 1).forEach(b => {
    if (a.contains(b) || b.contains(a)) return;
    const [p, q] = [a.getBoundingClientRect(), b.getBoundingClientRect()];
    if (Math.min(p.right, q.right) - Math.max(p.left, q.left) > 2 &&
        Math.min(p.bottom, q.bottom) - Math.max(p.top, q.top) > 2) faults.push(`${told(a)} overlaps ${told(b)}`);
  }));
  const inside = (x, box, scrolls) => {
    const range = document.createRange();
    range.selectNodeContents(x);
    const text = range.getBoundingClientRect(), frame = box.getBoundingClientRect();
    if (text.left < frame.left - 2 || text.right > frame.right + 2 ||
        (!scrolls && (text.top < frame.top - 2 || text.bottom > frame.bottom + 2)))
      faults.push(`${told(x)} sticks out of ${told(box)}`);
  };
  apart(all('.gl-talk, .gl-evidence, .gl-judge'));
  apart(all('.gl-judge :is(h4, label, textarea, input[type=number]), .gl-machine .lsf-richtext')
    .filter(x => !x.closest('.gl-meaning')));
  apart(all('.gl-head h3, .gl-head a, .gl-talk [class*="phrase--"], .gl-answer'));
  apart(all('.gl-evidence .ant-collapse-header, .gl-evidence [class*="phrase--"]'));
  for (const x of all('.gl-judge label, .gl-judge h4, .gl-answer, .gl-machine, .gl-head')) inside(x, x);
  for (const x of all('.gl-judge h4, .gl-judge label')) inside(x, x.closest('.gl-judge'), true);
  for (const hint of all('.gl-judge .lsf-hint')) {
    const word = document.createRange();
    word.selectNode(hint.previousSibling);
    const q = hint.getBoundingClientRect();
    if ([...word.getClientRects()].some(r => Math.min(r.right, q.right) - Math.max(r.left, q.left) > 1 &&
        Math.min(r.bottom, q.bottom) - Math.max(r.top, q.top) > 4))
      faults.push(`a key covers ${told(hint.parentNode)}`);
  }
  const page = document.documentElement, screen = document.querySelector('.gl');
  if (page.scrollWidth > innerWidth + 1) faults.push(`the page is ${page.scrollWidth} wide`);
  if (screen.scrollWidth > screen.clientWidth + 1) faults.push(`the screen is ${screen.scrollWidth} wide`);
  return faults;
}"""

_OUT_OF_SIGHT = """() => {
  const fold = document.querySelector('.gl-meaning').getBoundingClientRect();
  const parts = [...document.querySelectorAll('.gl-part, .gl-machine')].filter(
    x => x.checkVisibility() && x.getBoundingClientRect().height > 1);
  return parts.filter(x => x.getBoundingClientRect().top < 0 || x.getBoundingClientRect().bottom > fold.top + 1)
    .map(x => x.innerText);
}"""


def assert_looks_right(page: Page) -> None:
    """Nothing overlaps, is cut or sticks out, and what the common case needs is in sight; leaves the first size on."""
    for width, height, theme in (*SIZES[1:], SIZES[0]):
        page.set_viewport_size({"width": width, "height": height})
        page.evaluate("theme => document.documentElement.setAttribute('data-color-scheme', theme)", theme)
        assert page.evaluate(_FAULTS) == [], (width, theme)
        assert page.evaluate(_OUT_OF_SIGHT) == [], (width, theme)
        expect(page.get_by_test_id("bottombar-submit-button")).to_be_in_viewport(ratio=1)


def faults(page: Page) -> list[str]:
    """What overlaps, is cut or sticks out as the page is now."""
    found = page.evaluate(_FAULTS)
    assert isinstance(found, list)
    return found


def picture(page: Page, name: str) -> None:
    """With GOLDLOOP_SCREENSHOTS=FOLDER in the environment, a picture of the documentation."""
    folder = os.environ.get("GOLDLOOP_SCREENSHOTS")
    if folder:
        expect(page.get_by_text("Annotation saved successfully", exact=True)).to_be_hidden(timeout=15_000)
        page.screenshot(path=Path(folder) / f"{name}.png", animations="disabled", caret="hide")
