// Eyevinn's channel-engine on 127.0.0.1: so many channels, each with the same programme over and over.
"use strict";

const ChannelEngine = require("eyevinn-channel-engine");

const [port, count, uri] = process.argv.slice(2);
const profile = [
  { bw: 2000000, codecs: "avc1.4d401f,mp4a.40.2", resolution: [1280, 720] },
  { bw: 900000, codecs: "avc1.4d401e,mp4a.40.2", resolution: [640, 360] },
];
const channels = Array.from({ length: Number(count) }, (_, id) => ({ id: String(id), profile }));
const assets = { getNextVod: async () => ({ id: "one", title: "one", uri }) };
const engine = new ChannelEngine(assets, { channelManager: { getChannels: () => channels } });
engine.start();
engine.listen(Number(port), "127.0.0.1");
