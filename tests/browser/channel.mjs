// Watches channels in Chromium for a while, side by side, as a viewer with hls.js would. What was seen goes to
// standard output as one JSON object; what is wrong with it, who reads it says.
//
//   node channel.mjs PAGE SECONDS PLAYLIST...
//
// PAGE is where this folder's channel.html and hls.js are served.

import { chromium } from "playwright-core";
import { setTimeout as sleep } from "node:timers/promises";

const [page, seconds, ...playlists] = process.argv.slice(2);
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  args: ["--no-sandbox", "--disable-dev-shm-usage", "--autoplay-policy=no-user-gesture-required"],
});

try {
  const views = [];
  for (const playlist of playlists) {
    const view = await browser.newPage();
    await view.goto(`${page}?playlist=${encodeURIComponent(playlist)}`);
    views.push(view);
  }
  // From the first picture on.
  for (const view of views) await view.waitForFunction(() => watched().frames > 10, null, { timeout: 20000 });
  for (const view of views) await view.evaluate(() => { if (hls.subtitleTracks.length > 0) hls.subtitleTrack = 0; });
  const seen = views.map(() => []);
  for (let second = 0; second < Number(seconds); second += 1) {
    await sleep(1000);
    for (const [index, view] of views.entries()) seen[index].push(await view.evaluate(() => watched()));
  }
  const reports = seen.map((looks) => ({
    ...looks.at(-1),
    // Since the first picture: hls.js 1.7 takes the first sound for none, and has it.
    errors: looks.at(-1).errors.slice(looks[0].errors.length),
    played: looks.at(-1).at - looks[0].at,
    // A second in which it hardly moved.
    stalls: looks.filter((look, index) => index > 0 && look.at - looks[index - 1].at < 0.3).length,
  }));
  console.log(JSON.stringify(reports));
} finally {
  await browser.close();
}
