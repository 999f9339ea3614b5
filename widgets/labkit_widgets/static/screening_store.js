// A table of candidates: all rows are kept here as columns, only those in sight are elements of the page.
// Messages patch rows; sorting, filters, scrolling and check boxes belong to the user and outlive every message.
const TELL_MS = 250, HOLD_MS = 10000;
const collator = new Intl.Collator("en", { numeric: true });
const isNumber = (column) => column.kind === "number" || column.kind === "integer";

function unpack(buffer) {
  // Length of the JSON (padded to 8 bytes), JSON, then one row of doubles for each numeric column.
  const view = buffer instanceof DataView ? buffer : new DataView(buffer);
  const bytes = new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
  const size = view.getUint32(0, true);
  const head = JSON.parse(new TextDecoder().decode(bytes.subarray(8, 8 + size)));
  head.matrix = new Float64Array(bytes.slice(8 + size).buffer);
  return head;
}

function makeStore(model) {
  const store = { version: -1, columns: [], n: 0, data: {}, order: new Uint32Array(0), place: null,
    listeners: new Set(), held: [], holds: 0, query: { sort: "", down: false, ranges: {}, texts: {}, choices: {} } };
  const given = model.get("query");
  if (given && given.ranges) { store.query = structuredClone(given); }

  function patch(head) {
    if (head.fresh) { store.n = 0; store.data = {}; store.asked = false; }
    else if (head.base !== store.version) {
      if (!store.asked) { store.asked = true; model.send({ kind: "ready", version: store.version }); }
      return false;
    }
    store.version = head.version;
    store.columns = head.columns;
    for (const column of head.columns) { if (!store.data[column.name]) { store.data[column.name] = []; } }
    const numeric = head.columns.filter(isNumber), rows = head.at.length;
    for (const at of head.at) { store.n = Math.max(store.n, at + 1); }
    head.columns.forEach((column) => {
      const to = store.data[column.name], number = numeric.indexOf(column), text = head.texts[column.name];
      while (to.length < store.n) { to.push(number < 0 ? "" : NaN); }
      for (let i = 0; i < rows; i++) { to[head.at[i]] = number < 0 ? text[i] : head.matrix[number * rows + i]; }
    });
    return true;
  }

  store.take = (buffer) => {
    // A row must not move away from under a pressed mouse button.
    if (store.holds) { store.held.push(buffer); return; }
    if (patch(unpack(buffer))) { store.arrange(); store.listeners.forEach((one) => one("data")); }
  };
  let lost = null;
  store.release = () => { clearTimeout(lost); store.holds = 0; store.held.splice(0).forEach(store.take); };
  store.hold = () => { store.holds = 1; clearTimeout(lost); lost = setTimeout(store.release, HOLD_MS); };

  function test(column, term) {
    const words = term.split(/\s+/).filter(Boolean).map((word) => {
      const no = word.length > 1 && word[0] === "-";
      const safe = (no ? word.slice(1) : word).replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
      // In a formula C is carbon: neither Ca nor Cl; elsewhere capitals do not matter.
      return [no, column.kind === "formula" ? new RegExp(safe + "(?![a-z])") : new RegExp(safe, "i")];
    });
    return (text) => words.every(([no, pattern]) => pattern.test(text) !== no);
  }

  store.arrange = () => {
    const { query, n } = store, keep = new Uint8Array(n).fill(1);
    for (const column of store.columns) {
      const values = store.data[column.name];
      if (isNumber(column)) {
        const [low, high] = query.ranges[column.name] || [null, null];
        if (low === null && high === null) { continue; }
        const from = low === null ? -Infinity : low, to = high === null ? Infinity : high;
        for (let i = 0; i < n; i++) { if (!(values[i] >= from && values[i] <= to)) { keep[i] = 0; } }
        continue;
      }
      const allowed = query.choices[column.name];
      const fits = [];
      if (allowed && allowed.length) { fits.push((text) => allowed.includes(text)); }
      if (query.texts[column.name]) { fits.push(test(column, query.texts[column.name])); }
      for (const one of fits) { for (let i = 0; i < n; i++) { if (!one(values[i])) { keep[i] = 0; } } }
    }
    let count = 0;
    const order = new Uint32Array(n);
    for (let i = 0; i < n; i++) { if (keep[i]) { order[count++] = i; } }
    const shown = order.subarray(0, count), sorter = store.columns.find((one) => one.name === query.sort);
    if (sorter) { sortBy(shown, sorter, query.down ? -1 : 1); }
    store.order = shown.slice();
    store.place = null;
    tell();
  };

  function sortBy(shown, column, sign) {
    const values = store.data[column.name];
    if (!isNumber(column)) {
      const ranks = new Map();
      if (column.kind === "choice") { column.choices.forEach((word, rank) => ranks.set(word, rank)); }
      const words = [...new Set(values)].sort(collator.compare);
      words.forEach((word) => { if (!ranks.has(word)) { ranks.set(word, ranks.size); } });
      const rank = values.map((word) => ranks.get(word));
      shown.sort((a, b) => sign * (rank[a] - rank[b]) || a - b);
      return;
    }
    // What has no number stands last in either direction.
    shown.sort((a, b) => {
      const x = values[a], y = values[b];
      if (x !== x || y !== y) { return x !== x ? (y !== y ? a - b : 1) : -1; }
      return sign * (x - y) || a - b;
    });
  }

  let timer = null;
  function tell() {
    clearTimeout(timer);
    timer = setTimeout(() => {
      const ids = store.data.candidate || [];
      const out = Int32Array.from(store.order, (at) => ids[at]);
      model.set("query", structuredClone(store.query));
      model.set("order", new DataView(out.buffer));
      model.save_changes();
    }, TELL_MS);
  }
  store.changed = () => { store.arrange(); store.listeners.forEach((one) => one("query")); };
  store.placeOf = (candidate) => {
    if (!store.place) {
      store.place = new Map();
      store.order.forEach((at, place) => store.place.set(store.data.candidate[at], place));
    }
    return store.place.has(candidate) ? store.place.get(candidate) : -1;
  };
  return store;
}
