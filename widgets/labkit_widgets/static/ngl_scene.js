// Taught once to each NGL view: one message builds a scene, later messages only move atoms.
// Coordinates that arrive faster than the browser draws are overwritten, never queued.
(function (view) {
  if (view.labkit) { return; }
  const stage = view.stage;
  const state = { id: null, atoms: null, cell: null, style: null, pending: null, tints: null, dirty: false, frames: 0, cost: 0 };
  view.labkit = state;
  view.el.classList.add("labkit-ngl");

  // nglview mirrors every component between views and the kernel; here the scene message does that, once.
  ["componentAdded", "componentRemoved", "parametersChanged"].forEach((name) => stage.signals[name].removeAll());

  const rgb = (hex) => [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16) / 255);

  function paint() {
    const probe = document.createElement("span");
    probe.style.color = "var(--jp-layout-color0, white)";
    document.body.appendChild(probe);
    const parts = getComputedStyle(probe).color.match(/[\d.]+/g).slice(0, 3).map(Number);
    probe.remove();
    const hex = "#" + parts.map((part) => Math.round(part).toString(16).padStart(2, "0")).join("");
    stage.setParameters({ backgroundColor: hex });
  }

  function fit() {
    const box = view.el.getBoundingClientRect();
    if (box.width > 10 && box.height > 10) { view.setSize(Math.floor(box.width) + "px", Math.floor(box.height) + "px"); }
  }

  function flush() {
    state.scheduled = false;
    if (!state.atoms || !(state.pending || state.tints)) { return; }
    const next = state.pending, tints = state.tints, count = state.atoms.structure.atomCount;
    state.pending = state.tints = null;
    const what = {};
    if (next && next.length === 3 * count) { what.position = true; }
    if (tints && tints.length === count) { what.color = true; }
    if (!what.position && !what.color) { return; }
    state.began = performance.now();
    if (what.position) { state.atoms.structure.updatePosition(next); }
    if (what.color) { tint(state.atoms, tints); }
    state.atoms.updateRepresentations(what);
    state.dirty = true;
  }

  // A number for each atom, 0 to 1; a style with the colour scheme "bfactor" shows them.
  function tint(atoms, values) {
    const store = atoms.structure.atomStore;
    for (let i = 0; i < values.length; i++) { store.bfactor[i] = values[i]; }
    view.el.dataset.tinted = String(values.length);
  }

  // The pause lets messages that came in during a slow drawing overwrite each other; without it each one is drawn.
  function later() {
    if (state.scheduled) { return; }
    state.scheduled = true;
    setTimeout(() => window.requestAnimationFrame(flush), Math.min(0.25 * state.cost, 150));
  }

  function dress(style) {
    state.style = style;
    if (!state.atoms) { return; }
    state.atoms.removeAllRepresentations();
    style.forEach((item) => state.atoms.addRepresentation(item.type, Object.assign({}, item.params)));
  }

  function drawCell(cell) {
    const old = state.cell;
    state.cell = null;
    state.box = cell ? cell.edges : [];
    if (cell && cell.edges.length) {
      const shape = new NGL.Shape("cell");
      cell.edges.forEach((edge) => shape.addCylinder(edge[0], edge[1], rgb(edge[2]), cell.radius));
      state.cell = stage.addComponentFromObject(shape);
      state.cell.addRepresentation("buffer", {});
    }
    if (old) { stage.removeComponent(old); }
  }

  function points() {
    const found = [];
    const store = state.atoms ? state.atoms.structure.atomStore : null;
    if (store) { for (let i = 0; i < state.atoms.structure.atomCount; i++) { found.push([store.x[i], store.y[i], store.z[i]]); } }
    (state.box || []).forEach((edge) => found.push(edge[0], edge[1]));
    return found;
  }

  // NGL fits the sphere around everything; this fits what is seen from the present direction.
  function frame() {
    const all = points();
    if (!all.length) { return; }
    const q = stage.viewerControls.rotation; // the matrix beside it is one drawing behind
    const across = [1 - 2 * (q.y * q.y + q.z * q.z), 2 * (q.x * q.y - q.z * q.w), 2 * (q.x * q.z + q.y * q.w)];
    const up = [2 * (q.x * q.y + q.z * q.w), 1 - 2 * (q.x * q.x + q.z * q.z), 2 * (q.y * q.z - q.x * q.w)];
    const along = (axis, p) => axis[0] * p[0] + axis[1] * p[1] + axis[2] * p[2];
    const low = [Infinity, Infinity, Infinity], high = [-Infinity, -Infinity, -Infinity];
    let width = [Infinity, -Infinity], height = [Infinity, -Infinity];
    all.forEach((p) => {
      p.forEach((value, k) => { low[k] = Math.min(low[k], value); high[k] = Math.max(high[k], value); });
      const x = along(across, p), y = along(up, p);
      width = [Math.min(width[0], x), Math.max(width[1], x)];
      height = [Math.min(height[0], y), Math.max(height[1], y)];
    });
    const viewer = stage.viewer;
    const middle = stage.getCenter().clone().set(...low.map((value, k) => (value + high[k]) / 2));
    const tall = height[1] - height[0] + 2.5;
    const wide = (width[1] - width[0] + 2.5) * viewer.height / Math.max(viewer.width, 1);
    const distance = 1.08 * Math.max(tall, wide) / (2 * Math.tan((viewer.perspectiveCamera.fov * Math.PI) / 360));
    stage.animationControls.zoomMove(middle, Math.sign(stage.getZoom()) * distance, 0);
  }

  function look(orientation) {
    if (orientation) { stage.viewerControls.rotate(new NGL.Quaternion().fromArray(orientation)); }
    frame();
  }

  view.updateCoordinates = function (data) {
    state.pending = new Float32Array(data);
    later();
  };
  view.labkitTint = function (values) {
    state.tints = values;
    later();
  };
  view.labkitStyle = dress;
  view.labkitCell = drawCell;
  view.labkitCamera = function (orientation) {
    stage.viewerControls.orient(new NGL.Matrix4());
    look(orientation);
  };
  view.labkitScene = async function (scene) {
    if (state.id === scene.id) { return; }
    const first = state.id === null;
    state.id = scene.id;
    state.pending = state.tints = null;
    const old = state.atoms;
    state.atoms = null;
    const blob = new Blob([scene.pdb], { type: "text/plain" });
    const options = { ext: "pdb", defaultRepresentation: false, inferBonds: "none", name: "atoms" };
    const loaded = await stage.loadFile(blob, options);
    if (old) { stage.removeComponent(old); } // also where a later scene has overtaken this one: it has not seen `old`
    if (state.id !== scene.id) { stage.removeComponent(loaded); return; }
    state.atoms = loaded;
    if (scene.tints && scene.tints.length === loaded.structure.atomCount) { tint(loaded, scene.tints); }
    dress(scene.style);
    drawCell(scene.cell);
    if (first && !view.model.get("_camera_orientation").length) { look(scene.orientation); }
    else if (first || scene.center) { frame(); }
    state.began = performance.now();
    state.dirty = true;
    view.el.dataset.scene = scene.id;
    view.el.dataset.atoms = String(loaded.structure.atomCount);
    later();
  };

  stage.viewer.signals.rendered.add(function () {
    if (!state.dirty) { return; }
    state.dirty = false;
    state.frames += 1;
    state.cost = performance.now() - state.began;
    view.el.dataset.frames = String(state.frames);
  });

  // sampleLevel -1: the repeated anti-aliasing passes of a still picture cost seconds without a graphics card.
  stage.setParameters({ cameraType: "orthographic", sampleLevel: -1, clipDist: 0, fogNear: 100, fogFar: 100, hoverTimeout: -1 });
  paint();
  const sizes = new ResizeObserver(fit);
  sizes.observe(view.el);
  const theme = new MutationObserver(paint);
  theme.observe(document.body, { attributes: true, attributeFilter: ["data-jp-theme-name", "data-jp-theme-light"] });
  const remove = view.remove;
  view.remove = function () {
    sizes.disconnect();
    theme.disconnect();
    stage.dispose();
    return remove.call(view);
  };
  fit();
})(this);
