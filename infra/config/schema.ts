import { z } from 'zod';
import { words } from './words.ts';

/** The formats that MediaPackage can make of a channel. */
export const formats = ['hls', 'dvr', 'dash', 'cmaf', 'mss'] as const;

/** One of the formats. */
export type Format = (typeof formats)[number];

/** What CloudWatch Logs can be told to keep. */
const logDays = [1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 3653];

const DAY = 86_400;

const whole = (min: number, max: number) => z.int().min(min).max(max);
const list = <T extends z.ZodType>(of: T) => z.array(of).min(1);
const text = (pattern: RegExp, otherwise: string) => z.string().regex(pattern, otherwise);
const removal = z.enum(['retain', 'destroy']);

const source = z.string().superRefine((value, issues) => {
  const url = URL.canParse(value) ? new URL(value) : undefined;
  if (url?.protocol !== 'https:' && url?.protocol !== 'http:') {
    issues.addIssue('must be an http or https URL');
  } else if (url.username || url.password) {
    issues.addIssue('must not carry a password: start such a session through the API');
  }
});

const id = text(/^[A-Za-z0-9_-]{1,64}$/, 'must be 1 to 64 letters, digits, - or _');

/** What is wrong with something that is neither of two: as an address, if it looks like one. */
const sourceOrChannel = (issue: z.core.$ZodRawIssue) =>
  typeof issue.input === 'string'
    ? source.safeParse(issue.input).error?.issues[0]?.message
    : 'must be a URL or { channel: .. }';

const webAcl = text(
  /^arn:aws[a-z-]*:wafv2:us-east-1:\d{12}:global\/webacl\//,
  'must be the ARN of a web ACL of scope CLOUDFRONT',
);

const domain = z.strictObject({
  names: list(z.string()),
  certificateArn: text(
    /^arn:aws[a-z-]*:acm:us-east-1:\d{12}:certificate\//,
    'must be the ARN of a certificate in us-east-1',
  ),
});

const countries = list(text(/^[A-Z]{2}$/, 'must be two capital letters (ISO 3166-1)'));

const channel = z
  .strictObject({
    /** Names the channel, in requests to the API too. */
    name: text(/^[a-z][a-z0-9-]{0,29}$/, 'must be 1 to 30 of a-z, 0-9 and -, a letter first'),
    /** What is on air after the deploy, without an API call: HLS, or a channel of `playout`. */
    source: z.union([source, z.strictObject({ channel: id })], { error: sourceOrChannel }).optional(),
    /** What MediaPackage makes of it. */
    formats: list(z.enum(formats)).default([...formats]),
    /** The output's segments: the source's duration or a multiple of it. */
    segmentSeconds: whole(1, 30).default(6),
    /** How far back `?start=` may reach; 14 days at most. */
    startOverSeconds: whole(60, 14 * DAY).default(DAY),
    /** How much a DVR playlist lists without `?start=`; above 300 a quota of MediaPackage must be raised. */
    dvrPlaylistSeconds: whole(60, 3_600).default(300),
    /** How far behind live the DVR endpoint plays. */
    timeDelaySeconds: whole(5, DAY).optional(),
    /** Who is told; absent: as for the whole. */
    alarmEmail: z.email().optional(),
    /** How often the password of one of the two inputs is changed, in turn; 0: never. */
    rotateCredentialsDays: whole(0, 1_000).default(30),
    /** The sites whose pages may play the channel. */
    allowedOrigins: list(z.string()).default(['*']),
    /** Where it may be watched; absent: everywhere. */
    geo: z
      .union(
        [z.strictObject({ allow: countries }), z.strictObject({ deny: countries })],
        'must be { allow: [..] } or { deny: [..] }',
      )
      .optional(),
    /** A web ACL of scope CLOUDFRONT. */
    webAclArn: webAcl.optional(),
    /** Names of one's own for the distribution, and the certificate for them. */
    domain: domain.optional(),
    /** Which of CloudFront's places serve it: all, all but the dearest, or the cheapest. */
    reach: z.enum(['all', 'most', 'least']).default('all'),
    /** Whether CloudFront logs each request. */
    accessLogs: z.boolean().default(true),
    /** What destroying the stack does; absent: as for the whole. */
    removal: removal.optional(),
  })
  .superRefine((channel, issues) => {
    const refuse = (path: string, message: string) =>
      issues.addIssue({ path: [path], code: 'custom', message });
    if (new Set(channel.formats).size < channel.formats.length) {
      refuse('formats', 'must name each format once');
    }
    if (channel.formats.includes('cmaf') && channel.formats.length === 1) {
      refuse('formats', 'must have another format beside cmaf, whose endpoint does not tell its host');
    }
    if (channel.timeDelaySeconds !== undefined && channel.timeDelaySeconds >= channel.startOverSeconds) {
      refuse('timeDelaySeconds', 'must be less than startOverSeconds');
    }
    if (channel.dvrPlaylistSeconds > channel.startOverSeconds) {
      refuse('dvrPlaylistSeconds', 'must not be more than startOverSeconds');
    }
  });

const asset = z.strictObject({
  /** Names it, for channels. */
  id,
  /** What it is called in public. */
  title: z.string().optional(),
  /** The multivariant playlist of a VOD. */
  url: source,
});

const assets = z.array(id);

const played = z
  .strictObject({
    /** Names it, in its address: `<ChannelsUrl>/channels/<id>/master.m3u8`. */
    id,
    title: z.string().optional(),
    /** What plays when nothing else does. */
    slate: id.optional(),
    /** The asset whose renditions the channel has; without it, that of those named here which has most. */
    ladder: id.optional(),
    /** What fills breaks. */
    ads: assets.optional(),
    /** How breaks and programmes are marked. */
    markers: z.array(z.enum(['cue', 'oatcls', 'daterange', 'programme'])).optional(),
    /** What plays over and over; without it there is a schedule. */
    loop: list(id).optional(),
    /** What extends the schedule by itself. */
    fill: z
      .strictObject({
        assets: list(id),
        order: z.enum(['round_robin', 'shuffle']).optional(),
        aheadSeconds: whole(60, 14 * DAY).optional(),
        /** Breaks in each programme: how far apart and how long, in seconds. */
        breaks: z.strictObject({ every: whole(1, DAY), duration: whole(1, 3_600) }).optional(),
      })
      .optional(),
    targetDuration: whole(1, 60).optional(),
    windowSeconds: whole(1, DAY).optional(),
  })
  .superRefine((channel, issues) => {
    for (const field of ['fill', 'slate', 'ads'] as const) {
      if (channel.loop && channel[field]) {
        issues.addIssue({ path: [field], code: 'custom', message: 'must not be given beside loop' });
      }
    }
  });

const playout = z
  .strictObject({
    /** VODs that channels play. */
    assets: z.array(asset).default([]),
    /** Channels that are there after the deploy; more can be made by the API. */
    channels: z.array(played).default([]),
    /** Names of one's own for the distribution that viewers read channels from, and the certificate for them. */
    domain: domain.optional(),
    /** A web ACL of scope CLOUDFRONT. */
    webAclArn: webAcl.optional(),
  })
  .superRefine(({ assets, channels }, issues) => {
    const refuse = (path: PropertyKey[], message: string) =>
      issues.addIssue({ path, code: 'custom', message });
    for (const [kind, all] of Object.entries({ assets, channels })) {
      for (const [at, { id }] of all.entries()) {
        const first = all.findIndex((other) => other.id === id);
        if (first < at) {
          refuse([kind, at, 'id'], `must not be the id of ${kind}[${first}]`);
        }
      }
    }
    for (const [at, { slate, ladder, ads, loop, fill }] of channels.entries()) {
      const named: [PropertyKey[], string][] = [
        ...Object.entries({ slate, ladder })
          .filter(([, name]) => name)
          .map(([field, name]): [PropertyKey[], string] => [[field], name as string]),
        ...(ads ?? []).map((ad, n): [PropertyKey[], string] => [['ads', n], ad]),
        ...(loop ?? []).map((one, n): [PropertyKey[], string] => [['loop', n], one]),
        ...(fill?.assets ?? []).map((one, n): [PropertyKey[], string] => [['fill', 'assets', n], one]),
      ];
      for (const [path, name] of named) {
        if (!assets.some(({ id }) => id === name)) {
          refuse(['channels', at, ...path], 'must be the id of one of playout.assets');
        }
      }
    }
  });

const relay = z.strictObject({
  /** How much the functions log. At debug, every step of every run is logged too. */
  logLevel: z.enum(['trace', 'debug', 'info', 'warn', 'error']).default('info'),
  /** What `advance` has; its share of a processor and its budget of bytes in flight grow with it. */
  memoryMb: whole(128, 10_240).default(512),
  /** What the functions are built for. */
  architecture: z.enum(['arm64', 'x86_64']).default('arm64'),
  /** Whether X-Ray traces every poll. */
  tracing: z.boolean().default(false),
  /** The lag above which there is an alarm. */
  lagAlarmSeconds: whole(1, 3_600).default(30),
  /** Who may use the API: callers with an IAM permission, or bearers of a token. */
  auth: z
    .union(
      [
        z.literal('iam'),
        z.strictObject({
          issuer: z.url({ protocol: /^https$/, error: 'must be an https URL' }),
          audience: list(z.string()),
        }),
      ],
      'must be "iam" or { issuer: .., audience: [..] }',
    )
    .default('iam'),
});

const ferry = z
  .strictObject({
    /** Names the deployment; the names of everything it makes begin with it. */
    name: text(/^[a-z][a-z0-9-]{1,19}$/, 'must be 2 to 20 of a-z, 0-9 and -, a letter first').default(
      'hls-ferry',
    ),
    /** What destroying the stacks does: keep what cannot be had back, or leave nothing. */
    removal: removal.default('retain'),
    /** Who is told when something is wrong. */
    alarmEmail: z.email().optional(),
    /** Whether there are alarms and a dashboard, which cost by the month; a deployment to try things needs none. */
    alarms: z.boolean().default(true),
    /** How long logs are kept. */
    logDays: z
      .int()
      .refine((days) => logDays.includes(days), `must be one of ${logDays.join(', ')}`)
      .default(30),
    /** The part that carries. */
    relay: relay.prefault({}),
    /** The part that plays VODs as channels. */
    playout: playout.prefault({}),
    /** The part that packages and delivers; the first is where a session goes that names none. */
    channels: z
      .array(channel)
      .superRefine((channels, issues) => {
        for (const [at, { name }] of channels.entries()) {
          const first = channels.findIndex((other) => other.name === name);
          if (first < at) {
            issues.addIssue({
              path: [at, 'name'],
              code: 'custom',
              message: `must not be the name of channels[${first}]`,
            });
          }
        }
      })
      .default([]),
  })
  .superRefine(({ channels, playout }, issues) => {
    for (const [at, { source }] of channels.entries()) {
      if (typeof source === 'object' && !playout.channels.some(({ id }) => id === source.channel)) {
        const message = 'must be the id of one of playout.channels';
        issues.addIssue({ path: ['channels', at, 'source', 'channel'], code: 'custom', message });
      }
    }
  });

/** What the configuration file may say; what it leaves out has a default. */
export type FerryInput = z.input<typeof ferry>;
/** The configuration with its defaults. */
export type Ferry = z.output<typeof ferry>;
/** The configuration of one channel. */
export type Channel = Ferry['channels'][number];
/** The configuration of the relay. */
export type Relay = Ferry['relay'];

/** Gives the configuration file its types. */
export const defineFerry = (input: FerryInput): FerryInput => input;

/** The configuration is wrong; the message has a sentence for each mistake and names the field. */
export class ConfigError extends Error {}

/** The configuration with its defaults; throws a [ConfigError] where it is wrong. */
export function parse(input: unknown): Ferry {
  const result = ferry.safeParse(input, { reportInput: true, error: words });
  if (result.success) {
    return result.data;
  }
  throw new ConfigError(result.error.issues.flatMap(sentences).join('\n'));
}

function sentences(issue: z.core.$ZodIssue): string[] {
  return issue.code === 'unrecognized_keys'
    ? issue.keys.map((key) => `${field([...issue.path, key])} is not a setting.`)
    : [`${field(issue.path)} ${issue.message}.`];
}

/** A field as one would write it: `channels[0].name`. */
function field(path: PropertyKey[]): string {
  const text = path.map((part) => (typeof part === 'number' ? `[${part}]` : `.${String(part)}`)).join('');
  return text.slice(1) || 'the configuration';
}
