// Plays recordings in Chromium from their beginning to their end, four times as fast, as a viewer with hls.js would.
// What was seen goes to standard output as one JSON object; what is wrong with it, who reads it says.
//
//   node vod.mjs PAGE...
//
// Each PAGE is where this folder's channel.html and hls.js are served, with ?playlist= of what is to be played.

import { chromium } from "playwright-core";

const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  args: ["--no-sandbox", "--disable-dev-shm-usage", "--autoplay-policy=no-user-gesture-required"],
});

try {
  const reports = [];
  for (const page of process.argv.slice(2)) {
    const view = await browser.newPage();
    await view.goto(page);
    const over = () => {
      video.playbackRate = 4;
      if (hls.subtitleTracks.length > 0 && hls.subtitleTrack < 0) hls.subtitleTrack = 0;
      return video.ended || fatal.length > 0;
    };
    const late = await view.waitForFunction(over, null, { timeout: 60000, polling: 200 }).then(() => false, () => true);
    reports.push(await view.evaluate((late) => ({
      ...watched(),
      late,
      duration: video.duration,
      size: [video.videoWidth, video.videoHeight],
      cues: [...video.textTracks].reduce((count, track) => count + (track.cues?.length ?? 0), 0),
      hevc: MediaSource.isTypeSupported('video/mp4; codecs="hvc1.1.6.L93.B0"'),
    }), late));
    await view.close();
  }
  console.log(JSON.stringify(reports));
} finally {
  await browser.close();
}
