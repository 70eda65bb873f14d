export { runScript, type ScriptOptions, type ScriptResult, startScript } from './child/script.js';
export { Cleanup, useCleanup } from './cleanup.js';
export { type Clock, FakeClock } from './clock.js';
export { expectSockets, openDescriptors, openSockets } from './descriptors.js';
export { useFolder } from './folder.js';
export { type Ended, type LaunchOptions, launch, type Peer, stopPeers } from './launch.js';
export { Namespace, type Network, openNetwork, type Rule } from './network/namespace.js';
export { type FaultyNetwork, openFaultyNetwork } from './network/relay.js';
export { describeWithPeers, missingPeers } from './peers.js';
export { chooseSeed, Random, seeded } from './random.js';
export { internalMembers, membersOf, outcomeOf, tableOf } from './state-tables.js';
export { describeStream, runCheck, streamChecks } from './stream/describe-stream.js';
export {
  type Checks,
  type Failure,
  failureOf,
  isPending,
  type MakePair,
  readToEnd,
  type StreamPair,
  thrownBy,
  tooMuch,
  turns,
} from './stream/trial.js';
export { streamCalls } from './stream-calls.js';
export { until, within } from './within.js';
