// The player: hls.js on what arrived at an endpoint, with pause, rewind and a way back to live.

import { itemAt, onAir, played } from "/onair.js";
import { panel } from "/panel.js";
import { timeline } from "/timeline.js";

const $ = (id) => document.getElementById(id);
const video = $("video");
const PLAY = "M8 5.5v13l10.5-6.5z", PAUSE = "M7 5.5h3.5v13H7zM13.5 5.5H17v13h-3.5z";
const QUIET = "M15.5 9.5l5 5m0-5l-5 5", LOUD = "M15.5 9a4.2 4.2 0 010 6m2.6-8.6a8 8 0 010 11.2";

const demo = await fetch("/demo.json").then((answer) => answer.json());
panel(demo);
onAir(demo, () => (range.to > 0 ? dateAt(video.currentTime) : null));

/** The seconds of the media's own time that can be played, and where live is. */
const range = { from: 0, to: 0, live: 0 };
let hls = null, fragments = [], wanted = null;

/** The wall-clock time of a position, from the programme dates of the segments; null before any is known. */
function dateAt(position) {
  const last = (one) => one.start <= position && one.programDateTime;
  const fragment = fragments.findLast(last) ?? fragments.find((one) => one.programDateTime);
  return fragment ? new Date(fragment.programDateTime + (position - fragment.start) * 1000) : null;
}

function positionAt(date) {
  const fragment = fragments.findLast((one) => one.programDateTime && one.programDateTime <= date) ?? fragments[0];
  return fragment ? fragment.start + (date - fragment.programDateTime) / 1000 : null;
}

/** What played at a position, as far as it is known. */
const titleAt = (position) => itemAt(dateAt(position)?.getTime() ?? 0)?.title ?? "";

/** Where programmes and breaks begin: from the schedule, else where the discontinuity count changes. */
function bands() {
  if (played().length > 0 && fragments.some((one) => one.programDateTime)) {
    const of = ({ start, role, title }) => ({ start: positionAt(start), role, shade: title.length });
    const ends = (item) => positionAt(Math.min(item.end, Date.now()));
    return played().filter((item) => item.start < Date.now() && ends(item) > range.from).map(of);
  }
  return fragments
    .filter((one, index) => index === 0 || one.cc !== fragments[index - 1].cc)
    .map((one) => ({ start: one.start, role: "programme", shade: one.cc }));
}

function seek(position) {
  video.currentTime = Math.min(Math.max(position, range.from + 0.5), range.live);
}

function goLive() {
  video.currentTime = range.live;
  start();
}

async function start() {
  try {
    await video.play();
  } catch (error) {
    // Browsers may want a person to begin.
    if (error.name === "NotAllowedError") $("cover").hidden = false;
  }
}

const toggle = () => (video.paused ? start() : video.pause());

const line = timeline({ seek, dateAt, titleAt, spoken: (seconds) => clockText(dateAt(seconds)) });

function notice(text) {
  $("notice").textContent = text ?? "";
  $("notice").hidden = !text;
}

const clockText = (date) => date?.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" }) ?? "--:--:--";

/** Seconds as minutes and seconds. */
function span(seconds) {
  const whole = Math.max(0, Math.round(seconds));
  const two = (number) => String(number).padStart(2, "0");
  return `${Math.floor(whole / 60)}:${two(whole % 60)}`;
}

/** Opens an endpoint's playlist, again and again until it is there. */
function open(Hls, url) {
  // A new stream begins paused.
  const playing = !video.paused;
  hls?.destroy();
  hls = new Hls({
    // All of the recording may be rewound into; what was played is kept for a while.
    liveDurationInfinity: true,
    backBufferLength: 90,
    liveSyncDurationCount: 3,
    manifestLoadPolicy: patient(), playlistLoadPolicy: patient(), fragLoadPolicy: patient(),
  });
  hls.on(Hls.Events.MANIFEST_PARSED, (_, { levels }) => {
    const options = levels.map((level, index) => new Option(level.height ? `${level.height}p` : `${Math.round(level.bitrate / 1000)} kbit/s`, index));
    $("quality").replaceChildren(new Option("auto", -1), ...options.reverse());
  });
  hls.on(Hls.Events.LEVEL_UPDATED, (_, { details }) => {
    fragments = details.fragments;
    range.from = details.fragmentStart;
    range.to = details.edge;
    if (wanted !== null) {
      seek(positionAt(wanted) ?? range.from);
      wanted = null;
    }
  });
  hls.on(Hls.Events.ERROR, (_, { fatal, type, details }) => {
    if (!fatal) return;
    if (type === Hls.ErrorTypes.MEDIA_ERROR) hls.recoverMediaError();
    else {
      notice(details === "manifestLoadError" ? "Waiting for the first segments to arrive" : "This endpoint does not answer; trying again");
      setTimeout(() => open(Hls, url), 1500);
    }
  });
  hls.loadSource(url);
  hls.attachMedia(video);
  if (playing) start();
}

/** Retries without end, every second: an endpoint that is down comes back. */
function patient() {
  const retry = { maxNumRetry: 8, retryDelayMs: 500, maxRetryDelayMs: 2000 };
  return { default: { maxTimeToFirstByteMs: 8000, maxLoadTimeMs: 15000, timeoutRetry: retry, errorRetry: retry } };
}

/** Shows where we are, at each frame that the page is looked at. */
function draw() {
  range.live = Math.max(range.from, Math.min(hls?.liveSyncPosition ?? range.to, range.to));
  const at = line.held() ?? video.currentTime;
  const behind = range.live - at;
  const live = !video.paused && behind < 4;
  line.draw({ ...range, at, buffered: video.buffered, bands });
  $("clock").textContent = clockText(range.to > 0 ? dateAt(at) : null);
  $("behind").textContent = range.to === 0 ? "" : live ? "live" : `${span(behind)} behind live`;
  $("live").setAttribute("aria-pressed", live);
  $("from").textContent = clockText(dateAt(range.from)).replace("--:--:--", "");
  $("to").textContent = clockText(dateAt(range.to)).replace("--:--:--", "");
  $("depth").textContent = range.to === 0 ? "" : `${span(range.to - range.from)} of ${span(demo.window_seconds)} to rewind into`;
  requestAnimationFrame(draw);
}

function controls(Hls) {
  const addresses = demo.endpoints;
  $("endpoint").replaceChildren(...addresses.map((url, index) => new Option(`endpoint ${index + 1}`, url)));
  $("endpoint").onchange = () => {
    // The same moment, from the other endpoint: both have the same segments.
    wanted = dateAt(video.currentTime)?.getTime() ?? null;
    open(Hls, $("endpoint").value);
  };
  $("quality").onchange = () => { hls.nextLevel = Number($("quality").value); };
  $("play").onclick = toggle;
  $("back").onclick = () => seek(video.currentTime - 10);
  $("forth").onclick = () => seek(video.currentTime + 10);
  $("live").onclick = goLive;
  $("mute").onclick = () => { video.muted = !video.muted; };
  $("full").onclick = () => (document.fullscreenElement ? document.exitFullscreen() : $("stage").requestFullscreen());
  $("cover").onclick = start;
  video.onclick = toggle;
  video.onplay = video.onpause = () => {
    $("play-icon").setAttribute("d", video.paused ? PLAY : PAUSE);
    $("play").setAttribute("aria-label", video.paused ? "Play" : "Pause");
    if (!video.paused) $("cover").hidden = true;
  };
  video.onvolumechange = () => {
    $("mute-icon").setAttribute("d", video.muted ? QUIET : LOUD);
    $("mute").setAttribute("aria-label", video.muted ? "Unmute" : "Mute");
  };
  video.onplaying = () => notice();
  video.onwaiting = () => notice("Buffering");
  document.onkeydown = (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || /^(SELECT|BUTTON|INPUT)$/.test(event.target.tagName)) return;
    const act = {
      " ": toggle, k: toggle, l: goLive, m: () => $("mute").click(), f: () => $("full").click(),
      ArrowLeft: () => $("back").click(), ArrowRight: () => $("forth").click(),
      Home: () => seek(range.from), End: goLive,
    }[event.key];
    if (act) { event.preventDefault(); act(); }
  };
}

try {
  const { default: Hls } = await import("/hls.js");
  if (!Hls.isSupported()) throw new Error("no Media Source Extensions");
  controls(Hls);
  open(Hls, demo.endpoints[0]);
  start();
  draw();
} catch (error) {
  notice(demo.player
    ? `This browser cannot play here: ${error.message}. The panel and the lines below still work.`
    : "The player is not in this binary: run “npm ci” in functions/ferry and build again, or use “make demo”.");
}
