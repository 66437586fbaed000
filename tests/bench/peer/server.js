// hls-pull-push on 127.0.0.1; by itself it listens on all addresses.
"use strict";

const { HLSPullPush, MediaPackageOutput } = require("@eyevinn/hls-pull-push");
const api = require("@eyevinn/hls-pull-push/dist/src/api").default;
const fastify = require("fastify")({ ignoreTrailingSlash: true });

// As quiet as it is in production.
const say = (message) => console.error(message);
const service = new HLSPullPush({ verbose() {}, info: say, warn: say, error: say });
service.registerPlugin("mediapackage", new MediaPackageOutput());
fastify.register(api, { instance: service, prefix: "/api/v1" });
fastify.listen(Number(process.argv[2]), "127.0.0.1", (error) => {
  if (error) throw error;
});
