// The head of a column of numbers: their distribution, a slider with two handles, two exact numbers.
const BINS = 24;
const WIDTHS = { integer: 104, number: 128, choice: 140, formula: 132, text: 160, long: 340 };
const widthOf = (column) => Math.max(WIDTHS[column.kind],
  Math.min(7.4 * (column.title.length + column.unit.length) + 38, 230));

// How the numbers of a column are written and spread: whole numbers, decimals, or powers of ten where they span decades.
function scaleOf(values) {
  let least = Infinity, most = -Infinity, smallest = Infinity, largest = 0, whole = true;
  for (const value of values) {
    if (!Number.isFinite(value)) { continue; }
    least = Math.min(least, value);
    most = Math.max(most, value);
    whole = whole && Number.isInteger(value);
    if (value !== 0) { smallest = Math.min(smallest, Math.abs(value)); largest = Math.max(largest, Math.abs(value)); }
  }
  const decades = !whole && largest > 0 && (largest < 1e-3 || largest >= 1e7 || (least > 0 && largest / smallest > 1e4));
  const places = whole ? 0 : decades ? -1 : largest === 0 ? 3 : Math.min(Math.max(3 - Math.floor(Math.log10(largest)), 1), 6);
  return { least, most, places, log: decades && least > 0 };
}

function say(value, places) {
  if (value !== value) { return ""; }
  const text = value.toFixed(Math.max(places, 0));
  const long = value !== 0 && (places < 0 || Number(text) === 0 || Math.abs(value) >= 1e9);
  return (long ? value.toExponential(2) : text).replace("-", "\u2212");
}

const subscripts = (formula) => formula.replace(/\d/g, (digit) => String.fromCharCode(0x2080 + Number(digit)));

function element(tag, name, text) {
  const made = document.createElement(tag);
  if (name) { made.className = name; }
  if (text !== undefined) { made.textContent = text; }
  return made;
}

function rangeFilter(store, column) {
  const box = element("div", "lk-grid-range"), bars = element("canvas"), track = element("div", "lk-grid-track");
  const label = column.title + (column.unit ? " (" + column.unit + ")" : "");
  const sliders = ["at least", "at most"].map((words) => {
    const one = element("input");
    Object.assign(one, { type: "range", min: 0, max: 1000, step: 1, title: "double click: whole range" });
    one.setAttribute("aria-label", label + " " + words);
    return one;
  });
  const fields = ["at least", "at most"].map((words) => {
    const one = element("input");
    Object.assign(one, { type: "text", inputMode: "decimal", spellcheck: false });
    one.setAttribute("aria-label", label + " " + words + ", as a number");
    return one;
  });
  const numbers = element("div", "lk-grid-numbers");
  numbers.append(...fields);
  track.append(...sliders);
  box.append(bars, track, numbers);
  let low = 0, high = 1, counts = [], scale = scaleOf([]);
  const warp = (value) => (scale.log ? Math.log10(value) : value), back = (value) => (scale.log ? 10 ** value : value);

  const range = () => store.query.ranges[column.name] || [null, null];
  function set(side, value) {
    const next = range().slice();
    next[side] = value;
    if (next[0] !== null && next[1] !== null && next[0] > next[1]) { next[1 - side] = value; }
    store.query.ranges[column.name] = next;
    if (next[0] === null && next[1] === null) { delete store.query.ranges[column.name]; }
    draw();
    store.changed();
  }
  sliders.forEach((slider, side) => {
    slider.addEventListener("input", () => {
      const at = Number(slider.value), end = side ? 1000 : 0;
      set(side, at === end ? null : Number(back(low + (high - low) * at / 1000).toPrecision(6)));
    });
    slider.addEventListener("dblclick", () => { set(0, null); set(1, null); });
  });
  function read(field, side) {
    const text = field.value.trim().replace("\u2212", "-").replace(",", ".");
    const bad = text !== "" && !Number.isFinite(Number(text));
    field.classList.toggle("lk-grid-bad", bad);
    field.title = bad ? "not a number" : "";
    if (!bad) { set(side, text === "" ? null : Number(text)); }
  }
  fields.forEach((field, side) => {
    field.addEventListener("change", () => read(field, side));
    field.addEventListener("keydown", (event) => { if (event.key === "Enter") { read(field, side); } });
  });

  function draw() {
    const [from, to] = range(), span = high - low || 1;
    const spot = (value, end) => {
      if (value === null) { return end; }
      const at = scale.log && value <= 0 ? 0 : Math.round(1000 * (warp(value) - low) / span);
      return Math.min(Math.max(at, 0), 1000);
    };
    const ends = [spot(from, 0), spot(to, 1000)];
    sliders.forEach((slider, side) => { slider.value = ends[side]; });
    sliders[0].style.zIndex = ends[0] > 900 ? 3 : 1;  // both handles at the right end: the left one must be on top
    track.style.setProperty("--from", ends[0] / 10 + "%");
    track.style.setProperty("--to", ends[1] / 10 + "%");
    fields.forEach((field, side) => {
      if (field !== document.activeElement) { field.value = range()[side] === null ? "" : String(range()[side]); }
      field.placeholder = counts.length ? say(back(side ? high : low), scale.places) : "";
    });
    const width = bars.clientWidth || 100, dots = window.devicePixelRatio || 1;
    bars.width = width * dots;
    bars.height = 16 * dots;
    const pen = bars.getContext("2d"), most = Math.max(1, ...counts);
    pen.scale(dots, dots);
    counts.forEach((count, bin) => {
      const middle = (bin + 0.5) / BINS * 1000, tall = count ? Math.max(1.5, 16 * Math.sqrt(count / most)) : 0;
      pen.fillStyle = middle >= ends[0] && middle <= ends[1] ? "#56B4E9" : "rgba(138,143,152,0.45)";
      pen.fillRect(bin * width / BINS, 16 - tall, width / BINS - 1, tall);
    });
  }
  function measure() {
    const values = store.data[column.name] || [];
    scale = scaleOf(values);
    counts = [];
    if (scale.least <= scale.most) {
      [low, high] = [warp(scale.least), warp(scale.most)];
      counts = new Array(BINS).fill(0);
      const factor = high > low ? BINS / (high - low) : 0;
      for (const value of values) {
        if (Number.isFinite(value)) { counts[Math.min(BINS - 1, Math.floor((warp(value) - low) * factor))]++; }
      }
    }
    const idle = counts.length === 0 || low === high;
    sliders.forEach((slider) => { slider.disabled = idle; });
    draw();
  }
  return { box, measure, draw };
}
