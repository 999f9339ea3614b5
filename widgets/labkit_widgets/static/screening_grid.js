// What is seen of the table: head with filters, rows in sight, check boxes, keys. Follows the store and the filter file.
const ROW = 26, OVERSCAN = 8;
const dotted = (column) => Object.keys(column.colours).length > 0;

function draw(store, { model, el }) {
  const root = element("div", "lk-grid");
  const bar = element("div", "lk-grid-bar"), scroller = element("div", "lk-grid-scroll"), head = element("div", "lk-grid-head");
  const body = element("div", "lk-grid-body"), note = element("div", "lk-grid-note"), said = element("span", "lk-grid-said");
  const clear = element("button", "lk-grid-clear", "Clear filters");
  scroller.style.height = model.get("height");
  scroller.tabIndex = 0;
  root.dataset.lmSuppressShortcuts = "true";  // arrows are for the table, not for the cells of the notebook
  for (const [name, value] of [["role", "grid"], ["aria-label", "Candidates"], ["aria-multiselectable", "true"]]) {
    scroller.setAttribute(name, value);
  }
  said.setAttribute("role", "status");
  scroller.append(head, body, note);
  root.append(bar, scroller);
  el.append(root);

  let built = "", filters = [], pool = [], toggles = [], inputs = [], titles = [], places = {}, lefts = [], frame = null;
  let selected = new Set(model.get("selected")), anchor = null;
  const everything = element("input");
  everything.type = "checkbox";
  everything.setAttribute("aria-label", "Select every candidate that is shown");

  function build() {
    const wanted = JSON.stringify(store.columns);
    if (wanted === built) { return; }
    built = wanted;
    const query = store.query;
    filters = []; toggles = []; inputs = []; titles = []; pool = []; lefts = [];
    head.replaceChildren(); body.replaceChildren(); bar.replaceChildren();
    const box = element("div", "lk-grid-cell lk-grid-check lk-grid-fixed");
    box.setAttribute("role", "columnheader");
    box.append(everything);
    head.append(box);
    let left = 36;
    for (const column of store.columns) {
      const cell = element("div", "lk-grid-cell"), title = element("button", "lk-grid-title");
      cell.setAttribute("role", "columnheader");
      cell.style.width = widthOf(column) + "px";
      if (column.fixed) { cell.classList.add("lk-grid-fixed"); cell.style.left = left + "px"; lefts.push([column.name, left]); left += widthOf(column); }
      title.append(element("span", "", column.title), element("span", "lk-grid-unit", column.unit), element("span", "lk-grid-arrow"));
      title.title = (column.help || column.title) + " \u2013 click to sort";
      title.addEventListener("click", () => {
        const again = query.sort === column.name;
        if (again && query.down) { query.sort = ""; query.down = false; } else { query.down = again; query.sort = column.name; }
        anchor = null;
        scroller.scrollTop = 0;
        store.changed();
      });
      titles.push([column.name, cell, title]);
      cell.append(title);
      if (isNumber(column)) {
        const filter = rangeFilter(store, column);
        filters.push(filter);
        cell.append(filter.box);
      } else if (column.kind === "choice") {
        const group = element("div", "lk-grid-choices");
        group.setAttribute("role", "group");
        group.append(element("span", "lk-grid-unit", column.title));
        column.choices.forEach((word) => {
          const toggle = element("button", "lk-grid-toggle");
          const dot = element("i");
          dot.style.background = column.colours[word] || "transparent";
          if (column.colours[word]) { toggle.append(dot); }
          toggle.append(word);
          toggle.addEventListener("click", () => {
            const now = new Set(query.choices[column.name] || []);
            if (!now.delete(word)) { now.add(word); }
            query.choices[column.name] = [...now];
            store.changed();
          });
          toggles.push([column.name, word, toggle]);
          group.append(toggle);
        });
        bar.append(group);
      } else {
        const input = element("input", "lk-grid-find");
        Object.assign(input, { type: "text", spellcheck: false, placeholder: column.kind === "formula" ? "Li Ti \u2212Co" : "contains" });
        input.title = "words that must be there; a minus before a word: must not be there";
        input.setAttribute("aria-label", "Filter " + column.title);
        input.addEventListener("input", () => {
          const text = input.value.replaceAll("\u2212", "-").trim();
          if (text) { query.texts[column.name] = text; } else { delete query.texts[column.name]; }
          store.changed();
        });
        inputs.push([column.name, input]);
        cell.append(input);
      }
      head.append(cell);
    }
    bar.append(clear, said);
    const width = 36 + store.columns.reduce((sum, column) => sum + widthOf(column), 0);
    head.style.width = body.style.width = width + "px";
    scroller.setAttribute("aria-colcount", String(store.columns.length + 1));
  }

  function newRow() {
    const row = element("div", "lk-grid-row"), cells = [];
    row.setAttribute("role", "row");
    const box = element("div", "lk-grid-cell lk-grid-check lk-grid-fixed"), check = element("input");
    check.type = "checkbox";
    check.tabIndex = -1;
    box.append(check);
    row.append(box);
    const fixed = new Map(lefts);
    for (const column of store.columns) {
      const cell = element("div", "lk-grid-cell lk-grid-" + column.kind);
      cell.setAttribute("role", "gridcell");
      cell.style.width = widthOf(column) + "px";
      if (fixed.has(column.name)) { cell.classList.add("lk-grid-fixed"); cell.style.left = fixed.get(column.name) + "px"; }
      if (dotted(column)) { const dot = element("i"), word = element("span"); cell.append(dot, word); }
      row.append(cell);
      cells.push(cell);
    }
    const made = { row, cells, check, candidate: null, at: -1, version: -1 };
    check.addEventListener("click", (event) => { event.stopPropagation(); toggle(made.candidate); });
    box.addEventListener("click", (event) => { event.stopPropagation(); if (event.target === box) { toggle(made.candidate); } });
    row.addEventListener("click", () => { activate(made.candidate); });
    body.append(row);
    return made;
  }

  function fill(one, at, place) {
    const candidate = store.data.candidate[at];
    if (one.at !== at || one.version !== store.version) {
      store.columns.forEach((column, number) => {
        const value = store.data[column.name][at], cell = one.cells[number];
        if (dotted(column)) {
          cell.firstChild.style.background = column.colours[value] || "transparent";
          cell.lastChild.textContent = value;
          return;
        }
        const text = isNumber(column) ? say(value, places[column.name]) : column.kind === "formula" ? subscripts(value) : value;
        if (cell.textContent !== text) { cell.textContent = text; }
        if (column.kind === "long" || column.kind === "text") { cell.title = value; }
      });
      one.at = at;
      one.version = store.version;
      one.candidate = candidate;
      one.row.dataset.candidate = candidate;
      one.check.setAttribute("aria-label", "Select candidate " + candidate);
    }
    one.row.style.transform = "translateY(" + place * ROW + "px)";
    one.row.setAttribute("aria-rowindex", String(place + 2));
    one.row.classList.toggle("lk-grid-odd", place % 2 === 1);
    one.row.classList.toggle("lk-grid-active", candidate === model.get("active"));
    one.check.checked = selected.has(candidate);
    one.row.setAttribute("aria-selected", String(one.check.checked));
    one.row.style.display = "";
  }

  function paint() {
    frame = null;
    // A notebook takes cells that are out of sight off the page; then there is no height to measure.
    const room = scroller.clientHeight || parseFloat(scroller.style.height) || 600;
    const first = Math.max(0, Math.floor(scroller.scrollTop / ROW) - OVERSCAN);
    const last = Math.min(store.order.length, Math.ceil((scroller.scrollTop + room) / ROW) + OVERSCAN);
    while (pool.length < last - first) { pool.push(newRow()); }
    pool.forEach((one, number) => {
      if (first + number < last) { fill(one, store.order[first + number], first + number); } else { one.row.style.display = "none"; }
    });
    const top = store.order[Math.floor(scroller.scrollTop / ROW)];
    anchor = scroller.scrollTop < ROW || top === undefined ? null
      : { candidate: store.data.candidate[top], rest: scroller.scrollTop % ROW };
    root.dataset.painted = String(Number(root.dataset.painted || 0) + 1);
  }
  const later = () => { if (frame === null) { frame = requestAnimationFrame(paint); } };

  function refresh(why) {
    const began = performance.now();
    build();
    const query = store.query;
    if (why !== "query") {
      for (const column of store.columns) { if (isNumber(column)) { places[column.name] = scaleOf(store.data[column.name]).places; } }
      filters.forEach((one) => one.measure());
    } else { filters.forEach((one) => one.draw()); }
    for (const [name, cell, title] of titles) {
      const on = query.sort === name;
      cell.setAttribute("aria-sort", on ? (query.down ? "descending" : "ascending") : "none");
      title.lastChild.textContent = on ? (query.down ? "\u25bc" : "\u25b2") : "";
    }
    for (const [name, word, toggle] of toggles) {
      toggle.setAttribute("aria-pressed", String((query.choices[name] || []).includes(word)));
    }
    for (const [name, input] of inputs) { if (input !== document.activeElement) { input.value = query.texts[name] || ""; } }
    const filtered = Object.keys(query.ranges).length || Object.keys(query.texts).length
      || Object.values(query.choices).some((one) => one.length);
    clear.disabled = !filtered;
    body.style.height = store.order.length * ROW + "px";
    scroller.setAttribute("aria-rowcount", String(store.order.length + 1));
    // New rows above must not push what the user reads out of sight.
    if (why === "data" && anchor !== null) {
      const place = store.placeOf(anchor.candidate);
      if (place >= 0) { scroller.scrollTop = place * ROW + anchor.rest; }
    }
    note.textContent = store.n === 0 ? "There are no candidates yet."
      : store.order.length === 0 ? "No candidate passes these filters." : "";
    note.style.display = note.textContent ? "" : "none";
    count();
    if (frame !== null) { cancelAnimationFrame(frame); }
    paint();
    root.dataset.took = (performance.now() - began).toFixed(1);
    root.dataset.version = String(store.version);
  }

  function count() {
    const group = (number) => number.toLocaleString("en");
    said.textContent = group(store.order.length) + " of " + group(store.n) + " candidates"
      + (selected.size ? ", " + group(selected.size) + " selected" : "");
    let inside = 0;
    if (selected.size) { for (const at of store.order) { if (selected.has(store.data.candidate[at])) { inside++; } } }
    everything.checked = inside > 0 && inside === store.order.length;
    everything.indeterminate = inside > 0 && inside < store.order.length;
  }

  function keep() {
    model.set("selected", [...selected]);
    model.save_changes();
    count();
    later();
  }
  function toggle(candidate) {
    if (!selected.delete(candidate)) { selected.add(candidate); }
    keep();
  }
  function activate(candidate) {
    model.set("active", candidate);
    model.save_changes();
    later();
  }
  everything.addEventListener("click", () => {
    const ids = Array.from(store.order, (at) => store.data.candidate[at]);
    if (ids.every((id) => selected.has(id))) { ids.forEach((id) => selected.delete(id)); } else { ids.forEach((id) => selected.add(id)); }
    keep();
  });
  clear.addEventListener("click", () => {
    Object.assign(store.query, { ranges: {}, texts: {}, choices: {} });
    inputs.forEach(([, input]) => { input.value = ""; });
    store.changed();
  });
  scroller.addEventListener("scroll", later, { passive: true });
  scroller.addEventListener("keydown", (event) => {
    const steps = { ArrowDown: 1, ArrowUp: -1, PageDown: 12, PageUp: -12, Home: -1e9, End: 1e9 };
    if (event.target !== scroller || store.order.length === 0) { return; }
    const here = store.placeOf(model.get("active"));
    if (event.key === " " && here >= 0) { toggle(model.get("active")); } else if (event.key in steps) {
      const place = Math.min(Math.max((here < 0 ? -1 : here) + steps[event.key], 0), store.order.length - 1);
      const top = place * ROW, room = scroller.clientHeight - head.offsetHeight;
      if (top < scroller.scrollTop) { scroller.scrollTop = top; }
      if (top + ROW > scroller.scrollTop + room) { scroller.scrollTop = top + ROW - room; }
      activate(store.data.candidate[store.order[place]]);
    } else { return; }
    event.preventDefault();
    event.stopPropagation();
  });
  const press = () => { store.hold(); }, lift = () => setTimeout(store.release, 0);
  [head, body].forEach((part) => part.addEventListener("pointerdown", press));
  window.addEventListener("pointerup", lift);
  window.addEventListener("pointercancel", lift);
  const onSelected = () => { selected = new Set(model.get("selected")); count(); later(); };
  const watch = new ResizeObserver(() => { filters.forEach((one) => one.draw()); later(); });
  watch.observe(scroller);
  model.on("change:selected", onSelected);
  model.on("change:active", later);
  store.listeners.add(refresh);
  refresh("first");
  return () => {
    watch.disconnect();
    window.removeEventListener("pointerup", lift);
    window.removeEventListener("pointercancel", lift);
    model.off("change:selected", onSelected);
    model.off("change:active", later);
    store.listeners.delete(refresh);
  };
}

// anywidget hands another proxy of the model to each call, so what both share lives in a closure, one for each widget.
export default () => {
  let store = null;
  return {
    initialize({ model }) {
      store = makeStore(model);
      model.on("msg:custom", (message, buffers) => { if (message.kind === "rows") { store.take(buffers[0]); } });
      model.on("change:query", () => {
        const given = model.get("query");
        if (given && given.ranges && JSON.stringify(given) !== JSON.stringify(store.query)) {
          Object.assign(store.query, structuredClone(given));
          store.changed();
        }
      });
      const snapshot = model.get("snapshot");
      if (snapshot && snapshot.byteLength) { store.take(snapshot); }
      model.send({ kind: "ready", version: store.version });
    },
    render: (context) => draw(store, context),
  };
};
