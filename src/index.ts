export * from './boot-gate';
export * from './image-prefetcher';
export * from './image-prefetcher-props';
export * from './image-selection';
export * from './node-selection';
export * from './tag-filter';
