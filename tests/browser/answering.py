"""Pressing keys in a slider and waiting until a plot has followed: for the browser tests and for the benchmark.

Tests ask that every press is followed; how fast is `tests/benchmarks/slider_answers.py`'s question, since a test
shares its machine with others.
"""

from __future__ import annotations

#: Presses a key in a slider once for each press and tells how long a plot took to be drawn anew (ms).
_PRESS = """
async ([slider, plot, presses]) => {
  const times = [];
  const drawn = () => [...plot.querySelectorAll(".scatterlayer path")].map((one) => one.getAttribute("d")).join()
    + (plot.querySelector(".lk-pd-base") ? plot.querySelector(".lk-pd-base").innerHTML : "");
  for (let n = 0; n < presses; n++) {
    const before = drawn();
    const seen = new Promise((done, late) => {
      const timer = setTimeout(() => late("the plot did not follow the slider"), 20000);
      const watch = new MutationObserver(() => {
        if (drawn() !== before) { clearTimeout(timer); watch.disconnect(); done(performance.now()); }
      });
      watch.observe(plot, { attributes: true, childList: true, subtree: true });
    });
    const start = performance.now();
    slider.dispatchEvent(new KeyboardEvent("keydown", { key: "ArrowRight", code: "ArrowRight", bubbles: true }));
    times.push((await seen) - start);
    await new Promise((go) => setTimeout(go, 250));
  }
  return times;
}
"""


def press(page, slider, plot, presses: int) -> list[float]:
    """Press a key `presses` times in a slider and return how long `plot` took each time (ms); raises if it does not."""
    return page.page.evaluate(_PRESS, [slider.element_handle(), plot.element_handle(), presses])
