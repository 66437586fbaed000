// What the channel plays now, and then: from its schedule.

const $ = (id) => document.getElementById(id);
const EVERY_MS = 1000;
/** How often the schedule is read: it is known hours ahead. */
const SCHEDULE_MS = 15000;

let items = [], read = 0;

/** What played and plays, oldest first: `{ start, end, role, title }`, with moments in milliseconds. */
export const played = () => items;

/** What plays at a moment. */
export const itemAt = (moment) => items.findLast((item) => item.start <= moment);

/** Shows what plays at the moment that `watched` gives, from now on. */
export function onAir(demo, watched) {
  if (!demo.channel) return;
  const at = `/channels/${encodeURIComponent(demo.channel)}`;
  async function look() {
    try {
      if (Date.now() - read > SCHEDULE_MS) {
        const from = new Date(Date.now() - 1000 * (demo.window_seconds + 300)).toISOString();
        const to = new Date(Date.now() + 600_000).toISOString();
        const { entries } = await (await fetch(`${at}/schedule?from=${from}&to=${to}`, { cache: "no-store" })).json();
        items = entries.flatMap((entry) => entry.items).map(({ start, end, role, title, asset }) => (
          { start: Date.parse(start), end: end ? Date.parse(end) : Infinity, role, title: title ?? asset }));
        read = Date.now();
      }
      show(watched()?.getTime() ?? Date.now());
    } catch {
      // The panel says when the demo has ended.
    }
    setTimeout(look, EVERY_MS);
  }
  look();
}

function show(moment) {
  const place = items.findLastIndex((item) => item.start <= moment);
  const now = items[place], later = items.slice(place + 1);
  const next = later.find((item) => item.role === "programme" && item.title !== now?.title) ?? later[0];
  const pause = later.find((item) => item.role === "ad");
  $("onair").hidden = !now;
  if (!now) return;
  $("now").textContent = now.role === "ad" ? `${now.title} (ad)` : now.title;
  $("now").dataset.role = now.role;
  $("next").textContent = next ? `${next.title} in ${wait(next.start - moment)}` : "–";
  $("break").hidden = !pause;
  $("next-break").textContent = pause ? `in ${wait(pause.start - moment)}` : "";
}

function wait(ms) {
  const seconds = Math.max(0, Math.round(ms / 1000));
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
}
