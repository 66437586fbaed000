import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type Format, formats } from '../config/schema.ts';
import { only, type Resource, resources, synth, text } from './synth.ts';

const ENDPOINT = 'AWS::MediaPackage::OriginEndpoint';
const DISTRIBUTION = 'AWS::CloudFront::Distribution';

const packaging = (settings = {}, whole = {}) =>
  synth({ ...whole, channels: [{ name: 'main', ...settings }] }).stack('hls-ferry-packaging-main');

const template = packaging();
const config = only(template, DISTRIBUTION).DistributionConfig;
const endpoint = (format: Format) =>
  only(template, ENDPOINT, ({ Properties }) => Properties.Id === `hls-ferry-main-${format}`);
const url = (format: Format) => `<part 5 of <Endpoints${format}.Url>>`;

describe('a channel of MediaPackage', () => {
  it('logs what comes in and what goes out', () => {
    const channel = only(template, 'AWS::MediaPackage::Channel');
    const groups = resources(template, 'AWS::Logs::LogGroup');
    const group = (log: { LogGroupName: { Ref: string } }) => groups[log.LogGroupName.Ref]?.Properties;
    assert.deepEqual(
      [channel.Id, group(channel.IngressAccessLogs), group(channel.EgressAccessLogs)].map((it) =>
        typeof it === 'string' ? it : [it?.LogGroupName, it?.RetentionInDays],
      ),
      [
        'hls-ferry-main',
        ['/aws/MediaPackage/hls-ferry-main-ingress', 30],
        ['/aws/MediaPackage/hls-ferry-main-egress', 30],
      ],
    );
  });

  it('has no tags, which could never be changed', () => {
    for (const type of ['AWS::MediaPackage::Channel', ENDPOINT]) {
      for (const { Properties } of Object.values(resources(template, type))) {
        assert.equal(Properties.Tags, undefined, type);
      }
    }
  });

  it('has one endpoint per format, each with one package', () => {
    const packages = Object.values(resources(template, ENDPOINT)).map(({ Properties }) => [
      Properties.Id,
      Object.keys(Properties).filter((key) => key.endsWith('Package')),
    ]);
    assert.deepEqual(packages, [
      ['hls-ferry-main-hls', ['HlsPackage']],
      ['hls-ferry-main-dvr', ['HlsPackage']],
      ['hls-ferry-main-dash', ['DashPackage']],
      ['hls-ferry-main-cmaf', ['CmafPackage']],
      ['hls-ferry-main-mss', ['MssPackage']],
    ]);
  });

  it('passes ad markers through and has I-frame playlists where the format knows them', () => {
    const hls = [
      endpoint('hls').HlsPackage,
      endpoint('dvr').HlsPackage,
      endpoint('cmaf').CmafPackage.HlsManifests[0],
    ];
    for (const manifest of hls) {
      assert.equal(manifest.AdMarkers, 'PASSTHROUGH');
      assert.equal(manifest.IncludeIframeOnlyStream, true);
      assert.equal(manifest.ProgramDateTimeIntervalSeconds, 1);
    }
    const dash = endpoint('dash').DashPackage;
    assert.deepEqual(dash.PeriodTriggers, ['ADS']);
    assert.equal(dash.IncludeIframeOnlyStream, true);
  });

  it('has a start-over window and a delay on its DVR endpoint alone', () => {
    const delayed = packaging({ startOverSeconds: 1_209_600, timeDelaySeconds: 60, dvrPlaylistSeconds: 200 });
    const windows = Object.values(resources(delayed, ENDPOINT)).map(({ Properties }) => [
      Properties.Id.slice('hls-ferry-main-'.length),
      Properties.StartoverWindowSeconds,
      Properties.TimeDelaySeconds,
      Properties.HlsPackage?.PlaylistWindowSeconds,
    ]);
    assert.deepEqual(windows, [
      ['hls', undefined, undefined, 60],
      ['dvr', 1_209_600, 60, 200],
      ['dash', undefined, undefined, undefined],
      ['cmaf', undefined, undefined, undefined],
      ['mss', undefined, undefined, undefined],
    ]);
  });

  it('answers to nobody who does not show the generated secret', () => {
    const [[id, secret] = []] = Object.entries(resources(template, 'AWS::SecretsManager::Secret'));
    const { GenerateSecretString: made } = secret?.Properties ?? {};
    assert.equal(made.GenerateStringKey, 'MediaPackageCDNIdentifier');
    assert.ok(made.PasswordLength >= 8 && made.PasswordLength <= 128);
    for (const format of formats) {
      assert.deepEqual(endpoint(format).Authorization.CdnIdentifierSecret, { Ref: id });
    }
    const [header] = config.Origins[0].OriginCustomHeaders;
    assert.equal(header.HeaderName, 'X-MediaPackage-CDNIdentifier');
    assert.equal(
      text(header.HeaderValue),
      '{{resolve:secretsmanager:<CdnSecret>:SecretString:MediaPackageCDNIdentifier::}}',
    );
  });

  it('may read that secret and nothing else, and is asked once it may', () => {
    const [policyId, policy] = Object.entries(resources(template, 'AWS::IAM::Policy')).find(([id]) =>
      id.startsWith('CdnRole'),
    ) as [string, Resource];
    const statements = policy.Properties.PolicyDocument.Statement.map(
      (statement: Record<string, unknown>) => [statement.Action, text(statement.Resource)],
    );
    assert.deepEqual(statements, [
      [
        [
          'secretsmanager:DescribeSecret',
          'secretsmanager:GetSecretValue',
          'secretsmanager:ListSecretVersionIds',
        ],
        '<CdnSecret>',
      ],
      [['iam:GetRole', 'iam:PassRole'], '<CdnRole.Arn>'],
    ]);
    for (const { DependsOn } of Object.values(resources(template, ENDPOINT))) {
      assert.ok(DependsOn?.includes(policyId));
    }
  });
});

describe('the distribution', () => {
  it('speaks TLS 1.2 to the one host of the endpoints', () => {
    assert.equal(config.Origins.length, 1);
    const [origin] = config.Origins;
    assert.equal(text(origin.DomainName), '<part 2 of <Endpointshls.Url>>');
    assert.equal(origin.CustomOriginConfig.OriginProtocolPolicy, 'https-only');
    assert.deepEqual(origin.CustomOriginConfig.OriginSSLProtocols, ['TLSv1.2']);
  });

  it('knows the host of a channel without HLS, too', () => {
    const without = only(packaging({ formats: ['cmaf', 'dash'] }), DISTRIBUTION).DistributionConfig;
    assert.equal(text(without.Origins[0].DomainName), '<part 2 of <Endpointsdash.Url>>');
  });

  const behaviors = [config.DefaultCacheBehavior, ...config.CacheBehaviors];
  /** The managed policy Elemental-MediaPackage. */
  const SEGMENTS = '08627262-05a9-4f76-9ded-b50ca2e3a84f';

  it('has a behaviour for the playlists of each format, and keeps segments apart', () => {
    const kept = config.CacheBehaviors.map((behavior: Record<string, unknown>) => [
      text(behavior.PathPattern),
      text(behavior.CachePolicyId).replace('<DeliveryPlaylists>', 'playlists'),
      behavior.SmoothStreaming,
    ]);
    const cmaf = '<part 1 of <Endpointscmaf.Arn>>';
    assert.deepEqual(kept, [
      [`/out/v1/${url('hls')}/*.m3u8`, 'playlists', undefined],
      [`/out/v1/${url('dvr')}/*.m3u8`, 'playlists', undefined],
      [`/out/v1/${url('dash')}/*.mpd`, 'playlists', undefined],
      [`/out/v1/${cmaf}/*.m3u8`, 'playlists', undefined],
      [`/out/v1/${url('mss')}/*/Manifest`, 'playlists', true],
      [`/out/v1/${url('mss')}/*`, SEGMENTS, true],
    ]);
    assert.equal(config.DefaultCacheBehavior.CachePolicyId, SEGMENTS);
  });

  it('keeps one playlist for each question that MediaPackage understands, and not beyond a segment', () => {
    const policy = only(template, 'AWS::CloudFront::CachePolicy').CachePolicyConfig;
    assert.deepEqual([policy.MinTTL, policy.DefaultTTL, policy.MaxTTL], [0, 1, 6]);
    const key = policy.ParametersInCacheKeyAndForwardedToOrigin;
    assert.deepEqual(key.QueryStringsConfig, {
      QueryStringBehavior: 'whitelist',
      QueryStrings: ['m', 'start', 'end', 'time_delay', 'aws.manifestfilter', 'aws.manifestsettings'],
    });
    assert.equal(key.CookiesConfig.CookieBehavior, 'none');
    assert.equal(key.HeadersConfig.HeaderBehavior, 'none');
  });

  it('reads only, over TLS, with CORS', () => {
    const cors = Object.keys(resources(template, 'AWS::CloudFront::ResponseHeadersPolicy'))[0];
    for (const behavior of behaviors) {
      assert.deepEqual(behavior.AllowedMethods, ['GET', 'HEAD', 'OPTIONS']);
      assert.equal(behavior.ViewerProtocolPolicy, 'redirect-to-https');
      assert.deepEqual(behavior.ResponseHeadersPolicyId, { Ref: cors });
    }
    const own = packaging({ allowedOrigins: ['https://player.example'] });
    const { CorsConfig } = only(own, 'AWS::CloudFront::ResponseHeadersPolicy').ResponseHeadersPolicyConfig;
    assert.deepEqual(CorsConfig.AccessControlAllowOrigins.Items, ['https://player.example']);
    assert.deepEqual(CorsConfig.AccessControlAllowMethods.Items, ['GET', 'HEAD', 'OPTIONS']);
  });

  it('keeps no error for more than a second', () => {
    assert.ok(config.CustomErrorResponses.length >= 10);
    for (const { ErrorCode, ErrorCachingMinTTL } of config.CustomErrorResponses) {
      assert.equal(ErrorCachingMinTTL, 1, `${ErrorCode}`);
    }
  });

  it('has the web ACL, the countries, the names and the logs that are configured', () => {
    const webAclArn = 'arn:aws:wafv2:us-east-1:123456789012:global/webacl/x/y';
    const certificateArn = 'arn:aws:acm:us-east-1:123456789012:certificate/x';
    const own = packaging({
      webAclArn,
      geo: { deny: ['SE'] },
      domain: { names: ['live.example'], certificateArn },
      accessLogs: false,
      reach: 'least',
    });
    const { DistributionConfig: is } = only(own, DISTRIBUTION);
    assert.equal(is.WebACLId, webAclArn);
    assert.deepEqual(is.Restrictions.GeoRestriction, { RestrictionType: 'blacklist', Locations: ['SE'] });
    assert.deepEqual(is.Aliases, ['live.example']);
    assert.equal(is.ViewerCertificate.MinimumProtocolVersion, 'TLSv1.2_2021');
    assert.equal(is.PriceClass, 'PriceClass_100');
    assert.equal(is.Logging, undefined);
    assert.equal(
      own.toJSON().Outputs.CloudFrontHlsUrl.Value['Fn::Join'][1][0],
      'https://live.example/out/v1/',
    );

    assert.notEqual(config.Logging, undefined);
    assert.equal(config.WebACLId, undefined);
    assert.equal(config.Restrictions, undefined);
  });
});

describe('the outputs of a packaging stack', () => {
  const outputs = (of = template) =>
    Object.fromEntries(
      Object.entries<{ Value: unknown }>(of.toJSON().Outputs).map(([name, { Value }]) => [name, text(Value)]),
    );

  it('are every playback URL and the name of the secret', () => {
    const host = '<part 2 of <Endpointshls.Url>>';
    const front = '<DeliveryDistribution.DomainName>';
    const paths = {
      Hls: `/out/v1/${url('hls')}/index.m3u8`,
      Dvr: `/out/v1/${url('dvr')}/index.m3u8`,
      Dash: `/out/v1/${url('dash')}/index.mpd`,
      Cmaf: '/out/v1/<part 1 of <Endpointscmaf.Arn>>/cmaf/index.m3u8',
      Mss: `/out/v1/${url('mss')}/index.ism/Manifest`,
    };
    const urls = Object.entries(paths).flatMap(([format, path]) => [
      [`MediaPackage${format}Url`, `https://${host}${path}`],
      [`CloudFront${format}Url`, `https://${front}${path}`],
    ]);
    assert.deepEqual(outputs(), {
      ...Object.fromEntries(urls),
      IngestSecretName: 'hls-ferry/channels/main',
      ChannelId: '<MediaChannel>',
      AlarmTopicArn: '<AlarmsTopic>',
    });
  });

  it('are those of the formats that are configured', () => {
    assert.deepEqual(
      Object.keys(outputs(packaging({ formats: ['dash'] }))).filter((name) => name.endsWith('Url')),
      ['MediaPackageDashUrl', 'CloudFrontDashUrl'],
    );
  });
});

describe('destroying a packaging stack', () => {
  it('is refused where its URLs are to be kept, and leaves nothing otherwise', () => {
    const { stacks, stack } = synth({ channels: [{ name: 'kept' }, { name: 'tried', removal: 'destroy' }] });
    assert.deepEqual(stacks, [
      { stackName: 'hls-ferry-packaging-kept', terminationProtection: true },
      { stackName: 'hls-ferry-packaging-tried', terminationProtection: false },
      { stackName: 'hls-ferry-relay', terminationProtection: false },
    ]);
    stack('hls-ferry-packaging-kept').hasResource('AWS::S3::Bucket', { DeletionPolicy: 'Retain' });
    stack('hls-ferry-packaging-tried').hasResource('AWS::S3::Bucket', { DeletionPolicy: 'Delete' });
  });
});
