// The recording as a line that can be dragged: left is the oldest moment, right is live.

const $ = (id) => document.getElementById(id);

/**
 * Makes the line. `seek` takes seconds of the media's own time, `dateAt` gives the moment that they
 * were live, `titleAt` what played, and `spoken` says the moment in words.
 */
export function timeline({ seek, dateAt, titleAt, spoken }) {
  const box = $("timeline");
  let range = { from: 0, to: 0, live: 0 };
  let held = null, drawn = "";

  const share = (position) => (range.to > range.from ? (position - range.from) / (range.to - range.from) : 1);
  const percent = (position) => `${100 * Math.min(1, Math.max(0, share(position)))}%`;
  const positionOf = (event) => {
    const { left, width } = box.getBoundingClientRect();
    const at = range.from + (range.to - range.from) * Math.min(1, Math.max(0, (event.clientX - left) / width));
    return Math.min(at, range.live);
  };

  function point(event) {
    const position = positionOf(event);
    const behind = Math.round(range.live - position);
    $("tip").hidden = $("ghost").hidden = range.to === 0;
    const moment = behind < 2 ? "live" : `${spoken(position)}  −${Math.floor(behind / 60)}:${String(behind % 60).padStart(2, "0")}`;
    $("tip").textContent = [moment, titleAt(position)].filter(Boolean).join(" · ");
    $("tip").style.left = `clamp(46px, ${percent(position)}, calc(100% - 46px))`;
    $("ghost").style.left = percent(position);
    return position;
  }

  box.onpointerdown = (event) => {
    if (event.button !== 0 || range.to === 0) return;
    box.setPointerCapture(event.pointerId);
    box.classList.add("held");
    held = point(event);
  };
  box.onpointermove = (event) => {
    const position = point(event);
    if (held !== null) held = position;
  };
  box.onpointerup = box.onpointercancel = (event) => {
    box.classList.remove("held");
    if (held !== null && event.type === "pointerup") seek(held);
    held = null;
  };
  box.onpointerleave = () => {
    if (held === null) $("tip").hidden = $("ghost").hidden = true;
  };

  /** Programmes and breaks, each in its colour. */
  function programmes(bands) {
    const key = `${range.from} ${range.to}`;
    if (key === drawn) return;
    drawn = key;
    const all = bands();
    $("programmes").replaceChildren(...all.map((one, index) => {
      const band = document.createElement("i");
      band.style.left = percent(one.start);
      band.style.right = `${100 - parseFloat(percent(all[index + 1]?.start ?? range.to))}%`;
      band.dataset.role = one.role;
      // A programme keeps its colour while the window slides.
      if (one.role === "programme") band.style.backgroundColor = ["#1d2d3e", "#26394d"][one.shade % 2];
      return band;
    }));
  }

  return {
    /** Where the knob is held; null when it is not. */
    held: () => held,
    /** Shows a state of the player. */
    draw({ from, to, live, at, buffered, bands }) {
      range = { from, to, live };
      programmes(bands);
      $("played").style.width = $("knob").style.left = percent(at);
      let piece = null;
      for (let index = 0; index < buffered.length; index += 1) {
        if (buffered.start(index) <= at + 0.2 && buffered.end(index) >= at) piece = [buffered.start(index), buffered.end(index)];
      }
      $("buffered").style.left = percent(piece?.[0] ?? at);
      $("buffered").style.right = `${100 - parseFloat(percent(piece?.[1] ?? at))}%`;
      box.setAttribute("aria-valuemax", Math.round(live - from));
      box.setAttribute("aria-valuenow", Math.round(at - from));
      const date = dateAt(at);
      if (date) box.setAttribute("aria-valuetext", spoken(at));
    },
  };
}
