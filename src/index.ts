export * from './boot-gate-options';
export * from './image-prefetcher';
export * from './image-prefetcher-props';
export * from './image-selection';
export * from './node-limit';
export * from './node-selection';
export * from './tag-filter';
