export * from './control-plane';
export type { RenderedCommand } from './document';
export * from './errors';
export type { Event, PatternMatcher } from './event-bridge';
export * from './fleet';
export type { Invocation, CommandResult } from './run-command';
export type { Resource } from './template';
export { Template } from './template';
export type { Step } from './timeline';
