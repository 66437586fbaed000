// Opens the demo page in Chromium and uses it as a viewer would: it plays, pauses, rewinds, goes back
// to live, and shows how the session is doing. What was seen goes to standard output as one JSON
// object; anything wrong is an error.
//
//   node play.mjs URL [SCREENSHOT.png]

import { chromium } from "playwright-core";
import { setTimeout as sleep } from "node:timers/promises";

const [url, screenshot] = process.argv.slice(2);
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  args: ["--no-sandbox", "--disable-dev-shm-usage", "--autoplay-policy=no-user-gesture-required"],
});

try {
  const page = await browser.newPage({ viewport: { width: 1280, height: 900 } });
  const complaints = [];
  page.on("pageerror", (error) => complaints.push(`error: ${error.message}`));
  page.on("console", (line) => line.type() === "error" && complaints.push(`console: ${line.text()}`));
  page.on("response", (response) => {
    // Before the first segments have arrived there is nothing to play.
    if (response.status() >= 400 && response.status() !== 404) {
      complaints.push(`${response.status()} for ${response.url()}`);
    }
  });
  await page.goto(url);

  const video = page.locator("video");
  const look = () => video.evaluate((video) => ({
    at: video.currentTime,
    frames: video.getVideoPlaybackQuality().totalVideoFrames,
    from: video.seekable.length ? video.seekable.start(0) : 0,
    to: video.seekable.length ? video.seekable.end(0) : 0,
    width: video.videoWidth,
    paused: video.paused,
    error: video.error?.message ?? null,
  }));
  const until = async (what, seconds, wanted) => {
    const deadline = Date.now() + seconds * 1000;
    for (;;) {
      const seen = await look();
      if (wanted(seen)) return seen;
      if (Date.now() > deadline) throw new Error(`${what}: not in ${seconds} s, but ${JSON.stringify(seen)}`);
      await sleep(100);
    }
  };

  const first = await until("a picture", 40, (now) => now.width > 0 && now.frames > 0);
  // There must be something to rewind into.
  const playing = await until("it plays on", 40, (now) =>
    !now.paused && now.at > first.at + 4 && now.frames > first.frames + 50 && now.at - now.from > 14);

  await page.click("#play");
  await sleep(500);
  const paused = await look();
  await sleep(3000);
  const still = await look();
  if (!still.paused || Math.abs(still.at - paused.at) > 0.1) {
    throw new Error(`it does not stay paused: ${JSON.stringify([paused, still])}`);
  }
  await page.click("#play");
  const resumed = await until("it goes on after the pause", 10, (now) => !now.paused && now.at > still.at + 1);

  await page.click("#back");
  const rewound = await until("it plays from 10 s further back", 15, (now) =>
    now.at > resumed.at - 9 && now.at < resumed.at - 5 && now.frames > resumed.frames);

  await page.click("#live");
  const live = await until("it plays live", 15, (now) =>
    now.at > resumed.at && now.to - now.at < 15 && now.frames > rewound.frames);

  // A picture has colours; a black or frozen surface has one.
  const colours = await video.evaluate((video) => {
    const canvas = document.createElement("canvas");
    [canvas.width, canvas.height] = [32, 18];
    const context = canvas.getContext("2d");
    context.drawImage(video, 0, 0, 32, 18);
    const pixels = context.getImageData(0, 0, 32, 18).data;
    const seen = new Set();
    for (let i = 0; i < pixels.length; i += 4) seen.add([0, 1, 2].map((c) => pixels[i + c] >> 5).join());
    return seen.size;
  });
  if (colours < 3) throw new Error(`the picture has ${colours} colours`);

  const shown = async (id) => (await page.locator(`#${id}`).innerText()).trim();
  const panel = { status: await shown("status"), segments: await shown("segments"), missed: await shown("missed") };
  if (screenshot) await page.screenshot({ path: screenshot, fullPage: true });
  if (complaints.length) throw new Error(complaints.join("\n"));
  console.log(JSON.stringify({ first, playing, paused, resumed, rewound, live, colours, panel }));
} finally {
  await browser.close();
}
