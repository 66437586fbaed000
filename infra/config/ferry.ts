import { defineFerry } from './schema.ts';

// What is deployed. `schema.ts` beside this file has every setting, its default and its limits.
export default defineFerry({
  channels: [{ name: 'main' }],
});
