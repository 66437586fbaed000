// How the session is doing, from its API.

const $ = (id) => document.getElementById(id);
const EVERY_MS = 1000;
/** Samples of the lag that are shown, at most: two minutes. */
const SAMPLES = 120;
/** The line is as wide as so many samples at least. */
const FEWEST = 20;

const number = new Intl.NumberFormat("en");
const lags = [];

/** Fills the panel, now and from now on. */
export function panel(demo) {
  $("lines").replaceChildren(...demo.tries.map(shellLine));
  const cards = demo.endpoints.map((endpoint, index) => card(endpoint, index));
  $("endpoints").replaceChildren(...cards.map((one) => one.element));

  async function look() {
    try {
      const answer = await fetch(`/sessions/${encodeURIComponent(demo.session)}`, { cache: "no-store" });
      // Another demo answers at this address now: its page is another one.
      if (answer.status === 404) return location.reload();
      if (!answer.ok) throw new Error(`the API answered ${answer.status}`);
      show(await answer.json(), cards);
      await Promise.all(cards.map((one) => one.label()));
    } catch (error) {
      // A fetch that finds no server throws a TypeError.
      const gone = error instanceof TypeError;
      status("unknown", gone ? "ended" : "unknown");
      reason(gone ? "The demo has ended. Start it again and this page goes on." : `Cannot say how the session is doing: ${error.message}.`);
    }
    setTimeout(look, EVERY_MS);
  }
  look();
}

function show(session, cards) {
  status(session.status, session.status);
  reason(session.reason);
  $("segments").textContent = number.format(session.segments);
  const [amount, unit] = size(session.bytes);
  $("bytes").textContent = amount;
  $("bytes-unit").textContent = unit;
  $("missed").textContent = number.format(session.missed);
  $("jumps").textContent = session.jumps > 0 ? `in ${session.jumps} jump${session.jumps === 1 ? "" : "s"}` : "segments";
  $("lag").textContent = session.lag_ms == null ? "–" : number.format(session.lag_ms);
  if (session.lag_ms != null) {
    lags.push(session.lag_ms);
    lags.splice(0, lags.length - SAMPLES);
    spark();
  }
  session.endpoints.forEach((endpoint, index) => cards[index]?.show(endpoint));
  $("renditions").replaceChildren(...session.renditions.map(row));
}

function status(kind, text) {
  $("status").dataset.status = kind;
  $("status").querySelector("b").textContent = text;
}

function reason(text) {
  $("reason").hidden = !text;
  $("reason").textContent = text ?? "";
}

/** An endpoint's card, with the switch that takes it down. */
function card(playlist, index) {
  const element = $("endpoint-card").content.cloneNode(true).firstElementChild;
  const part = (name) => element.querySelector(name);
  const at = `/ingest/${index + 1}`;
  let down = false;
  part("b").textContent = `Endpoint ${index + 1}`;
  part(".where").textContent = new URL(playlist).pathname;
  /** Asks the endpoint whether it is down: a shell may have said so. */
  async function label() {
    down = (await (await fetch(at, { cache: "no-store" })).text()).trim() === "down";
    part(".switch").textContent = down ? "Bring it back" : "Take it down";
    part(".switch").setAttribute("aria-label", `${part(".switch").textContent}: endpoint ${index + 1}`);
  }
  part(".switch").onclick = async () => {
    await fetch(at, { method: "POST", body: down ? "up" : "down" });
    await label();
  };
  return {
    element,
    label,
    show(endpoint) {
      const { healthy, behind, last_error: fault } = endpoint;
      element.dataset.health = !healthy ? "down" : behind > 0 ? "behind" : "well";
      const late = behind > 0 ? `${number.format(behind)} behind` : "up to date";
      part(".state").textContent = healthy ? late : `takes nothing, ${late}`;
      part(".count").textContent = `${number.format(endpoint.segments)} segments, ${size(endpoint.bytes).join(" ")}`;
      element.title = fault ? `last fault: ${fault.what}` : "";
    },
  };
}

function row({ name, source_sequence: source, listed, error }) {
  const line = document.createElement("tr");
  const cell = (text, late) => {
    const one = document.createElement("td");
    one.textContent = text ?? "–";
    one.classList.toggle("late", late);
    line.append(one);
  };
  cell(name, Boolean(error));
  cell(source, false);
  const most = Math.max(...listed.map((one) => one ?? 0));
  for (const one of listed) cell(one, (one ?? 0) < most);
  line.title = error ?? "";
  return line;
}

/** Bytes as an amount and a unit. */
function size(bytes) {
  const units = ["B", "kB", "MB", "GB", "TB"];
  let amount = bytes, unit = 0;
  while (amount >= 1000 && unit < units.length - 1) { amount /= 1000; unit += 1; }
  return [amount >= 100 || unit === 0 ? Math.round(amount) : amount.toFixed(1), units[unit]];
}

/** Draws the lags as a line from zero to the largest. */
function spark() {
  const top = Math.max(200, ...lags) * 1.1;
  const width = Math.max(FEWEST, lags.length) - 1;
  const points = lags.map((lag, index) => [240 * (1 - (lags.length - 1 - index) / width), 40 - 38 * lag / top]);
  const path = points.map(([x, y], index) => `${index ? "L" : "M"}${x.toFixed(1)} ${y.toFixed(1)}`).join("");
  $("spark").querySelector(".stroke").setAttribute("d", path);
  $("spark").querySelector(".area").setAttribute("d", points.length ? `${path}L240 40L${points[0][0].toFixed(1)} 40Z` : "");
}

function shellLine({ line: text, what }) {
  const line = $("line").content.cloneNode(true).firstElementChild;
  line.querySelector("code").textContent = text;
  line.querySelector("p").textContent = what;
  const copy = line.querySelector("button");
  copy.onclick = async () => {
    await navigator.clipboard.writeText(text);
    copy.textContent = "Copied";
    setTimeout(() => { copy.textContent = "Copy"; }, 1500);
  };
  return line;
}
