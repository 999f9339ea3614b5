// Taught to an NGL view after ngl_scene.js: a density from the text of a cube file, shown as one iso-surface.
(function (view) {
  if (view.labkitVolume) { return; }
  const stage = view.stage;
  const held = { id: null, component: null, surface: null, wanted: null };
  view.labkitHeld = held;

  function told(level) {
    view.el.dataset.level = String(level);
    view.el.dataset.volume = held.id;
  }

  view.labkitLevel = function (level) {
    held.wanted = level;
    if (!held.surface) { return; }
    held.surface.setParameters({ isolevel: level });
    told(level);
  };

  view.labkitVolume = async function (volume) {
    if (held.id === volume.id) { view.labkitLevel(volume.level); return; }
    held.id = volume.id;
    held.wanted = volume.level;
    const blob = new Blob([volume.cube], { type: "text/plain" });
    const loaded = await stage.loadFile(blob, { ext: "cube", name: "density", defaultRepresentation: false });
    if (held.id !== volume.id) { stage.removeComponent(loaded); return; }
    if (held.component) { stage.removeComponent(held.component); }
    held.component = loaded;
    // A worker would need a script of its own, which no notebook server offers; a small grid takes milliseconds.
    held.surface = loaded.addRepresentation("surface", {
      isolevelType: "value", isolevel: held.wanted, color: volume.colour, opacity: volume.opacity,
      opaqueBack: false, useWorker: false, side: "double",
    });
    told(held.wanted);
  };
})(this);
