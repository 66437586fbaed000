import assert from 'node:assert/strict';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import standard from '../config/ferry.ts';
import local from '../config/local.ts';
import { ConfigError, parse } from '../config/schema.ts';
import { built, synth } from './synth.ts';

const channel = (settings: object) => ({ channels: [{ name: 'main', ...settings }] });
const played = (settings: object) => ({
  playout: {
    assets: [{ id: 'a', url: 'https://vod.example/a/main.m3u8' }],
    channels: [{ id: 'one', ...settings }],
  },
});

describe('the configuration', () => {
  it('has a default for all but the names of channels', () => {
    const { channels, relay, ...whole } = parse({ channels: [{ name: 'main' }] });
    assert.deepEqual(whole, {
      name: 'hls-ferry',
      removal: 'retain',
      alarms: true,
      logDays: 30,
      playout: { assets: [], channels: [] },
    });
    assert.deepEqual(relay, {
      logLevel: 'info',
      memoryMb: 512,
      architecture: 'arm64',
      tracing: false,
      lagAlarmSeconds: 30,
      auth: 'iam',
    });
    assert.deepEqual(channels, [
      {
        name: 'main',
        formats: ['hls', 'dvr', 'dash', 'cmaf', 'mss'],
        segmentSeconds: 6,
        startOverSeconds: 86_400,
        dvrPlaylistSeconds: 300,
        rotateCredentialsDays: 30,
        allowedOrigins: ['*'],
        reach: 'all',
        accessLogs: true,
      },
    ]);
  });

  it('in this folder is valid', () => {
    for (const input of [standard, local]) {
      parse(input);
    }
  });

  const mistakes: [unknown, string][] = [
    [undefined, 'the configuration is missing.'],
    [{ nam: 'x' }, 'nam is not a setting.'],
    [{ name: 'Ferry' }, 'name must be 2 to 20 of a-z, 0-9 and -, a letter first.'],
    [{ removal: 'keep' }, 'removal must be retain or destroy.'],
    [{ alarmEmail: 'me' }, 'alarmEmail must be an e-mail address.'],
    [
      { logDays: 31 },
      'logDays must be one of 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 3653.',
    ],
    [{ relay: { memoryMb: 64 } }, 'relay.memoryMb must be at least 128.'],
    [{ relay: { memoryMb: '512' } }, 'relay.memoryMb must be a number.'],
    [{ relay: { memoryMb: 512.5 } }, 'relay.memoryMb must be a whole number.'],
    [{ relay: { architecture: 'arm' } }, 'relay.architecture must be arm64 or x86_64.'],
    [{ relay: { logLevel: 'loud' } }, 'relay.logLevel must be trace or debug or info or warn or error.'],
    [{ relay: { auth: 'none' } }, 'relay.auth must be "iam" or { issuer: .., audience: [..] }.'],
    [
      { relay: { auth: { issuer: 'http://id.example', audience: ['a'] } } },
      'relay.auth.issuer must be an https URL.',
    ],
    [{ channels: {} }, 'channels must be a list.'],
    [{ channels: [{}] }, 'channels[0].name is missing.'],
    [{ channels: [{ name: 'a' }, { name: 'a' }] }, 'channels[1].name must not be the name of channels[0].'],
    [channel({ sorce: 'https://origin.example/main.m3u8' }), 'channels[0].sorce is not a setting.'],
    [channel({ source: 'rtmp://origin.example/live' }), 'channels[0].source must be an http or https URL.'],
    [channel({ source: 'main.m3u8' }), 'channels[0].source must be an http or https URL.'],
    [
      channel({ source: 'https://me:word@origin.example/main.m3u8' }),
      'channels[0].source must not carry a password: start such a session through the API.',
    ],
    [channel({ source: 7 }), 'channels[0].source must be a URL or { channel: .. }.'],
    [
      channel({ source: { channel: 'one' } }),
      'channels[0].source.channel must be the id of one of playout.channels.',
    ],
    [played({ slate: 'none' }), 'playout.channels[0].slate must be the id of one of playout.assets.'],
    [
      played({ fill: { assets: ['a', 'none'] } }),
      'playout.channels[0].fill.assets[1] must be the id of one of playout.assets.',
    ],
    [played({ id: 'a b' }), 'playout.channels[0].id must be 1 to 64 letters, digits, - or _.'],
    [
      played({ loop: ['a'], fill: { assets: ['a'] } }),
      'playout.channels[0].fill must not be given beside loop.',
    ],
    [played({ loop: ['a'], slate: 'a' }), 'playout.channels[0].slate must not be given beside loop.'],
    [played({ windowSeconds: 0 }), 'playout.channels[0].windowSeconds must be at least 1.'],
    [played({ cycle: [] }), 'playout.channels[0].cycle is not a setting.'],
    [played({ ladder: 'x' }), 'playout.channels[0].ladder must be the id of one of playout.assets.'],
    [
      { playout: { assets: [{ id: 'a', url: 'main.m3u8' }] } },
      'playout.assets[0].url must be an http or https URL.',
    ],
    [
      { playout: { channels: [{ id: 'a' }, { id: 'a' }] } },
      'playout.channels[1].id must not be the id of channels[0].',
    ],
    [channel({ formats: [] }), 'channels[0].formats must not be empty.'],
    [channel({ formats: ['hds'] }), 'channels[0].formats[0] must be hls or dvr or dash or cmaf or mss.'],
    [channel({ formats: ['hls', 'hls'] }), 'channels[0].formats must name each format once.'],
    [
      channel({ formats: ['cmaf'] }),
      'channels[0].formats must have another format beside cmaf, whose endpoint does not tell its host.',
    ],
    [channel({ startOverSeconds: 1_209_601 }), 'channels[0].startOverSeconds must be at most 1209600.'],
    [
      channel({ timeDelaySeconds: 3_600, startOverSeconds: 3_600 }),
      'channels[0].timeDelaySeconds must be less than startOverSeconds.',
    ],
    [
      channel({ startOverSeconds: 60 }),
      'channels[0].dvrPlaylistSeconds must not be more than startOverSeconds.',
    ],
    [
      channel({ geo: { allow: ['Sweden'] } }),
      'channels[0].geo.allow[0] must be two capital letters (ISO 3166-1).',
    ],
    [channel({ geo: 'SE' }), 'channels[0].geo must be { allow: [..] } or { deny: [..] }.'],
    [
      channel({ webAclArn: 'arn:aws:wafv2:eu-west-1:123456789012:regional/webacl/x/y' }),
      'channels[0].webAclArn must be the ARN of a web ACL of scope CLOUDFRONT.',
    ],
    [channel({ domain: { names: ['live.example'] } }), 'channels[0].domain.certificateArn is missing.'],
    [channel({ accessLogs: 'no' }), 'channels[0].accessLogs must be true or false.'],
  ];
  for (const [input, sentence] of mistakes) {
    it(`with a mistake is refused: ${sentence}`, () => {
      assert.throws(() => parse(input), new ConfigError(sentence));
    });
  }

  it('with several mistakes is refused with a sentence for each', () => {
    const wrong = { name: 1, channels: [{ name: 'a', reach: 'far' }] };
    assert.throws(
      () => parse(wrong),
      new ConfigError('name must be a string.\nchannels[0].reach must be all or most or least.'),
    );
  });

  it('cannot be deployed before the functions are built', () => {
    assert.throws(
      () => synth({}, 'nowhere'),
      new ConfigError(
        `${join('nowhere', 'advance', 'bootstrap.zip')} is missing: build the functions first (make build).`,
      ),
    );
  });

  it('cannot be deployed with functions for another architecture', () => {
    const needs = `${built} has functions for another architecture: build them for this one (make build ARCH=x86_64).`;
    assert.throws(() => synth({ relay: { architecture: 'x86_64' } }, built), new ConfigError(needs));
  });
});
