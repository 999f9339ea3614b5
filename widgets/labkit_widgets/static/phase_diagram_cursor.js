// The pointer over a phase diagram: tie-line, lever rule, curves that can be dragged.
// Everything the pointer shows comes from rows (one for each temperature) that the kernel sent before; between two rows
// of the same kind the ends are interpolated. The kernel hears of a click, of a drag at most 20 times a second (late
// positions are dropped, never queued), and of hovering only while the isotherm follows the cursor.
const NEAR_PX = 9, CLICK_PX = 4, PAUSE_MS = 50, LINE_PX = 4;

// ---- what is stable where -------------------------------------------------------------------------------------------
function sameKind(a, b) {
  return a.t.length === b.t.length && a.s.length === b.s.length && a.s.every((one, n) => one[0] === b.s[n][0])
    && a.t.every((one, n) => one[0] === b.t[n][0] && one[2] === b.t[n][2]);
}

function between(a, b, part) {
  const mix = (one, other) => one.map((value, n) => value + part * (other[n] - value));
  return { s: a.s.map((one, n) => mix(one, b.s[n])), t: a.t.map((one, n) => mix(one, b.t[n])) };
}

function rowAt(rows, T) {
  const all = rows.T;
  if (!all || !all.length) { return null; }
  if (T <= all[0]) { return rows.rows[0]; }
  if (T >= all[all.length - 1]) { return rows.rows[all.length - 1]; }
  let low = 0, high = all.length - 1;
  while (high - low > 1) { const half = (low + high) >> 1; if (all[half] <= T) { low = half; } else { high = half; } }
  const part = (T - all[low]) / (all[high] - all[low] || 1), a = rows.rows[low], b = rows.rows[high];
  return sameKind(a, b) ? between(a, b, part) : part < 0.5 ? a : b;
}

// Returns {phase} inside of a field, {tie} inside of a gap, null where no phase reaches; `near` is half a line's width.
function atComposition(row, x, near) {
  const line = row.s.find((one) => one[2] - one[1] < 2 * near && Math.abs(x - (one[1] + one[2]) / 2) < near);
  if (line) { return { phase: line[0], x: (line[1] + line[2]) / 2 }; }
  const tie = row.t.find((one) => x >= one[1] && x <= one[3]);
  if (tie) { return { tie }; }
  const field = row.s.find((one) => x >= one[1] - near && x <= one[2] + near);
  return field ? { phase: field[0], x } : null;
}

function atPotential(row, mu, near) {
  const tie = row.t.find((one) => Math.abs(one[4] - mu) < near);
  if (tie) { return { tie }; }
  const place = row.t.filter((one) => one[4] < mu).length;
  return row.s[place] ? { phase: row.s[place][0] } : null;
}

// ---- drawing --------------------------------------------------------------------------------------------------------
const SVG = "http://www.w3.org/2000/svg";

function add(parent, name, attributes) {
  const made = document.createElementNS(SVG, name);
  Object.entries(attributes).forEach(([key, value]) => made.setAttribute(key, value));
  parent.append(made);
  return made;
}

function span(text, className) {
  const made = document.createElement("span");
  made.textContent = text;
  if (className) { made.className = className; }
  return made;
}

function render({ model, el }) {
  el.classList.add("lk-pd-words");
  let root = null, wait = 0, frame = 0, last = null, drag = null, hovered = 0, timer = null;
  const layers = new Map();
  const look = () => model.get("look");
  const electronvolts = (x) => (Math.abs(x) < 5e-4 ? 0 : x).toFixed(3);
  const percent = (x) => `${(100 * x).toFixed(1)} %`;

  function layer(plot) {
    let made = layers.get(plot);
    if (!made || !made.svg.isConnected) {
      plot.style.position = "relative";
      made = { svg: document.createElementNS(SVG, "svg"), tag: document.createElement("div") };
      made.base = document.createElementNS(SVG, "svg");
      made.base.setAttribute("class", "lk-pd-layer lk-pd-base");
      made.svg.setAttribute("class", "lk-pd-layer");
      made.tag.className = "lk-pd-tag";
      plot.append(made.base, made.svg, made.tag);
      layers.set(plot, made);
    }
    return made;
  }

  function clear() {
    layers.forEach(({ svg, tag }) => { svg.replaceChildren(); tag.style.display = "none"; });
  }

  function spot(event) {
    const plot = event.target.closest && event.target.closest(".js-plotly-plot");
    if (!plot || !root.contains(plot) || !plot._fullLayout || !plot._fullLayout.xaxis) { return null; }
    const kind = plot.closest(".lk-pd-map") ? "map" : plot.closest(".lk-pd-curves") ? "curves" : null;
    const { xaxis, yaxis } = plot._fullLayout, box = plot.getBoundingClientRect();
    const px = event.clientX - box.left - xaxis._offset, py = event.clientY - box.top - yaxis._offset;
    if (!kind || px < -3 || py < 0 || px > xaxis._length + 3 || py > yaxis._length) { return null; }
    const low = Math.min(...xaxis.range), high = Math.max(...xaxis.range);
    const x = Math.max(low, Math.min(high, xaxis.p2d(px)));
    return { plot, kind, xaxis, yaxis, px, py, x, y: yaxis.p2d(py) };
  }

  function pixel(at, x, y) { return [at.xaxis._offset + at.xaxis.d2p(x), at.yaxis._offset + at.yaxis.d2p(y)]; }

  // ---- words ----
  function shares(tie, x) {
    const second = Math.max(0, Math.min(1, (x - tie[1]) / (tie[3] - tie[1] || 1)));
    return [{ phase: tie[0], x: tie[1], share: 1 - second }, { phase: tie[2], x: tie[3], share: second }];
  }

  function sentence(found, x, T, view) {
    const { names, second, mu } = look(), place = view === "mu" ? `${mu} = ${electronvolts(x)} eV` : `${percent(x)} ${second}`;
    const where = `At ${T.toFixed(0)} K and ${place}: `;
    if (!found) { return where + "no phase of this composition."; }
    if (found.tie && view === "mu") {
      const [p, a, q, b] = found.tie;
      return `${where}${names[p]} (${percent(a)} ${second}) and ${names[q]} (${percent(b)} ${second}) coexist.`;
    }
    if (found.tie) {
      const [a, b] = shares(found.tie, x).map((one) =>
        `${percent(one.share)} ${names[one.phase]} (${percent(one.x)} ${second})`);
      return `${where}${a} and ${b}; ${mu} = ${electronvolts(found.tie[4])} eV.`;
    }
    return `${where}${names[found.phase]} alone.`;
  }

  function chip(phase, text, right) {
    const row = document.createElement("div"), dot = document.createElement("i");
    dot.style.background = look().colours[phase];
    row.append(dot, span(text), span(right || "", "lk-pd-right"));
    return row;
  }

  function tagged(at, found, x, T, view) {
    const { tag } = layer(at.plot), { names, second, mu } = look();
    const head = document.createElement("b");
    head.textContent = `${T.toFixed(0)} K, ${view === "mu" ? `${mu} ${electronvolts(x)} eV` : `${percent(x)} ${second}`}`;
    const parts = [head];
    if (found && found.tie) {
      const both = shares(found.tie, x), bar = document.createElement("div");
      bar.className = "lk-pd-bar";
      both.forEach((one) => {
        const text = `${names[one.phase]} with ${percent(one.x)} ${second}`;
        parts.push(chip(one.phase, text, view === "mu" ? "" : percent(one.share)));
        const part = document.createElement("i");
        part.style.cssText = `background:${look().colours[one.phase]};width:${100 * one.share}%`;
        bar.append(part);
      });
      if (view !== "mu") { parts.push(bar, span(`${mu} = ${electronvolts(found.tie[4])} eV`, "lk-muted")); }
    } else if (found) {
      parts.push(chip(found.phase, names[found.phase], view === "mu" ? "" : "100 %"));
    }
    tag.replaceChildren(...parts);
    tag.style.display = "block";
    const [left, top] = [at.xaxis._offset + at.px, at.yaxis._offset + at.py];
    const wide = tag.offsetWidth, high = tag.offsetHeight, room = at.plot.clientWidth;
    tag.style.left = `${left + 18 + wide > room ? Math.max(0, left - wide - 18) : left + 18}px`;
    tag.style.top = `${Math.max(0, top - high - 16 < 0 ? top + 18 : top - high - 16)}px`;
  }

  // ---- the tie-line ----
  function lever(at, tie, x, left, right) {
    const { svg } = layer(at.plot), colours = look().colours;
    const middle = left.map((one, n) => one + (right[n] - one) * ((x - tie[1]) / (tie[3] - tie[1] || 1)));
    add(svg, "line", { x1: left[0], y1: left[1], x2: right[0], y2: right[1], class: "lk-pd-tie-under" });
    // An arm has the colour of the phase whose amount it measures: the one at the other end.
    const arm = (a, b, colour) =>
      add(svg, "line", { x1: a[0], y1: a[1], x2: b[0], y2: b[1], class: "lk-pd-tie", stroke: colour });
    arm(left, middle, colours[tie[2]]);
    arm(middle, right, colours[tie[0]]);
    [[left, tie[0], tie[1]], [right, tie[2], tie[3]]].forEach(([end, phase, value]) => {
      add(svg, "circle", { cx: end[0], cy: end[1], r: 6, fill: colours[phase], class: "lk-pd-end" });
      if (at.kind !== "map") { return; }
      const foot = at.yaxis._offset + at.yaxis._length;
      add(svg, "line", { x1: end[0], y1: end[1], x2: end[0], y2: foot, class: "lk-pd-drop", stroke: colours[phase] });
      const text = add(svg, "text", { x: end[0], y: foot - 5, class: "lk-pd-value", "text-anchor": "middle" });
      text.textContent = percent(value);
    });
    add(svg, "circle", { cx: middle[0], cy: middle[1], r: 4, class: "lk-pd-here" });
  }

  function tangentEnds(at, tie) {
    const trace = at.plot._fullData[look().names.length];
    for (let n = 0; trace && n + 1 < trace.x.length; n++) {
      if (Math.abs(trace.x[n] - tie[1]) < 2e-3 && Math.abs(trace.x[n + 1] - tie[3]) < 2e-3) {
        return [pixel(at, trace.x[n], trace.y[n]), pixel(at, trace.x[n + 1], trace.y[n + 1])];
      }
    }
    return null;
  }

  function plotOf(kind) {
    const plot = root.querySelector(`.js-plotly-plot.lk-pd-${kind}`);
    if (!plot || !plot._fullLayout || !plot._fullLayout.xaxis) { return null; }
    return { plot, kind, xaxis: plot._fullLayout.xaxis, yaxis: plot._fullLayout.yaxis };
  }

  // The isotherm and the pinned tie-line: drawn here, because plotly would need a tenth of a second for them. It has its
  // own, hidden on the page, for the picture that its button saves.
  function pinned() {
    const at = plotOf("map"), { T, x, ends } = model.get("pin");
    if (!at || T === undefined) { return; }
    const { base } = layer(at.plot), colours = look().colours, [cx, cy] = pixel(at, x, T);
    const left = at.xaxis._offset, line = { y1: cy, y2: cy };
    base.replaceChildren();
    add(base, "line", { x1: left, x2: left + at.xaxis._length, ...line, class: "lk-pd-isotherm" });
    if (model.get("axis") !== "c") { return; }
    const places = ends.length === 2 ? ends.map(([phase, value]) => ({ phase, value, px: pixel(at, value, T)[0] })) : [];
    places.forEach(({ px }, n) => {
      const stroke = colours[ends[1 - n][0]];
      add(base, "line", { x1: px, x2: cx, ...line, class: "lk-pd-tie", stroke });
    });
    places.forEach(({ phase, value, px }) => {
      add(base, "circle", { cx: px, cy, r: 6, fill: colours[phase], class: "lk-pd-end" });
      const text = add(base, "text", { x: px, y: cy - 10, class: "lk-pd-value", "text-anchor": "middle" });
      text.textContent = percent(value);
    });
    add(base, "circle", { cx, cy, r: 4, class: "lk-pd-here" });
  }

  function show(at) {
    clear();
    const view = at.kind === "map" ? model.get("axis") : "c";
    const here = model.get("isotherm"), T = at.kind === "map" ? at.y : here.T;
    const row = at.kind === "map" ? rowAt(model.get("rows"), T) : here.row;
    if (!row) { return; }
    const near = Math.abs(at.xaxis.p2d(LINE_PX) - at.xaxis.p2d(0));
    const found = view === "mu" ? atPotential(row, at.x, near) : atComposition(row, at.x, near);
    const x = found && found.x !== undefined ? found.x : at.x;
    if (at.kind === "map") {
      const [cx, cy] = pixel(at, view === "mu" && found && found.tie ? found.tie[4] : x, T);
      if (found && found.tie && view === "c") {
        lever(at, found.tie, x, pixel(at, found.tie[1], T), pixel(at, found.tie[3], T));
      } else { add(layer(at.plot).svg, "circle", { cx, cy, r: 4, class: "lk-pd-here" }); }
    }
    const curves = at.kind === "curves" ? at : Math.abs(T - here.T) < 1e-6 ? plotOf("curves") : null;
    if (curves) {
      const foot = curves.yaxis._offset + curves.yaxis._length, [cx] = pixel(curves, x, 0);
      add(layer(curves.plot).svg, "line", { x1: cx, x2: cx, y1: curves.yaxis._offset, y2: foot, class: "lk-pd-drop" });
      const ends = found && found.tie && tangentEnds(curves, found.tie);
      if (ends) { lever(curves, found.tie, x, ...ends); }
    }
    if (at.kind === "curves" && model.get("axis") === "c") {
      const map = plotOf("map");
      if (map && found && found.tie) { lever(map, found.tie, x, pixel(map, found.tie[1], T), pixel(map, found.tie[3], T)); }
    }
    tagged(at, found, x, T, view);
    el.textContent = sentence(found, x, T, view);
    if (at.kind === "map" && model.get("follow")) { tell("hovered", [T, ++hovered]); }
  }

  // ---- messages: the latest one, at most 20 a second ----
  let next = null, sent = 0;
  function tell(name, value) {
    next = [name, value];
    if (timer) { return; }
    const go = () => {
      timer = null;
      if (!next) { return; }
      sent = performance.now();
      model.set(...next);
      next = null;
      model.save_changes();
    };
    timer = setTimeout(go, Math.max(0, PAUSE_MS - (performance.now() - sent)));
  }

  // ---- dragging a curve ----
  const drawn = (phase) => model.get("shifts")[phase] || 0;

  function nearest(at) {
    let best = null;
    at.plot._fullData.slice(0, look().names.length).forEach((trace, phase) => {
      const xs = trace.x || [], ys = trace.y || [];
      for (let n = 0; n < xs.length; n++) {
        const a = [at.xaxis.d2p(xs[n]), at.yaxis.d2p(ys[n])], m = Math.min(n + 1, xs.length - 1);
        const b = [at.xaxis.d2p(xs[m]), at.yaxis.d2p(ys[m])], u = [b[0] - a[0], b[1] - a[1]];
        const length = u[0] * u[0] + u[1] * u[1];
        const part = length ? Math.max(0, Math.min(1, ((at.px - a[0]) * u[0] + (at.py - a[1]) * u[1]) / length)) : 0;
        const far = Math.hypot(at.px - a[0] - part * u[0], at.py - a[1] - part * u[1]);
        if (far < NEAR_PX && (!best || far < best.far)) { best = { far, phase }; }
      }
    });
    return best;
  }

  function ghost() {
    clear();
    const { plot, phase, shift, at } = drag, now = plot._fullData[phase], more = shift - drawn(phase);
    const points = Array.from(now.x || [], (x, n) => pixel(at, x, now.y[n] + more).join(","));
    const { svg, tag } = layer(plot), colour = look().colours[phase];
    const { _offset: left, _length: width } = at.xaxis, { _offset: top, _length: height } = at.yaxis;
    const clip = add(svg, "svg", { x: left, y: top, width, height, viewBox: `${left} ${top} ${width} ${height}` });
    if (points.length > 1) { add(clip, "polyline", { points: points.join(" "), class: "lk-pd-ghost", stroke: colour }); }
    else if (points.length) {
      const [cx, cy] = points[0].split(",");
      add(svg, "circle", { cx, cy, r: 9, class: "lk-pd-ghost", stroke: colour });
    }
    tag.replaceChildren(chip(phase, look().names[phase], `${shift > 0 ? "+" : ""}${shift.toFixed(1)} meV/atom`));
    tag.style.display = "block";
    tag.style.left = `${Math.min(plot.clientWidth - tag.offsetWidth, at.xaxis._offset + drag.px + 18)}px`;
    tag.style.top = `${Math.max(0, at.yaxis._offset + drag.py - 40)}px`;
  }

  function dragged(event) {
    const box = drag.plot.getBoundingClientRect(), { xaxis, yaxis } = drag.plot._fullLayout, limit = look().reach_meV;
    drag.px = event.clientX - box.left - xaxis._offset;
    drag.py = event.clientY - box.top - yaxis._offset;
    drag.at = { plot: drag.plot, kind: "curves", xaxis, yaxis };
    if (!drag.moved && Math.abs(event.clientY - drag.y0) < CLICK_PX) { return; }
    drag.moved = true;
    const wanted = drag.start + yaxis.p2d(drag.py) - drag.energy;
    drag.shift = Math.max(-limit, Math.min(limit, Math.round(2 * wanted) / 2));
    cancelAnimationFrame(frame);
    frame = requestAnimationFrame(() => { if (drag) { ghost(); } });
    tell("dragged", [drag.phase, drag.shift]);
  }

  function dropped() {
    window.removeEventListener("pointermove", dragged, true);
    window.removeEventListener("pointerup", dropped, true);
    window.removeEventListener("pointercancel", dropped, true);
    cancelAnimationFrame(frame);
    clear();
    if (drag && !drag.moved) { model.send({ kind: "pick", phase: drag.phase, x: drag.x }); }
    drag = null;
  }

  function down(event) {
    if (event.button !== 0) { return; }
    const at = spot(event);
    if (!at) { return; }
    if (at.kind === "map") {
      const up = (other) => {
        if (Math.hypot(other.clientX - event.clientX, other.clientY - event.clientY) < CLICK_PX) {
          model.send({ kind: "pin", x: at.x, T: at.y });
        }
      };
      window.addEventListener("pointerup", up, { capture: true, once: true });
      return;
    }
    const found = nearest(at);
    if (!found) { return; }
    // Without this plotly would see the same button and start to zoom.
    event.preventDefault();
    event.stopPropagation();
    const { plot, px, py, x } = at, start = drawn(found.phase);
    drag = { plot, at, px, py, x, phase: found.phase, y0: event.clientY, energy: at.y, start, shift: start };
    window.addEventListener("pointermove", dragged, true);
    window.addEventListener("pointerup", dropped, true);
    window.addEventListener("pointercancel", dropped, true);
  }

  // ---- the pointer ----
  function move(event) {
    if (drag) { return; }
    last = spot(event);
    cancelAnimationFrame(frame);
    frame = requestAnimationFrame(() => {
      if (drag) { return; }
      if (!last) { leave(); return; }
      last.plot.classList.toggle("lk-pd-grab", last.kind === "curves" && nearest(last) !== null);
      show(last);
    });
  }

  function leave() {
    if (drag) { return; }
    last = null;
    cancelAnimationFrame(frame);
    clear();
    el.textContent = model.get("words");
  }

  function redraw() { if (last && !drag) { show(last); } else if (drag) { ghost(); } }
  const said = () => { if (!last) { el.textContent = model.get("words"); } };

  let map = null;
  function watch() {
    map = root.querySelector(".js-plotly-plot.lk-pd-map");
    if (!map || !map.on || !map._fullLayout) { wait = setTimeout(watch, 50); return; }
    map.on("plotly_afterplot", pinned);
    pinned();
    root.dataset.cursor = "ready";
  }

  function start() {
    root = el.closest(".lk-phase-diagram");
    if (!root) { wait = requestAnimationFrame(start); return; }
    root.addEventListener("pointermove", move);
    root.addEventListener("pointerleave", leave);
    root.addEventListener("pointerdown", down, true);
    watch();
  }

  model.on("change:words", said);
  model.on("change:rows", redraw);
  model.on("change:pin", pinned);
  said();
  start();
  return () => {
    cancelAnimationFrame(wait);
    clearTimeout(wait);
    if (map && map.removeListener) { map.removeListener("plotly_afterplot", pinned); }
    cancelAnimationFrame(frame);
    clearTimeout(timer);
    dropped();
    model.off("change:words", said);
    model.off("change:rows", redraw);
    model.off("change:pin", pinned);
    layers.forEach(({ base, svg, tag }) => { base.remove(); svg.remove(); tag.remove(); });
    if (root) {
      root.removeEventListener("pointermove", move);
      root.removeEventListener("pointerleave", leave);
      root.removeEventListener("pointerdown", down, true);
    }
  };
}
export default { render };
