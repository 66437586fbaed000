/**
 * How long things may take, in seconds. Each lies within the next, so that the inner one always gets to say
 * what happened.
 */
export const timeouts = {
  /** One request to a source or an endpoint, retries not counted. */
  http: 10,
  /** One tick of `advance`; what does not fit is left for the next. */
  tick: 30,
  /** The function `advance`. The state that invokes it has 45 s, in `statemachine/advance.asl.json`. */
  advance: 40,
  /**
   * From a run's start to its last poll. Two minutes that the scheduler leaves out are bridged: a run is
   * relieved within 3 min 59 s then.
   */
  run: 240,

  /** The function `dispatch`. */
  dispatch: 30,
  /** The function `sessions`: an HTTP API waits for 30 s. */
  sessions: 28,
  /** The function `channels`: it follows live sources for 115 s, and looks after schedules for 25 s; a request may take 30 s. */
  channels: 130,
  /** The function `credentials`. */
  credentials: 60,
  /** A custom resource; CloudFormation's own default is an hour. */
  customResource: 120,
};
