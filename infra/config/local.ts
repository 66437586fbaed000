import { defineFerry } from './schema.ts';

// What a local stand-in for AWS can be given: it has no alarms over several metrics and no schedule of rotation.
export default defineFerry({
  removal: 'destroy',
  alarms: false,
  logDays: 1,
  relay: { logLevel: 'debug' },
  channels: [{ name: 'main', rotateCredentialsDays: 0 }],
});
